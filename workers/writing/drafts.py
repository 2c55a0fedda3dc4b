"""What models make of one pair: criteria written, the unfit and the repeated ones refused, the rest verified by others.

Nothing here knows a table: threads do it, one pair each.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from annotate.actions.judging import text_key
from annotate.actions.writing import Draft
from annotate.likeness import likeness
from annotate.models import ProposalState
from annotate.models.project import MAX_CRITERION
from annotate.opposites import opposed
from workers.reward_models.base import Compared, Opinion, Without
from workers.reward_models.judge import ChatJudge
from workers.writing.recipe import Recipe
from workers.writing.writer import ChatWriter, Written, storable

_SIDES = ("response1", "response2")
# A side that others see the other way round, or do not see at all.
_NAMES_A_SIDE = re.compile(
    r"\b(?:response|answer|option|image|video|audio|clip|model|output)s?\s+(?:[AB]|[12]|one|two)\b(?!\s*[-%])"
    r"|\b(?:first|second|left|right)(?:-hand)?\s+(?:response|answer|one|image|video|clip)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A pair to write for: as it is shown, by no criterion, and the texts of those that it is judged by already."""

    pair: int
    item: Compared
    known: tuple[str, ...]


def drafts_of(
    asked: Asked, recipe: Recipe, writer: ChatWriter, verifiers: Sequence[ChatJudge]
) -> list[Draft]:
    """At least one draft. A single one that FAILED: something could not be asked, and the pair is to be asked anew.

    Raises:
        JudgeBroken: one of the models answers nothing.
    """
    flipped = _chance(recipe.seed, b"order", asked.pair.to_bytes(8, "big")) < 0.5
    item = asked.item.swapped() if flipped else asked.item
    label_of = dict(zip("AB", reversed(_SIDES) if flipped else _SIDES, strict=True))
    letters = tuple(letter for letter in "AB" if label_of[letter] in recipe.labels)
    found = writer.write(item, letters)
    spent = (found.tokens_in, found.tokens_out, writer.spec.cost(found.tokens_in, found.tokens_out))
    if found.value is None:
        state = ProposalState.FAILED if found.without == Without.ERROR else ProposalState.UNREADABLE
        reason = storable(f"{writer.spec.title}: {found.detail}")
        return [Draft("", "", storable(found.said)[:2000], state, reason, [], False, *spent)]
    drafts: list[Draft] = []
    known = list(asked.known)
    for written in found.value:
        label = label_of.get(written.letter, "")
        taken = sum(draft.label == label and draft.state == ProposalState.ACCEPTED for draft in drafts)
        problem = _unfit(written, label, recipe, taken) or _repeated(written.text, known, recipe.alike)
        if problem:
            draft = Draft(written.text, label, written.why, ProposalState.REJECTED, problem)
        else:
            draft = _verified(asked.item, written, label, recipe, verifiers)
            if draft.state == ProposalState.ACCEPTED:
                known.append(draft.text)
        if draft.state == ProposalState.FAILED:
            return [draft]
        drafts.append(draft)
    cost = None if drafts[0].cost is None or spent[2] is None else drafts[0].cost + spent[2]
    drafts[0] = replace(
        drafts[0],
        tokens_in=drafts[0].tokens_in + spent[0],
        tokens_out=drafts[0].tokens_out + spent[1],
        cost=cost,
    )
    return drafts


def _unfit(written: Written, label: str, recipe: Recipe, taken: int) -> str:
    if written.problem:
        return written.problem
    if not written.text:
        return "it is empty"
    if len(written.text) > MAX_CRITERION:
        return f"it has {len(written.text):,} characters; at most {MAX_CRITERION} are taken"
    if named := _NAMES_A_SIDE.search(written.text):
        return f"it names a side, “{named[0]}”, which others see the other way round"
    if label not in recipe.labels:
        return "it is about a side that was not asked for"
    if taken >= recipe.per_pair:
        return "it is one more than was asked for"
    return ""


def _repeated(text: str, known: Sequence[str], alike: float) -> str:
    """An opposite is written alike and asks another thing: it is no repetition."""
    for other in known:
        share = max(likeness(text, other), likeness(other, text))
        if share >= alike and not opposed(text, other):
            return f"it is {100 * share:.0f} % like “{other}”, which the pair has"
    return ""


def _verified(
    item: Compared, written: Written, label: str, recipe: Recipe, verifiers: Sequence[ChatJudge]
) -> Draft:
    shown = replace(item, criterion=written.text)
    told: list[dict[str, Any]] = []
    tokens_in = tokens_out = agreed = failed = 0
    cost: float | None = 0.0
    trouble = ""
    for verifier in verifiers:
        both = (verifier.judge(shown, ties=True), verifier.judge(shown.swapped(), ties=True))
        verdicts = _named(both[0], turned=False), _named(both[1], turned=True)
        agrees = verdicts == (label, label)
        agreed += agrees
        details = [opinion.detail for opinion in both if opinion.without]
        if any(opinion.without == Without.ERROR for opinion in both):
            failed += 1
            trouble = f"{verifier.spec.title}: {details[0]}"
        for opinion in both:
            tokens_in += opinion.tokens_in
            tokens_out += opinion.tokens_out
            paid = verifier.spec.cost(opinion.tokens_in, opinion.tokens_out)
            cost = None if cost is None or paid is None else cost + paid
        told.append(
            {
                "judge": verifier.spec.title,
                "verdict": verdicts[0],
                "swapped": verdicts[1],
                "agrees": agrees,
                "detail": storable(details[0] if details else ""),
                "rationale": storable(both[0].rationale)[:2000],
            }
        )
    state, reason = ProposalState.ACCEPTED, ""
    if agreed < recipe.agree:
        if agreed + failed >= recipe.agree:  # who could not be asked might have decided it
            state, reason = ProposalState.FAILED, storable(trouble)
        else:
            state = ProposalState.REJECTED
            reason = (
                f"{agreed} of {len(verifiers)} verifiers name this side in both orders; {recipe.agree} must"
            )
    sampled = _chance(recipe.seed, b"sample", text_key(written.text)) < recipe.sample
    return Draft(written.text, label, written.why, state, reason, told, sampled, tokens_in, tokens_out, cost)


def _named(opinion: Opinion, *, turned: bool) -> str:
    """What an opinion says, of responses; empty where it says nothing."""
    if opinion.verdict is None:
        return ""
    verdict = -opinion.verdict if turned else opinion.verdict
    return {1: "response1", -1: "response2", 0: "tie"}[verdict]


def _chance(seed: int, purpose: bytes, content: bytes) -> float:
    """In [0, 1), and the same whenever it is asked."""
    found = hashlib.sha256(b"\0".join((str(seed).encode(), purpose, content))).digest()
    return int.from_bytes(found[:6], "big") / 2**48
