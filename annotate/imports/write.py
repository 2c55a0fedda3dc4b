"""Writing a batch of rows: what is new by COPY, in the caller's transaction, invisible until the import is done.

Only one import of a project runs at a time, so prompts and pairs cannot appear between looking and writing.
Criteria can: annotators write them too.
"""

import json
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection

from annotate.actions.pools import needs_for
from annotate.imports import digests, drafts
from annotate.imports.assets import BatchMedia
from annotate.imports.checks import MAX_LABELS
from annotate.imports.copying import array_of_bytes, array_of_numbers, copy, copy_lines
from annotate.imports.drafts import Draft, Drafts
from annotate.imports.plan import Asked, PairPlan, plan_batch
from annotate.imports.record import FileError, KnownAnswer, Label, PairRow, RowError
from annotate.imports.references import checked, may_check_at_once
from annotate.models import DataImport, Partition, Project


@dataclass
class Written:
    """What a batch came to."""

    pairs_new: int = 0
    pairs_same: int = 0
    judgments_new: int = 0
    refused: list[tuple[int, RowError]] = field(default_factory=list)  # by the row's index in the batch


@dataclass(slots=True)
class _Comparison:
    """A comparison that exists: `ours` if this import made it, so that nobody can have seen it yet."""

    id: int
    k: int
    ours: bool
    seats: dict[int, int]  # annotator -> n


def write_batch(
    project: Project,
    data_import: DataImport,
    rows: Sequence[PairRow],
    media: BatchMedia,
    now: datetime,
    drafting: Drafts,
    made: Sequence[Draft | None],
) -> Written:
    """Write the rows whose media were found. Call it in a transaction, with no other import of the project.

    `made`: of each row `drafting.of_text`, which whoever reads ahead has time for.
    """
    written = Written()
    asset_ids = media.ids | _insert_assets(project, data_import, media, now)
    plans = plan_batch(project, data_import, rows, media, written.refused, drafting, made)
    _Writer(project, data_import, asset_ids, media.prepared, now).write(list(plans.values()), written)
    return written


def _insert_assets(
    project: Project, data_import: DataImport, media: BatchMedia, now: datetime
) -> dict[bytes, int]:
    if not media.new:
        return {}
    ids = dict(zip(media.new, _ids("annotate_asset", len(media.new)), strict=True))
    copy(
        "annotate_asset",
        "id, project_id, sha256, modality, media_type, extension, size, key, probe, prepared, problem,"
        " data_import_id, created_at",
        (
            (
                ids[sha256],
                project.pk,
                sha256,
                new.seen.kind.modality,
                new.seen.kind.media_type,
                new.seen.kind.extension,
                new.seen.size,
                new.key,
                json.dumps(new.probe),
                new.prepared,
                "",
                data_import.pk,
                now,
            )
            for sha256, new in media.new.items()
        ),
    )
    copy(
        "annotate_derivative",
        "asset_id, kind, media_type, size, key, probe",
        (
            (ids[sha256], made.kind, made.media_type, made.size, made.key, json.dumps(made.probe))
            for sha256, new in media.new.items()
            for made in new.derivatives
        ),
    )
    return ids


class _Writer:
    def __init__(
        self,
        project: Project,
        data_import: DataImport,
        asset_ids: dict[bytes, int],
        prepared: set[bytes],
        now: datetime,
    ) -> None:
        self._project = project
        self._import_id = data_import.pk
        self._assets = asset_ids
        self._prepared = prepared
        self._now = now
        self._ours = {"project_id": project.pk, "data_import_id": data_import.pk}
        self._at_once = may_check_at_once()
        # What no row of this transaction has referred to yet; afterwards it is locked until the end.
        self._unlocked = {"annotate_project": [project.pk], "annotate_dataimport": [data_import.pk]}

    def _checked(self, **others: Collection[int]) -> AbstractContextManager[None]:
        """Within, rows are copied that refer to the project, the import, these, and what this batch has made before."""
        unlocked, self._unlocked = self._unlocked, {}
        return checked(
            unlocked | {f"annotate_{name}": ids for name, ids in others.items()}, at_once=self._at_once
        )

    def write(self, plans: list[PairPlan], written: Written) -> None:
        new = [plan for plan in plans if plan.known_id is None]
        written.pairs_new += len(new)
        written.pairs_same += len(plans) - len(new)
        if new:
            self._write_pairs(new)
        asked = [(plan, key, one) for plan in plans for key, one in plan.asked.items()]
        if not asked:
            return
        criteria = self._criteria(
            {key: one.text for _, key, one in asked}, {key for _, key, one in asked if one.objective}
        )
        there = self._comparisons([plan.known_id for plan in plans if plan.known_id is not None])
        self._write_comparisons(asked, criteria, there, written)

    def _write_pairs(self, plans: list[PairPlan]) -> None:
        prompts = self._prompts(plans)
        try:
            needs = needs_for(self._project.pk, [(plan.row.task_type, plan.row.asked) for plan in plans])
        except ValidationError as error:
            raise FileError(" ".join(error.messages)) from error
        self._place(plans)
        response_ids = iter(_ids("annotate_response", 2 * len(plans)))
        responses = []
        pairs = []
        for plan, pair_id in zip(plans, _ids("annotate_pair", len(plans)), strict=True):
            row, draft = plan.row, plan.draft
            one, two = next(response_ids), next(response_ids)
            assets: list[int | str] = ["\\N", "\\N"]
            ready = "t"
            if plan.media:
                files = iter(plan.media[len(row.media) :])
                assets = [
                    self._assets[next(files).sha256] if side.media else "\\N"
                    for side in (row.response1, row.response2)
                ]
                ready = "t" if all(seen.sha256 in self._prepared for seen in plan.media) else "f"
            responses.append(f"{one}\t{assets[0]}\t{draft.response1}")
            responses.append(f"{two}\t{assets[1]}\t{draft.response2}")
            need = needs[row.task_type, row.asked]
            pairs.append(
                f"{pair_id}\t{prompts[draft.prompt]}\t{one}\t{two}\t{need}\t{plan.partition}\t{ready}\t{draft.pair}"
            )
            plan.pair_id = pair_id
        with self._checked(asset=self._assets.values()):
            copy_lines("annotate_response", f"id, asset_id, {drafts.RESPONSE}", responses, self._ours)
        with self._checked(prompt=self._known_prompts, need=needs.values()):
            copy_lines(
                "annotate_pair",
                f"id, prompt_id, response1_id, response2_id, need_id, partition, ready, {drafts.PAIR}",
                pairs,
                self._ours | {"queued": False, "created_at": self._now},
            )

    def _prompts(self, plans: list[PairPlan]) -> dict[bytes, int]:
        """Ids of the prompts by digest; those that are new are written."""
        first = {plan.draft.prompt: plan for plan in plans}
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT digest, id FROM annotate_prompt WHERE project_id = %s AND digest = ANY (%s::bytea[])",
                [self._project.pk, array_of_bytes(first)],
            )
            ids = {bytes(digest): pk for digest, pk in cursor}
        self._known_prompts = list(ids.values())
        new = [plan for digest, plan in first.items() if digest not in ids]
        if new:
            ids |= zip((plan.draft.prompt for plan in new), _ids("annotate_prompt", len(new)), strict=True)
            with self._checked():
                copy_lines(
                    "annotate_prompt",
                    f"id, {drafts.TURNS}",
                    (f"{ids[plan.draft.prompt]}\t{plan.draft.turns}" for plan in new),
                    self._ours,
                )
            copy(
                "annotate_promptasset",
                "prompt_id, asset_id, position",
                [
                    (ids[plan.draft.prompt], self._assets[plan.media[position].sha256], position)
                    for plan in new
                    for position in range(len(plan.row.media))
                ],
            )
        return ids

    def _place(self, plans: list[PairPlan]) -> None:
        """Say where each pair goes: where the project has its group already, whatever its shares say today."""
        with connection.cursor() as cursor:
            cursor.execute(
                'SELECT DISTINCT "group", partition FROM annotate_pair'
                ' WHERE project_id = %s AND "group" = ANY (%s::bigint[])',
                [self._project.pk, array_of_numbers({plan.draft.group for plan in plans})],
            )
            found: dict[int, str] = dict(cursor.fetchall())
        for plan in plans:
            plan.partition = found.get(plan.draft.group, plan.draft.partition)

    def _criteria(self, texts: dict[bytes, str], objective: set[bytes]) -> dict[bytes, int]:
        """Ids of the criteria by key; of one that was merged into another, the other's.

        Of those that this import makes, these are `objective`. What others made stays as it was decided.
        """
        keys = list(texts)
        with connection.cursor() as cursor:
            look = (
                "SELECT text_key, COALESCE(canonical_id, id) FROM annotate_criterion"
                " WHERE project_id = %s AND text_key = ANY (%s)"
            )
            cursor.execute(look, [self._project.pk, keys])
            ids = {bytes(key): pk for key, pk in cursor}
            new = sorted(key for key in keys if key not in ids)
            if new:
                cursor.execute(
                    """
                    INSERT INTO annotate_criterion (project_id, text, text_key, data_import_id, created_at)
                    SELECT %s, text, key, %s, %s FROM unnest(%s::text[], %s::bytea[]) AS new (text, key)
                    ON CONFLICT (project_id, text_key) DO NOTHING
                    """,
                    [self._project.pk, self._import_id, self._now, [texts[key] for key in new], new],
                )
                cursor.execute(look, [self._project.pk, new])
                ids |= {bytes(key): pk for key, pk in cursor}
            if objective:
                cursor.execute(
                    "UPDATE annotate_criterion SET objective = true WHERE NOT objective AND data_import_id = %s"
                    " AND project_id = %s AND text_key = ANY (%s)",
                    [self._import_id, self._project.pk, list(objective)],
                )
        return ids

    def _wanted(self, criteria: list[int]) -> dict[int, int]:
        """How many labels those criteria want that have a wish of their own."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, k FROM annotate_criterion WHERE id = ANY (%s) AND k IS NOT NULL", [criteria]
            )
            return dict(cursor.fetchall())

    def _comparisons(self, pair_ids: list[int]) -> dict[tuple[int, int], _Comparison]:
        """The comparisons that known pairs have, by (pair, criterion)."""
        if not pair_ids:
            return {}
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT c.pair_id, c.criterion_id, c.id, c.k, c.data_import_id = %s,
                       array_agg(s.annotator_id ORDER BY s.n) FILTER (WHERE s.n IS NOT NULL),
                       array_agg(s.n ORDER BY s.n) FILTER (WHERE s.n IS NOT NULL)
                FROM annotate_comparison c LEFT JOIN annotate_seat s ON s.comparison_id = c.id
                WHERE c.pair_id = ANY (%s) GROUP BY c.id
                """,
                [self._import_id, pair_ids],
            )
            return {
                (pair, criterion): _Comparison(
                    pk, k, bool(ours), dict(zip(who or (), places or (), strict=True))
                )
                for pair, criterion, pk, k, ours, who, places in cursor
            }

    def _write_comparisons(
        self,
        asked: list[tuple[PairPlan, bytes, Asked]],
        criteria: dict[bytes, int],
        there: dict[tuple[int, int], _Comparison],
        written: Written,
    ) -> None:
        project = self._project
        annotators = self._annotators(
            {(plan.row.source, name) for plan, _, one in asked for name in one.labels}
        )
        # Two criteria of a row may have been merged into one: their labels meet at one comparison.
        fresh: dict[tuple[int, int], _Comparison] = {}
        raised: list[_Comparison] = []
        labels: list[tuple[UUID, _Comparison, int, Label]] = []
        wanted = self._wanted(list(criteria.values()))
        spare_ids = iter(_ids("annotate_comparison", len(asked)))
        reserve = Partition.RESERVE.value  # as a text: comparing with the choice itself is slow
        for plan, key, one in asked:
            at = (plan.pair_id, criteria[key])
            comparison = there.get(at) or fresh.get(at)
            if comparison is None:
                kept = plan.partition == reserve
                k = one.k or (project.reserve_k if kept else wanted.get(criteria[key], project.k))
                comparison = fresh[at] = _Comparison(next(spare_ids), max(k, len(one.labels)), True, {})
            for name, label in one.labels.items():
                judgment = digests.judgment_id(project.pk, plan.row.source, plan.row.external_id, key, name)
                labels.append((judgment, comparison, annotators[plan.row.source, name], label))
        new = self._new_labels(labels)
        seats = []
        for judgment, comparison, annotator, _ in new:
            # Seats of comparisons that people see are given when the import becomes visible.
            if comparison.ours:
                n = next(n for n in range(1, MAX_LABELS + 2) if n not in comparison.seats.values())
                if n > MAX_LABELS:
                    continue  # kept, and uncounted: no comparison holds more
                comparison.seats[annotator] = n
                if n > comparison.k:
                    comparison.k = n
                    raised.append(comparison)
                seats.append((comparison, n, annotator, judgment))
        known_pairs = {plan.known_id for plan, _, _ in asked if plan.known_id is not None}
        with self._checked(criterion=criteria.values(), pair=known_pairs):
            copy_lines(
                "annotate_comparison",
                "id, pair_id, criterion_id, k",
                (f"{c.id}\t{pair}\t{criterion}\t{c.k}" for (pair, criterion), c in fresh.items()),
                {"data_import_id": self._import_id, "created_at": self._now},
            )
        self._known(
            {
                (there.get(at) or fresh[at]).id: one.known
                for plan, key, one in asked
                if one.known and (at := (plan.pair_id, criteria[key]))
            }
        )
        if new:
            made_now = {c.id for c in fresh.values()}
            self._raise({c.id: c.k for c in raised if c.id not in made_now})
            self._write_labels(new, seats)
            written.judgments_new += len(new)

    def _write_labels(
        self,
        new: list[tuple[UUID, _Comparison, int, Label]],
        seats: list[tuple[_Comparison, int, int, UUID]],
    ) -> None:
        copy(
            "annotate_judgment",
            "id, annotator_id, comparison_id, verdict, strength, tie_kind, broken, rationale, evidence",
            (
                (
                    judgment,
                    annotator,
                    comparison.id,
                    label.verdict,
                    label.strength,
                    label.tie_kind,
                    label.broken,
                    label.rationale,
                    json.dumps(label.evidence) if label.evidence else "{}",
                )
                for judgment, comparison, annotator, label in new
            ),
            {
                "late": False,
                "authored": False,
                "data_import_id": self._import_id,
                "created_at": self._now,
            },
        )
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL evenhand.review_later = 'on'")
            copy(
                "annotate_seat",
                "comparison_id, n, k, annotator_id, head_id",
                (
                    (comparison.id, n, comparison.k, annotator, judgment)
                    for comparison, n, annotator, judgment in seats
                ),
            )
            cursor.execute("SET LOCAL evenhand.review_later = 'off'")
            cursor.execute("SELECT evenhand_review(%s)", [list({seat[0].id for seat in seats})])

    def _known(self, answers: dict[int, KnownAnswer]) -> None:
        """Known answers by comparison: where none is known yet, seen once the import is.

        An annotator may have written the same criterion meanwhile: what is not objective gets none.
        """
        if not answers:
            return
        rows = list(answers.items())
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO annotate_gold (project_id, comparison_id, verdict, note, kind, data_import_id, made_by_id,
                                           created_at)
                SELECT %s, new.id, new.verdict, new.note, new.kind, %s, (SELECT j.by_id FROM annotate_dataimport i
                                                                         JOIN annotate_job j ON j.id = i.job_id
                                                                         WHERE i.id = %s), %s
                FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS new (id, verdict, note, kind)
                JOIN annotate_comparison c ON c.id = new.id JOIN annotate_criterion t ON t.id = c.criterion_id
                WHERE t.objective OR new.kind = 'attention'
                ON CONFLICT (comparison_id) DO NOTHING
                """,
                [
                    self._project.pk,
                    self._import_id,
                    self._import_id,
                    self._now,
                    [comparison for comparison, _ in rows],
                    [known.verdict for _, known in rows],
                    [known.note for _, known in rows],
                    [known.kind for _, known in rows],
                ],
            )

    def _new_labels(
        self, labels: list[tuple[UUID, _Comparison, int, Label]]
    ) -> list[tuple[UUID, _Comparison, int, Label]]:
        """Those that are not stored yet, one for each annotator and comparison."""
        if not labels:
            return []
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT j.comparison_id, j.annotator_id FROM annotate_judgment j
                WHERE j.comparison_id = ANY (%s) AND j.claim_id IS NULL
                """,
                [list({comparison.id for _, comparison, _, _ in labels})],
            )
            taken = set(cursor.fetchall())
        new = []
        for label in labels:
            _, comparison, annotator, _ = label
            if (comparison.id, annotator) not in taken:
                taken.add((comparison.id, annotator))
                new.append(label)
        return new

    def _raise(self, ks: dict[int, int]) -> None:
        if ks:
            with connection.cursor() as cursor:
                cursor.execute(
                    """
                    UPDATE annotate_comparison c SET k = new.k
                    FROM unnest(%s::bigint[], %s::int[]) AS new (id, k) WHERE c.id = new.id
                    """,
                    [list(ks), list(ks.values())],
                )

    def _annotators(self, names: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Ids of annotators by (source, name in the file), made under their pseudonyms if they are new."""
        if not names:
            return {}
        key = self._project.pseudonym_key
        pseudonyms = {(source, name): digests.pseudonym(key, source, name) for source, name in names}
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO annotate_annotator (project_id, pseudonym, judged_pairs, created_at)
                SELECT %s, pseudonym, 0, %s FROM unnest(%s::text[]) AS new (pseudonym)
                WHERE NOT EXISTS (SELECT FROM annotate_annotator a
                                  WHERE a.project_id = %s AND a.pseudonym = new.pseudonym)
                """,
                [self._project.pk, self._now, sorted(set(pseudonyms.values())), self._project.pk],
            )
            cursor.execute(
                "SELECT pseudonym, id FROM annotate_annotator WHERE project_id = %s AND pseudonym = ANY (%s)",
                [self._project.pk, list(pseudonyms.values())],
            )
            ids = dict(cursor.fetchall())
        return {name: ids[pseudonym] for name, pseudonym in pseudonyms.items()}


def _ids(table: str, count: int) -> list[int]:
    """So many fresh ids of a table."""
    if not count:
        return []
    with connection.cursor() as cursor:
        # As one text: a row an id would cost more than the rest of it.
        cursor.execute(
            "SELECT string_agg(nextval(s.name)::text, ',')"
            " FROM (SELECT pg_get_serial_sequence(%s, 'id')::regclass OFFSET 0) s (name), generate_series(1, %s)",
            [table, count],
        )
        return [int(one) for one in cursor.fetchone()[0].split(",")]
