"""The end of an import: everything of it becomes visible in one transaction, or everything of it goes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from annotate import audit, media
from annotate.actions.jobs import Refused
from annotate.actions.queue import READY_PER_ANNOTATOR, close_full_draws, fill_queue, open_pairs, settle_seats
from annotate.database_session import give_back
from annotate.derivatives import ALL_PREPARED, prepare_media, settle_alone
from annotate.models import Asset, DataImport, Route
from annotate.tallies import EXCLUDED

_LOCK_SPACE = 0x455649  # "EVI"
_PAIRS_AT_ONCE = 1000


@contextmanager
def only_import_of(project_id: int) -> Iterator[None]:
    """Hold the project's place for one import at a time.

    Raises:
        Refused: another one is at work.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_SPACE, project_id])
        if not cursor.fetchone()[0]:
            raise Refused("Another import of this project is at work: wait for its end, then retry.")
    try:
        yield
    finally:
        give_back("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_SPACE, project_id])


def renew_plans() -> None:
    """Tell PostgreSQL how large the tables are now: plans that connections keep were made for those of before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ANALYZE annotate_prompt, annotate_response, annotate_asset, annotate_pair, annotate_comparison,"
            " annotate_draw, annotate_judgment, annotate_seat"
        )


@transaction.atomic
def publish(data_import: DataImport, *, send_follow_up: bool = True) -> None:
    """Make the import visible, count its pairs, and bring into the queue what has free seats.

    What its media still need is a job of its own; without `send_follow_up` the caller runs that.

    Locks in the order of the queue: annotators, the streams, then pairs, then the draw lock.
    """
    project = data_import.project
    names = {"import": data_import.pk, "project": project.pk}
    settle_alone(project.pk)
    with connection.cursor() as cursor:
        if data_import.judgments_new:
            cursor.execute(
                """
                UPDATE annotate_annotator a SET judged_pairs = judged.n
                FROM (SELECT j.annotator_id, count(DISTINCT c.pair_id) AS n
                      FROM annotate_judgment j JOIN annotate_comparison c ON c.id = j.comparison_id
                      WHERE j.annotator_id IN (SELECT DISTINCT annotator_id FROM annotate_judgment
                                               WHERE data_import_id = %(import)s)
                      GROUP BY j.annotator_id) judged
                WHERE a.id = judged.annotator_id
                """,
                names,
            )
            # Whoever excludes one of these annotators has done so by now, or waits for the end of this transaction.
            cursor.execute(
                f"""
                DELETE FROM annotate_seat s USING annotate_judgment j
                WHERE j.id = s.head_id AND j.data_import_id = %(import)s AND {EXCLUDED}
                """,
                names,
            )
        cursor.execute(
            f"""
            UPDATE annotate_pair p SET ready = true
            WHERE p.data_import_id = %(import)s AND NOT p.ready AND {ALL_PREPARED}
            """,
            names,
        )
        cursor.execute("UPDATE annotate_dataimport SET visible = true WHERE id = %(import)s", names)
        if data_import.judgments_new:
            if project.k_more:
                _ask_more_of_new(data_import)
            # What the import itself has labelled fully waits for nobody.
            cursor.execute(
                """
                UPDATE annotate_pair p SET queued = true
                FROM (SELECT c.pair_id
                      FROM annotate_comparison c JOIN annotate_pair o ON o.id = c.pair_id
                      LEFT JOIN LATERAL (SELECT count(*) AS n FROM annotate_seat s
                                         WHERE s.comparison_id = c.id) taken ON true
                      WHERE o.data_import_id = %(import)s
                      GROUP BY c.pair_id HAVING bool_and(taken.n >= c.k)) done
                WHERE p.id = done.pair_id
                """,
                names,
            )
        cursor.execute(
            """
            INSERT INTO annotate_stream AS s (project_id, partition, total, queued)
            SELECT %(project)s, partition, count(*) FILTER (WHERE ready), count(*) FILTER (WHERE ready AND queued)
            FROM annotate_pair WHERE data_import_id = %(import)s GROUP BY partition ORDER BY partition
            ON CONFLICT (project_id, partition)
            DO UPDATE SET total = s.total + EXCLUDED.total, queued = s.queued + EXCLUDED.queued
            """,
            names,
        )
        cursor.execute(
            """
            SELECT p.id, p.queued FROM annotate_pair p
            WHERE (p.data_import_id IS DISTINCT FROM %(import)s) AND p.id IN (
                SELECT pair_id FROM annotate_comparison WHERE data_import_id = %(import)s
                UNION SELECT c.pair_id FROM annotate_gold g JOIN annotate_comparison c ON c.id = g.comparison_id
                      WHERE g.data_import_id = %(import)s
                UNION SELECT c.pair_id FROM annotate_judgment j JOIN annotate_comparison c
                      ON c.id = j.comparison_id WHERE j.data_import_id = %(import)s)
            ORDER BY p.id FOR NO KEY UPDATE OF p
            """,
            names,
        )
        older = cursor.fetchall()
        # An older comparison wants no fewer labels than one import brings for it.
        cursor.execute(
            """
            UPDATE annotate_comparison c SET k = LEAST(brought.n, 9)
            FROM (SELECT comparison_id, count(*) AS n FROM annotate_judgment
                  WHERE data_import_id = %(import)s GROUP BY comparison_id) brought
            WHERE c.id = brought.comparison_id AND c.k < brought.n
              AND c.data_import_id IS DISTINCT FROM %(import)s
            """,
            names,
        )
    _serve_older(project.pk, older)
    data_import.visible = True
    audit.record(
        data_import.job.by,
        "import pairs",
        data_import,
        project,
        files=[file["name"] for file in data_import.spec["files"]],
        pairs_new=data_import.pairs_new,
        judgments_new=data_import.judgments_new,
        rows_refused=data_import.rows_refused,
    )
    if data_import.pairs_new:
        # For whoever is here already; the rest follow as they are needed, chosen by then by what was learned.
        fill_queue(project.pk, READY_PER_ANNOTATOR)
    if Asset.objects.filter(data_import=data_import, prepared=False).exists():
        prepare_media(project, by=data_import.job.by, send_it=send_follow_up)


def _ask_more_of_new(data_import: DataImport) -> None:
    """More labels where those that the import brings for its own pairs are split."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT c.pair_id FROM annotate_judgment j JOIN annotate_comparison c ON c.id = j.comparison_id
            JOIN annotate_pair p ON p.id = c.pair_id
            WHERE j.data_import_id = %(import)s AND p.data_import_id = %(import)s
            """,
            {"import": data_import.pk},
        )
        pair_ids = [row[0] for row in cursor.fetchall()]
    for start in range(0, len(pair_ids), _PAIRS_AT_ONCE):
        settle_seats(pair_ids[start : start + _PAIRS_AT_ONCE])


def _serve_older(project_id: int, older: list[tuple[int, bool]]) -> None:
    """Seat the labels that were brought for pairs which people see already, and ask for what is open again."""
    for start in range(0, len(older), _PAIRS_AT_ONCE):
        some = older[start : start + _PAIRS_AT_ONCE]
        queued = [pair_id for pair_id, drawn in some if drawn]
        if queued:
            open_pairs(project_id, queued, Route.REOPENED)
            close_full_draws(queued)
        undrawn = [pair_id for pair_id, drawn in some if not drawn]
        if undrawn:
            settle_seats(undrawn)
            _mark_full(project_id, undrawn)


def _mark_full(project_id: int, pair_ids: list[int]) -> None:
    """Undrawn pairs that are now full need no draw."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH done AS (
                UPDATE annotate_pair p SET queued = true
                WHERE p.id = ANY (%s) AND EXISTS (SELECT FROM annotate_comparison c WHERE c.pair_id = p.id)
                  AND NOT EXISTS (
                    SELECT FROM annotate_comparison c WHERE c.pair_id = p.id
                    AND (SELECT count(*) FROM annotate_seat s WHERE s.comparison_id = c.id) < c.k)
                RETURNING partition, ready
            )
            UPDATE annotate_stream s SET queued = s.queued + done.n
            FROM (SELECT partition, count(*) AS n FROM done WHERE ready GROUP BY partition) done
            WHERE s.project_id = %s AND s.partition = done.partition
            """,
            [pair_ids, project_id],
        )


_DISCARD = """
DELETE FROM annotate_seat WHERE head_id IN (SELECT id FROM annotate_judgment WHERE data_import_id = %(import)s);
DELETE FROM annotate_judgment WHERE data_import_id = %(import)s;
DELETE FROM annotate_gold WHERE data_import_id = %(import)s;
DELETE FROM annotate_comparison WHERE data_import_id = %(import)s;
WITH gone AS (DELETE FROM annotate_pair WHERE data_import_id = %(import)s RETURNING response1_id, response2_id)
DELETE FROM annotate_response WHERE id IN (SELECT response1_id FROM gone UNION ALL SELECT response2_id FROM gone);
DELETE FROM annotate_promptasset USING annotate_prompt p WHERE p.id = prompt_id AND p.data_import_id = %(import)s;
DELETE FROM annotate_prompt WHERE data_import_id = %(import)s;
-- An annotator may have written the same criterion meanwhile, and was given this row.
UPDATE annotate_criterion c SET data_import_id = NULL WHERE data_import_id = %(import)s
    AND (EXISTS (SELECT FROM annotate_comparison o WHERE o.criterion_id = c.id)
         OR EXISTS (SELECT FROM annotate_criterion o WHERE o.canonical_id = c.id));
DELETE FROM annotate_criterion WHERE data_import_id = %(import)s;
DELETE FROM annotate_annotator a WHERE a.project_id = %(project)s AND a.user_id IS NULL
    AND a.pseudonym LIKE 'imported-%%' AND NOT EXISTS (SELECT FROM annotate_judgment j WHERE j.annotator_id = a.id)
    AND NOT EXISTS (SELECT FROM annotate_claim l WHERE l.annotator_id = a.id)
    AND NOT EXISTS (SELECT FROM annotate_criterion c WHERE c.author_id = a.id)
    AND NOT EXISTS (SELECT FROM annotate_comparison c WHERE c.author_id = a.id);
"""


def discard(data_import: DataImport) -> None:
    """Remove everything that an import which never became visible has written. Its own row and report stay."""
    names = {"import": data_import.pk, "project": data_import.project_id}
    with transaction.atomic(), connection.cursor() as cursor:
        locked = DataImport.objects.select_for_update(no_key=True).get(pk=data_import.pk)
        if locked.visible:
            return
        cursor.execute("SET LOCAL evenhand.erase = 'on'")
        for statement in _DISCARD.split(";\n"):
            if statement.strip():
                cursor.execute(statement, names)
        cursor.execute(
            "SELECT key FROM annotate_asset WHERE data_import_id = %(import)s UNION ALL SELECT d.key"
            " FROM annotate_derivative d JOIN annotate_asset a ON a.id = d.asset_id"
            " WHERE a.data_import_id = %(import)s",
            names,
        )
        folders = {os.path.dirname(row[0]) for row in cursor.fetchall()} | set(storage_folders(locked))
        cursor.execute(
            "DELETE FROM annotate_derivative d USING annotate_asset a"
            " WHERE a.id = d.asset_id AND a.data_import_id = %(import)s",
            names,
        )
        cursor.execute("DELETE FROM annotate_asset WHERE data_import_id = %(import)s", names)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL evenhand.erase = 'off'")
        locked.position = {"folders": sorted(folders)} if folders else {}
        locked.pairs_new = locked.pairs_same = locked.judgments_new = 0
        locked.save(update_fields=["position", "pairs_new", "pairs_same", "judgments_new"])
    data_import.refresh_from_db()
    remove_folders(data_import)


def storage_folders(data_import: DataImport) -> list[str]:
    """Folders of files without rows: of a batch that was being written, or of what was discarded."""
    position = data_import.position
    return [*position.get("folders", ()), *([position["folder"]] if "folder" in position else ())]


def remove_folders(data_import: DataImport) -> None:
    """Remove those folders. They stay on the import's row until they are gone, so that a kill loses none."""
    folders = storage_folders(data_import)
    for folder in folders:
        media.remove_folder(folder)
    if folders:
        kept = {key: value for key, value in data_import.position.items() if key not in ("folder", "folders")}
        data_import.position = kept
        data_import.save(update_fields=["position"])
