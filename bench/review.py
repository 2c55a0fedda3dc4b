"""How long the queue of conflicts takes: 100,000 comparisons of 20 criteria, three verdicts on each, a score for each.

Measured are the pages of the queue (first, deep, filtered, empty), what keeping its rows adds to a judgment and to an
import, and looking at all comparisons anew. Prints JSON.
"""

import argparse
import json
import time
from typing import Any

from admin import _took
from dashboard import THEN
from pairs import fill
from place import own_servers

SCORES = """
SET LOCAL evenhand.review_later = 'off';
SELECT count(evenhand_review(ids)) FROM (
    SELECT array_agg(DISTINCT comparison_id) AS ids FROM annotate_seat GROUP BY comparison_id / 1000) parts;
INSERT INTO annotate_revision (project_id, number, backend, state, problem, artefact, artefact_sha256, artefact_size,
                               read_at, newest_judgment, judgments, comparisons, held_out, seconds, scored_at, kept,
                               created_at)
VALUES (%(project)s, 1, 'builtin', 'ready', '', 'none', '\\x00', 1, now(), gen_random_uuid(), 1, 1, 0, 1, now(), true,
        now());
INSERT INTO annotate_score (revision_id, comparison_id, margin, p_tie, variance, bald)
SELECT r.id, c.id, (hashint8(c.id) %% 600) / 100.0, 0.1, 0.5, 0
FROM annotate_revision r, annotate_comparison c JOIN annotate_pair p ON p.id = c.pair_id
WHERE r.project_id = %(project)s AND p.project_id = %(project)s;
"""
ROUND = 5_000  # seats that are filled anew, with what keeps the rows and without


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--comparisons", type=int, default=100_000)
    options = parser.parse_args()
    with own_servers():
        fill(
            "measured",
            options.comparisons,
            kept=True,
            then="SET LOCAL evenhand.review_later = 'on';" + THEN + SCORES,
        )
        print(json.dumps({"bench": "review", **measure()}, indent=2))


def measure() -> dict[str, Any]:
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.urls import reverse

    from annotate import review
    from annotate.actions.review import refresh_items
    from annotate.models import Criterion, Project, ReviewItem, User

    call_command("collectstatic", interactive=False, verbosity=0)
    project = Project.objects.get(slug="measured")
    began = time.monotonic()
    for _ in refresh_items(project):
        pass
    refreshed = time.monotonic() - began
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    client = Client(headers={"Host": "localhost"})
    client.force_login(
        User.objects.create(username="root", is_superuser=True, is_staff=True),
        backend="webapp.sessions.Accounts",
    )
    url, wanted = reverse("review", args=["measured"]), review.Wanted()
    conflicts = ReviewItem.objects.filter(strength__gt=0).order_by("-strength", "comparison")
    middle, last = (conflicts[n] for n in (conflicts.count() // 2, conflicts.count() - 2))
    rare = Criterion.objects.order_by("pk")[0].pk
    pages = {
        "first": "",
        "middle": f"after={middle.strength!r}:{middle.comparison_id}",
        "back from the middle": f"before={middle.strength!r}:{middle.comparison_id}",
        "last": f"after={last.strength!r}:{last.comparison_id}",
        "of one criterion": f"criterion={rare}",
        "the model alone": "kind=model",
        "of a task type that there is none of": "task_type=text_to_3D",
        "settled": "state=settled",
    }
    assert review.after(project, wanted, None, 1)
    return {
        "comparisons": ReviewItem.objects.count(),
        "conflicts": conflicts.count(),
        "pages_ms": {name: _took(client, f"{url}?{query}") for name, query in pages.items()},
        "refresh_all_s": round(refreshed, 1),
        "a_seat_ms": _seats(),
    }


def _seats() -> dict[str, float]:
    """Milliseconds that one more seat takes when a row of it is kept, and when none is."""
    from django.db import connection, transaction

    told = {}
    for name, role in (("kept", "origin"), ("not kept", "replica")):  # a replica runs no trigger
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMP TABLE chosen_seats ON COMMIT DROP AS SELECT * FROM annotate_seat ORDER BY comparison_id LIMIT %s",
                [ROUND],
            )
            cursor.execute(
                "SET LOCAL session_replication_role = replica;"
                "DELETE FROM annotate_seat s USING chosen_seats o WHERE o.comparison_id = s.comparison_id AND o.n = s.n;"
                f"SET LOCAL session_replication_role = {role}"
            )
            began = time.monotonic()
            cursor.execute("INSERT INTO annotate_seat SELECT * FROM chosen_seats")
            told[name] = round(1000 * (time.monotonic() - began) / ROUND, 4)
            transaction.set_rollback(True)
    return told


if __name__ == "__main__":
    main()
