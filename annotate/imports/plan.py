"""What a batch of rows asks for: rows of one pair gathered, checked against each other and against the project."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection

from annotate.actions.judging import text_key
from annotate.imports import digests
from annotate.imports.assets import BatchMedia, Seen
from annotate.imports.checks import MAX_LABELS
from annotate.imports.copying import array_of_texts
from annotate.imports.drafts import Draft, Drafts
from annotate.imports.record import AskedCriterion, KnownAnswer, Label, PairRow, RowError
from annotate.models import DataImport, KnownKind, Project

Name = tuple[str, str]  # (source, external id)


@dataclass(slots=True)
class Asked:
    """A criterion of a pair with all the labels that the batch brings for it."""

    text: str
    k: int | None
    labels: dict[str, Label]
    known: KnownAnswer | None = None
    objective: bool = False


@dataclass(slots=True)
class PairPlan:
    """A pair as the rows of this batch tell it."""

    row: PairRow
    media: list[Seen]
    draft: Draft
    known_id: int | None
    pair_id: int = 0  # once it is known or given
    partition: str = ""
    asked: dict[bytes, Asked] = field(default_factory=dict)


@dataclass(slots=True)
class _KnownHere:
    """What the project knows: of each criterion, by its key, its canonical one and whether it may have known answers
    that this import brings; and of each (pair, criterion) its known answer.
    """

    criteria: dict[bytes, tuple[int, bool, bool]]  # key -> (id, objective, made by this import)
    answers: dict[tuple[int, int], tuple[str, str, str]]  # -> (verdict, kind, note)


def plan_batch(
    project: Project,
    data_import: DataImport,
    rows: Sequence[PairRow],
    media: BatchMedia,
    refused: list[tuple[int, RowError]],
    drafts: Drafts,
    made: Sequence[Draft | None],
) -> dict[Name, PairPlan]:
    """Rows of one pair gathered, each checked against the others and against what the project holds.

    `made`: the draft of each row that has no media.
    """
    known = _known_pairs(project, rows)
    stored = (
        _stored_judgments(project, [row for row in rows if (row.source, row.external_id) in known])
        if known
        else {}
    )
    here = _known_here(project, data_import, rows, [pair[0] for pair in known.values()])
    plans: dict[Name, PairPlan] = {}
    for index, row in enumerate(rows):
        files = media.of_row.get(index)
        if files is None:
            continue  # refused for its media
        try:
            held = known.get((row.source, row.external_id)) if known else None
            draft = made[index] or drafts.of_media(row, [seen.sha256 for seen in files])
            _add_row(project, plans, row, files, held, stored, here, draft)
        except RowError as error:
            refused.append((index, error))
    return plans


def _add_row(
    project: Project,
    plans: dict[Name, PairPlan],
    row: PairRow,
    files: list[Seen],
    known: tuple[int, bytes, str] | None,
    stored: dict[UUID, tuple[Any, ...]],
    here: _KnownHere,
    draft: Draft,
) -> None:
    name = (row.source, row.external_id)
    plan = plans.get(name)
    expected = plan.draft.digest if plan else known[1] if known else draft.digest
    if draft.digest != expected:
        raise RowError(
            _differing_field(row, draft.prompt, files, plan, known),
            f"differs from the pair {row.external_id!r:.80} of source {row.source!r:.80} that is there already."
            " A pair never changes: give the row another id, or another --source.",
        )
    if plan and row.asked != plan.row.asked:
        raise RowError(
            "language" if row.asked.language != plan.row.asked.language else "expertise",
            f"differs from that of another row of the pair {row.external_id!r:.80}. Write the same in all of them.",
        )
    if plan is None:
        plan = PairPlan(row, files, draft, None)
        if known:
            plan.known_id = plan.pair_id = known[0]
            plan.partition = known[2]
    asked = [(_key(one.text), one) for one in row.criteria]
    for key, one in asked:
        if one.labels:
            _check_labels(project, row, key, one, plan.asked.get(key), stored)
        if one.known:
            _check_known(plan, key, one, one.known, here)
    # Only a row that is taken as a whole leaves anything in the plan.
    plans[name] = plan
    for key, one in asked:
        have = plan.asked.get(key)
        if have is None:
            have = plan.asked[key] = Asked(one.text, one.k, {})
        have.known = have.known or one.known
        have.objective |= one.objective
        have.k = max(have.k or 0, one.k or 0) or None
        if one.labels:
            have.labels |= {label.annotator: label for label in one.labels}


# Most files ask by the same few criteria, row after row.
_key = lru_cache(4096)(text_key)


def _check_labels(
    project: Project,
    row: PairRow,
    key: bytes,
    one: AskedCriterion,
    have: Asked | None,
    stored: dict[UUID, tuple[Any, ...]],
) -> None:
    """
    Raises:
        RowError: a label contradicts one of the same person's, or they are more than a comparison holds.
    """
    names = {label.annotator for label in one.labels} | (set(have.labels) if have else set())
    if len(names) > MAX_LABELS:
        raise RowError("criteria", f"{one.text!r:.80} has more than {MAX_LABELS} labels on this pair.")
    for label in one.labels:
        there = (
            _label_values(have.labels[label.annotator]) if have and label.annotator in have.labels else None
        )
        if stored and there is None:
            there = stored.get(
                digests.judgment_id(project.pk, row.source, row.external_id, key, label.annotator)
            )
        if there is not None and there != _label_values(label):
            raise RowError(
                "criteria",
                f"{label.annotator!r:.80} judged {one.text!r:.80} as {there[0]} before and as {label.verdict} here."
                " A label never changes: keep one of them.",
            )


def _check_known(
    plan: PairPlan, key: bytes, one: AskedCriterion, known: KnownAnswer, here: _KnownHere
) -> None:
    """
    Raises:
        RowError: the criterion can have no known answer, or another answer is known already.
    """
    criterion_id, objective, ours = here.criteria.get(key, (0, False, True))
    if known.kind != KnownKind.ATTENTION and not objective and not (ours and one.objective):
        raise RowError(
            known.field,
            f"stands with the criterion {one.text!r:.80}, which is not objective. "
            + (
                'If it has one right answer, which whoever looks closely finds, give "objective": true beside it'
                if ours
                else "If it has one right answer, say so on the criterion's page first"
            )
            + f', or make this an attention check ("kind": "{KnownKind.ATTENTION}").',
        )
    have = plan.asked.get(key)
    there = here.answers.get((plan.known_id or 0, criterion_id))
    if have and have.known:
        there = (have.known.verdict, have.known.kind, have.known.note)
    if there and (there[:2] != (known.verdict, known.kind) or known.note not in ("", there[2])):
        raise RowError(
            known.field,
            f"is {known.verdict} for {known.kind}; the project knows {there[0]} for {there[1]} already"
            f"{', with another note' if there[:2] == (known.verdict, known.kind) else ''}."
            " No import changes a known answer: do it on the pair's page.",
        )


def _known_here(
    project: Project, data_import: DataImport, rows: Iterable[PairRow], pair_ids: list[int]
) -> _KnownHere:
    keys = list({_key(one.text) for row in rows for one in row.criteria if one.known})
    here = _KnownHere({}, {})
    if not keys:
        return here
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT k.text_key, c.id, c.objective, c.data_import_id IS NOT DISTINCT FROM %s
            FROM annotate_criterion k JOIN annotate_criterion c ON c.id = COALESCE(k.canonical_id, k.id)
            WHERE k.project_id = %s AND k.text_key = ANY (%s)
            """,
            [data_import.pk, project.pk, keys],
        )
        here.criteria = {bytes(key): (pk, objective, ours) for key, pk, objective, ours in cursor}
        cursor.execute(
            """
            SELECT c.pair_id, c.criterion_id, g.verdict, g.kind, g.note
            FROM annotate_gold g JOIN annotate_comparison c ON c.id = g.comparison_id WHERE c.pair_id = ANY (%s)
            """,
            [pair_ids],
        )
        here.answers = {(pair, criterion): tuple(said) for pair, criterion, *said in cursor}
    return here


def _label_values(label: Label) -> tuple[Any, ...]:
    return (label.verdict, label.strength, label.tie_kind, label.broken, label.rationale)


def _differing_field(
    row: PairRow,
    prompt: bytes,
    files: list[Seen],
    plan: PairPlan | None,
    known: tuple[int, bytes, str] | None,
) -> str:
    """The first field that differs from the pair that is there."""
    if plan:
        other = plan.row
        if prompt != plan.draft.prompt:
            return "prompt"
        for name in ("response1", "response2"):
            if getattr(row, name) != getattr(other, name):
                return name
        same = ("task_type", "group", "sensitive", "metadata")
        return next((name for name in same if getattr(row, name) != getattr(other, name)), "id")
    assert known
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT q.digest, r1.text, a1.sha256, r1.model_name, r2.text, a2.sha256, r2.model_name, p.task_type,
                   p.sensitive, p.metadata
            FROM annotate_pair p JOIN annotate_prompt q ON q.id = p.prompt_id
            JOIN annotate_response r1 ON r1.id = p.response1_id LEFT JOIN annotate_asset a1 ON a1.id = r1.asset_id
            JOIN annotate_response r2 ON r2.id = p.response2_id LEFT JOIN annotate_asset a2 ON a2.id = r2.asset_id
            WHERE p.id = %s
            """,
            [known[0]],
        )
        there = cursor.fetchone()
    shas = iter([seen.sha256 for seen in files[len(row.media) :]])
    sides = [next(shas) if side.media else None for side in (row.response1, row.response2)]
    here: list[Any] = [prompt, row.response1.text, sides[0], row.response1.model]
    here += [row.response2.text, sides[1], row.response2.model, row.task_type, row.sensitive, row.metadata]
    fields = ["prompt", *["response1"] * 2, "response1.model", *["response2"] * 2, "response2.model"]
    fields += ["task_type", "sensitive", "metadata"]
    for name, old, new in zip(fields, there, here, strict=True):
        old = bytes(old) if isinstance(old, memoryview) else old
        if (json.loads(old) if name == "metadata" and isinstance(old, str) else old) != new:
            return name
    return "id"


def _known_pairs(project: Project, rows: Iterable[PairRow]) -> dict[Name, tuple[int, bytes, str]]:
    """(id, digest, partition) of the pairs that the project has under the names of these rows."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.source, []).append(row.external_id)
    found: dict[Name, tuple[int, bytes, str]] = {}
    with connection.cursor() as cursor:
        for source, external_ids in names.items():
            cursor.execute(
                "SELECT external_id, id, digest, partition FROM annotate_pair"
                " WHERE project_id = %s AND source = %s AND external_id = ANY (%s::varchar[])",
                [project.pk, source, array_of_texts(external_ids)],
            )
            found |= {(source, name): (pk, bytes(digest), part) for name, pk, digest, part in cursor}
    return found


def _stored_judgments(project: Project, rows: Iterable[PairRow]) -> dict[UUID, tuple[Any, ...]]:
    """The labels of these rows that the project has already, by their ids."""
    ids = [
        digests.judgment_id(project.pk, row.source, row.external_id, _key(one.text), label.annotator)
        for row in rows
        for one in row.criteria
        for label in one.labels
    ]
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, verdict, strength, tie_kind, broken, rationale FROM annotate_judgment WHERE id = ANY (%s)",
            [ids],
        )
        return {row[0]: tuple(row[1:]) for row in cursor}
