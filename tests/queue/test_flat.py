"""An annotator's loop costs the same however long the queue is and however far ahead one annotator is.

Measured in pages of the database that its very statements touch, which no busy machine can blur, and whatever the
planner's statistics say: they know nothing of a queue that was made a moment ago.
"""

import json
import re
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.db.backends.postgresql.base import ServerBindingCursor
from psycopg.types.json import Jsonb

from annotate.actions import queue
from annotate.actions.judging import Answer, submit
from annotate.models import Annotator, AnnotatorGroup, GroupMember, Need, Project, Reach
from annotate.queries import annotator_of, claim_work
from tests.factories import make_annotator, make_comparison, make_member, make_pair, make_project, make_user
from tests.queue.controls import an_id

SHORT, LONG = 1_000, 50_000
# A lookup takes three or four pages, a statement a dozen lookups. Whatever walks the queue takes hundreds at LONG.
MOST_PAGES = 90


# What PREPARE calls the types of our parameters.
TYPES = {
    UUID: "uuid",
    datetime: "timestamptz",
    bool: "boolean",
    int: "bigint",
    float: "float8",
    str: "text",
    Jsonb: "jsonb",
}


class Meter:
    """Runs each statement a second time under EXPLAIN, undone, and keeps what it read.

    One that is prepared is explained by the plan for all values, as it is run.
    """

    def __init__(self) -> None:
        self.pages: dict[str, int] = {}
        self.draws = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.split()[0] in ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE") and not many:
            # A cursor of the driver's own: Django's would come back here.
            with connection.connection.cursor() as cursor:
                explained, values = sql, params
                if isinstance(context["cursor"].cursor, ServerBindingCursor):
                    explained, values = _prepare(cursor, sql, params)
                cursor.execute("SAVEPOINT meter")
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {explained}", values)
                self._read(sql, cursor.fetchone()[0])
                cursor.execute("ROLLBACK TO SAVEPOINT meter")
                cursor.execute("DEALLOCATE ALL")
        return execute(sql, params, many, context)

    def _read(self, sql: str, told: Any) -> None:
        [explained] = json.loads(told) if isinstance(told, str) else told
        plan = explained["Plan"]
        pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        self.pages[sql] = max(pages, self.pages.get(sql, 0))
        for node in _nodes(plan):
            if node.get("Relation Name") == "annotate_draw" and node["Node Type"] != "ModifyTable":
                read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                self.draws = max(self.draws, int(read * node["Actual Loops"]))


def _prepare(cursor: Any, sql: str, params: Any) -> tuple[str, list[Any]]:
    """Prepare a statement under the name "meter". Returns what executes it."""
    values: list[Any] = []

    def numbered(match: re.Match[str]) -> str:
        values.append(params[match[1] or len(values)])
        return f"${len(values)}::{_type(values[-1])}"

    statement = re.sub(r"%(?:[(](\w+)[)])?s", numbered, sql)
    cursor.execute(f"PREPARE meter AS {statement}")
    return f"EXECUTE meter ({', '.join(['%s'] * len(values))})", values


def _type(value: Any) -> str:
    if isinstance(value, list):
        return f"{_type(value[0] if value else 0)}[]"
    return "float8" if value is None else TYPES[type(value)]


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", []) for node in _nodes(part))]


def make_queue(pairs: int) -> Project:
    """A project whose queue holds each of its pairs once: one comparison each, k = 3."""
    limits = {"most_share": 0.9999, "most_a_day": 10**9}  # asked on the way, and never reached
    project = make_project(reserve_share=0, validation_share=0, **limits)
    sample = make_pair(project)
    criterion = make_comparison(sample).criterion
    names = {
        "project": project.pk,
        "sample": sample.pk,
        "criterion": criterion.pk,
        "more": pairs - 1,
    }
    _run(
        """
        INSERT INTO annotate_pair (project_id, source, external_id, digest, task_type, prompt_id, response1_id,
                                   response2_id, sensitive, metadata, need_id, "group", partition, shuffle, queued,
                                   ready, created_at)
        SELECT project_id, source, 'more-' || n, digest, task_type, prompt_id, response1_id, response2_id,
               sensitive, metadata, need_id, "group", partition, n, true, true, now()
        FROM annotate_pair, generate_series(1, %(more)s) n WHERE id = %(sample)s
        """,
        """
        INSERT INTO annotate_comparison (pair_id, criterion_id, k, created_at)
        SELECT id, %(criterion)s, 3, now() FROM annotate_pair WHERE project_id = %(project)s AND id <> %(sample)s
        """,
        "UPDATE annotate_pair SET queued = true WHERE id = %(sample)s",
        "UPDATE annotate_stream SET total = %(more)s + 1, queued = %(more)s + 1 WHERE project_id = %(project)s",
        """
        INSERT INTO annotate_draw (project_id, route, epoch, pos, pair_id, need_id, open, created_at)
        SELECT project_id, 'reserve', 1, row_number() OVER (ORDER BY id), id, need_id, true, now()
        FROM annotate_pair WHERE project_id = %(project)s ORDER BY id
        """,
        **names,
    )
    return project


def judge_first(annotator: Annotator, pairs: int, seat: int) -> None:
    """Let the annotator have judged the first pairs of the queue, on the given seat of each."""
    _run(
        """
        INSERT INTO annotate_claim (id, draw_id, pair_id, annotator_id, comparison_ids, flip, created_at, expires_at,
                                    closed_at, outcome, skip_reason, note)
        SELECT gen_random_uuid(), d.id, d.pair_id, %(annotator)s, ARRAY[c.id], false, now(), now(), now(),
               'submitted', '', ''
        FROM annotate_draw d JOIN annotate_comparison c ON c.pair_id = d.pair_id
        WHERE d.project_id = %(project)s ORDER BY d.id LIMIT %(pairs)s
        """,
        """
        INSERT INTO annotate_judgment (id, claim_id, annotator_id, comparison_id, verdict, tie_kind, broken, rationale,
                                       evidence, late, authored, created_at)
        SELECT gen_random_uuid(), id, annotator_id, comparison_ids[1], 'response1', '', '', '', '{}', false, false, now()
        FROM annotate_claim WHERE annotator_id = %(annotator)s
        """,
        """
        INSERT INTO annotate_seat (comparison_id, n, k, annotator_id, claim_id, head_id)
        SELECT comparison_id, %(seat)s, 3, annotator_id, claim_id, id
        FROM annotate_judgment WHERE annotator_id = %(annotator)s
        """,
        """
        UPDATE annotate_annotator SET judged_pairs = %(pairs)s, seen_at = now() WHERE id = %(annotator)s
        """,
        """
        INSERT INTO annotate_reach (annotator_id, need_id, cursor)
        SELECT %(annotator)s, d.need_id, max(d.id) FROM annotate_claim l JOIN annotate_draw d ON d.id = l.draw_id
        WHERE l.annotator_id = %(annotator)s GROUP BY d.need_id
        """,
        """
        UPDATE annotate_draw d SET open = false WHERE d.project_id = %(project)s AND d.open AND NOT EXISTS (
            SELECT FROM annotate_comparison c WHERE c.pair_id = d.pair_id
            AND c.k > (SELECT count(*) FROM annotate_seat s WHERE s.comparison_id = c.id))
        """,
        annotator=annotator.pk,
        project=annotator.project_id,
        pairs=pairs,
        seat=seat,
    )


def _run(*statements: str, **names: int) -> None:
    with connection.cursor() as cursor:
        # Looking up millions of foreign keys would take most of the test's time.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET statement_timeout = 0")
        for statement in statements:
            cursor.execute(statement, names)
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("RESET statement_timeout")


def vacuum() -> None:
    """What autovacuum does within a minute: statistics, and no entries of closed draws in the index."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def loop(annotator: Annotator, claim_id: UUID | None = None) -> tuple[int | None, Meter]:
    """The place in the queue of the pair that the annotator is served, and what it took to claim and judge it.

    All of it is undone.
    """
    meter, place = Meter(), None
    annotator.refresh_from_db()
    user = annotator.user
    assert user
    with transaction.atomic(), connection.execute_wrapper(meter):
        if claim := queue.claim_next(annotator=annotator, claim_id=claim_id or uuid4()):
            place = claim.draw.pos if claim.draw else 0
            assert annotator_of(user, claim.pk) == annotator and claim_work([claim])
            queue.heartbeat(annotator=annotator, claim_id=claim.pk)
            answers = [
                Answer(id=uuid4(), comparison=i, verdict="a", strength=2) for i in claim.comparison_ids
            ]
            submit(annotator=annotator, claim_id=claim.pk, answers=answers)
        transaction.set_rollback(True)
    return place, meter


def ask_for(project: Project, expertise: str, one_in: int) -> Need:
    """Let one in so many pairs of the queue ask for an expertise."""
    need = Need.objects.create(project=project, task_type=project.task_type, expertise=[expertise])
    _run(
        "UPDATE annotate_pair SET need_id = %(need)s WHERE project_id = %(project)s AND shuffle %% %(one_in)s = 0",
        """
        UPDATE annotate_draw d SET need_id = p.need_id FROM annotate_pair p
        WHERE p.id = d.pair_id AND p.project_id = %(project)s AND p.need_id = %(need)s
        """,
        project=project.pk,
        need=need.pk,
        one_in=one_in,
    )
    return need


def with_expertise(project: Project, expertise: str) -> Annotator:
    annotator = make_annotator(project, make_member(project, user=make_user(password=None)))
    group = AnnotatorGroup.objects.create(project=project, kind="expertise", name=expertise)
    GroupMember.objects.create(group=group, annotator=annotator)
    return annotator


def play_pools(pairs: int) -> dict[str, Meter]:
    """What a loop costs where one pair in a hundred asks for law: of who knows law and of who does not.

    A has judged all that asks for nothing. Then most of it is asked once more, of others.
    """
    project = make_queue(pairs)
    plain = Need.objects.get(project=project)
    law = ask_for(project, "law", 100)
    a, b = with_expertise(project, "law"), make_annotator(project, make_member(project))
    costs = {}
    for now in ("by the statistics of before", "by the statistics of now"):
        # Nobody but the expert sees these; who is no expert does not walk past them one by one.
        served, costs[f"no expert, {now}"] = loop(b)
        assert served == 1
        vacuum()
    judge_first(a, pairs, seat=1)
    _run(
        """
        DELETE FROM annotate_seat s USING annotate_comparison c, annotate_pair p
        WHERE c.id = s.comparison_id AND p.id = c.pair_id AND p.need_id = %(law)s
        """,
        "UPDATE annotate_reach SET cursor = 0 WHERE annotator_id = %(a)s",
        "UPDATE annotate_annotator SET judged_pairs = 0 WHERE id = %(a)s",
        """
        DELETE FROM annotate_judgment j USING annotate_comparison c, annotate_pair p
        WHERE c.id = j.comparison_id AND p.id = c.pair_id AND p.need_id = %(law)s
        """,
        "DELETE FROM annotate_claim l USING annotate_pair p WHERE p.id = l.pair_id AND p.need_id = %(law)s",
        a=a.pk,
        law=law.pk,
    )
    vacuum()
    # All that asks for nothing stands before them in the queue, and none of it is theirs: walked once, then never again.
    first, _ = loop(a)
    assert queue.claim_next(annotator=a, claim_id=uuid4()) is not None
    served, costs["an expert, between what they have judged"] = loop(a)
    assert first is not None and served is not None and served > first
    assert Reach.objects.get(annotator=a, need=plain).cursor > Reach.objects.get(annotator=a, need=law).cursor
    return costs


@pytest.mark.django_db(transaction=True)
def test_a_loop_is_flat_whatever_part_of_the_pairs_one_may_judge() -> None:
    short, long = play_pools(SHORT), play_pools(LONG)
    for who, meter in long.items():
        assert meter.draws <= 6, who  # a few in each line
        for sql, pages in meter.pages.items():
            assert pages <= MOST_PAGES + 30, (who, sql, pages)
        # Fifty times as many pairs: an index is a level deeper, and statistics are those of the moment.
        assert sum(meter.pages.values()) <= 2 * sum(short[who].pages.values()), who


def play(pairs: int) -> dict[str, Meter]:
    """What a loop costs, by who makes it and when.

    A judges all pairs but ten, and B and C begin. Then these have judged all but a fiftieth, and D joins. At last
    A has judged all that there is, and most of it is asked once more, of others.
    """
    project = make_queue(pairs)
    a, b, c, d = (
        make_annotator(project, make_member(project, user=make_user(password=None))) for _ in range(4)
    )
    costs = {}
    judge_first(a, pairs - 10, seat=1)
    for now in ("by the statistics of before", "by the statistics of now"):
        for name, who, place in (("A, far ahead", a, pairs - 9), ("B, behind", b, 1), ("C, behind", c, 1)):
            served, costs[f"{name}, {now}"] = loop(who)
            assert served == place
        vacuum()

    filled = pairs - pairs // 50
    judge_first(b, filled, seat=2)
    judge_first(c, filled, seat=3)
    vacuum()
    served, costs["D, who joins late"] = loop(d)
    assert served == filled + 1

    _run(
        """
        INSERT INTO annotate_draw (project_id, route, epoch, pos, pair_id, need_id, open, created_at)
        SELECT project_id, 'reopened', 2, pos, pair_id, need_id, true, now()
        FROM annotate_draw WHERE project_id = %(project)s AND pos <= %(filled)s ORDER BY id
        """,
        """
        UPDATE annotate_draw SET open = false
        WHERE project_id = %(project)s AND epoch = 1 AND pos > %(pairs)s - 10
        """,
        """
        UPDATE annotate_comparison c SET k = 4 FROM annotate_pair p
        WHERE p.id = c.pair_id AND p.project_id = %(project)s
        """,
        """
        UPDATE annotate_seat s SET k = 4 FROM annotate_comparison c JOIN annotate_pair p ON p.id = c.pair_id
        WHERE c.id = s.comparison_id AND p.project_id = %(project)s
        """,
        project=project.pk,
        filled=filled,
        pairs=pairs,
    )
    vacuum()
    assert queue.claim_next(annotator=a, claim_id=uuid4()) is None
    served, costs["A, for whom there is nothing"] = loop(a)
    assert served is None
    return costs


@pytest.mark.django_db(transaction=True)
def test_a_loop_is_flat_however_far_ahead_one_annotator_is() -> None:
    short, long = play(SHORT), play(LONG)
    for who, meter in long.items():
        assert meter.draws <= 3, who
        for sql, pages in meter.pages.items():
            assert pages <= MOST_PAGES, (who, sql, pages)
        # Trees of fifty times as many rows are a level deeper.
        # Fifty times as many pairs: an index is a level deeper, and statistics are those of the moment.
        assert sum(meter.pages.values()) <= 2 * sum(short[who].pages.values()), who


def play_controls(pairs: int) -> dict[str, Meter]:
    """What it costs to be asked again, or what is known, for who has judged nearly all that there is, by the statistics of then and now."""
    project = make_queue(pairs)
    Project.objects.filter(pk=project.pk).update(repeat_share=0.25, repeat_after=20, gold_share=0.25)
    annotator = make_annotator(project, make_member(project, user=make_user(password=None)))
    judge_first(annotator, pairs - 10, seat=1)
    costs = {}
    for now in ("by the statistics of before", "by the statistics of now"):
        served, costs[f"a repeat, {now}"] = loop(annotator, an_id(annotator, lambda at: at < 0.1))
        assert served is not None and 0 < served <= pairs - 10, "it is a repeat"
        # Half of the known answers are of pairs that this annotator has seen.
        _run(
            """
            INSERT INTO annotate_gold (project_id, comparison_id, verdict, note, created_at)
            SELECT %(project)s, c.id, 'tie', '', now()
            FROM annotate_draw d JOIN annotate_comparison c ON c.pair_id = d.pair_id
            WHERE d.project_id = %(project)s AND d.pos > %(pairs)s - 16 AND d.pos <= %(pairs)s - 4
            ON CONFLICT DO NOTHING
            """,
            project=project.pk,
            pairs=pairs,
        )
        served, costs[f"a known answer, {now}"] = loop(
            annotator, an_id(annotator, lambda at: 0.3 < at < 0.45)
        )
        assert served == 0
        vacuum()
    return costs


@pytest.mark.django_db(transaction=True)
def test_being_asked_what_tells_of_oneself_is_flat() -> None:
    short, long = play_controls(SHORT), play_controls(LONG)
    for who, meter in long.items():
        for sql, pages in meter.pages.items():
            assert pages <= 2 * MOST_PAGES, (who, sql, pages)
        # Fifty times as many pairs: an index is a level deeper, and statistics are those of the moment.
        assert sum(meter.pages.values()) <= 2 * sum(short[who].pages.values()), who
