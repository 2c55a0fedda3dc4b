"""Battles of the Chatbot Arena, in its three published forms.

- conversation_a, conversation_b, winner, judge (card of lmsys/chatbot_arena_conversations; the later
  arena-human-preference sets alike, with `both_bad` for `tie (bothbad)` and contents in parts);
- prompt, response_a, response_b as JSON lists of turns, winner_model_a, winner_model_b, winner_tie
  (lmarena-ai/arena-human-preference-55k).

Who voted is the row's judge. What both conversations begin with is the prompt; the rest of one is its response,
of more than one message as a transcript: people saw the whole and judged the whole.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from annotate.imports import checks
from annotate.imports.record import MediaRef, PairRow, Place, RowError, Side
from annotate.imports.schemas import preference
from annotate.imports.schemas.context import PUBLISHED, Context
from annotate.imports.schemas.preference import Turns
from annotate.imports.schemas.published import content_name, kept, medium, overall
from annotate.models import Modality

CONVERSATIONS = {"conversation_a", "conversation_b", "winner"}
TABLE = {"response_a", "response_b", "winner_model_a", "winner_model_b", "winner_tie"}
_WINNERS = {
    "model_a": ("response1", ""),
    "model_b": ("response2", ""),
    "tie": ("tie", ""),
    "tie (bothbad)": ("tie", "both_bad"),
    "both_bad": ("tie", "both_bad"),
}
_KEPT = ("language", "turn", "is_code", "category_tag")
_SPEAKERS = {"user": "User", "assistant": "Assistant", "system": "System", "tool": "Tool"}


def recognises(columns: set[str]) -> bool:
    return columns >= CONVERSATIONS or columns >= TABLE


def schema(context: Context) -> Callable[[Mapping[str, Any], Place], PairRow]:
    def read(row: Mapping[str, Any], place: Place) -> PairRow:
        if "conversation_a" in row:
            first, second = (
                preference.messages(row[f"conversation_{side}"], f"conversation_{side}", "user")
                for side in "ab"
            )
            winner = row.get("winner")
            if not isinstance(winner, str) or winner not in _WINNERS:
                raise RowError("winner", f"is {winner!r:.60}; must be one of {', '.join(_WINNERS)}.")
            verdict, tie_kind = _WINNERS[winner]
        else:
            first, second = (_turns(row, f"response_{side}") for side in "ab")
            verdict, tie_kind = _flags(row), ""
        turns = _shared(first, second)
        media = _images(row)
        if not media and not any(text.strip() for _, text in turns):
            raise RowError("prompt", "is missing: the conversations have no beginning in common.")
        given = next((row[name] for name in ("question_id", "id") if row.get(name) is not None), None)
        judge = row.get("judge")
        sides = [
            Side(
                _transcript(rest, f"conversation_{side}"),
                model=checks.name(row.get(f"model_{side}") or "", f"model_{side}", empty=True),
            )
            for side, rest in (("a", first), ("b", second))
        ]
        return PairRow(
            place=place,
            source=context.source or context.stem,
            external_id=(
                content_name(turns, [side.text for side in sides])
                if given is None
                else checks.name(given, "id")
            ),
            task_type=context.pair_task_type,
            turns=tuple(turns),
            media=media,
            response1=sides[0],
            response2=sides[1],
            criteria=overall(
                context,
                verdict,
                own=row.get("criterion"),
                annotator=PUBLISHED if judge is None else checks.name(judge, "judge"),
                tie_kind=tie_kind,
            ),
            metadata=kept(row, _KEPT),
        )

    return read


def _shared(first: Turns, second: Turns) -> Turns:
    """What both begin with alike, taken off them. An answer that both gave alike is left to both."""
    turns: Turns = []
    while first and second and first[0] == second[0] and len(first) > 1 and len(second) > 1:
        turns.append(first.pop(0))
        second.pop(0)
    return turns


def _transcript(messages: Turns, field: str) -> str:
    if not messages or messages[-1][0] != "assistant":
        raise RowError(field, "must end in a message of the assistant's.")
    if len(messages) == 1:
        return messages[0][1]
    return checks.text("\n\n".join(f"**{_SPEAKERS[role]}:** {text}" for role, text in messages), field)


def _turns(row: Mapping[str, Any], column: str) -> Turns:
    """The prompts and one side's answers in turn, of two lists that are written as JSON."""
    asked, answered = _list(row.get("prompt"), "prompt"), _list(row.get(column), column)
    if len(asked) != len(answered):
        raise RowError(column, f"has {len(answered)} answers to {len(asked)} prompts.")
    turns: Turns = []
    for question, answer in zip(asked, answered, strict=True):
        turns += [("user", question), ("assistant", answer)]
    return turns


def _list(value: Any, field: str) -> list[str]:
    if isinstance(value, str):
        try:
            # Halves of surrogate pairs are written in these files; what cannot be stored is refused below.
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = [value]
    if not isinstance(value, list) or not 0 < len(value) <= checks.MAX_TURNS:
        raise RowError(field, "must be a list of texts, one of each turn.")
    return [checks.text("" if one is None else one, f"{field}[{n}]") for n, one in enumerate(value)]


def _flags(row: Mapping[str, Any]) -> str:
    columns = {"winner_model_a": "response1", "winner_model_b": "response2", "winner_tie": "tie"}
    won = [verdict for column, verdict in columns.items() if checks.flag(_flag(row.get(column)), column)]
    if len(won) != 1:
        raise RowError(
            "winner_model_a", "exactly one of winner_model_a, winner_model_b, winner_tie must be 1."
        )
    return won[0]


def _flag(value: Any) -> Any:
    return str(int(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _images(row: Mapping[str, Any]) -> tuple[MediaRef, ...]:
    images = row.get("images")
    if not images:
        return ()
    if not isinstance(images, list) or len(images) > checks.MAX_MEDIA:
        raise RowError("images", f"must be a list of at most {checks.MAX_MEDIA} images.")
    return tuple(medium(one, f"images[{n}]", Modality.IMAGE) for n, one in enumerate(images))
