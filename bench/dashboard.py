"""How long the statistics of a project take: a million judgments of 200 annotators, three on each comparison.

Twenty criteria, seven models, half of the annotators' verdicts with strength, the sides known. Measured are the job that
computes them (in this process, PostgreSQL apart) and the pages that show them, with how many statements each makes.
Prints JSON.
"""

import argparse
import json
import resource
import time
from typing import Any

from pairs import fill
from place import own_servers

# Twenty criteria in turn, each pair drawn, and three claims on it with their judgments, spread over sixty days.
THEN = """
INSERT INTO annotate_criterion (project_id, text, text_key, created_at)
SELECT %(project)s, 'Criterion ' || i, i::text::bytea, now() FROM generate_series(1, 19) i;
WITH c AS MATERIALIZED (
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM annotate_criterion WHERE project_id = %(project)s)
UPDATE annotate_comparison o SET criterion_id = c.id
FROM annotate_pair p, c WHERE p.id = o.pair_id AND p.project_id = %(project)s AND c.n = p.id %% 20;
INSERT INTO annotate_annotator (project_id, pseudonym, judged_pairs, created_at)
SELECT %(project)s, 'annotator-' || i, 0, now() FROM generate_series(1, 200) i;
INSERT INTO annotate_draw (project_id, route, epoch, pos, pair_id, q, pool_size, open, created_at)
SELECT %(project)s, 'uniform', 1, row_number() OVER (ORDER BY id), id, 0.5, 2, false, now()
FROM annotate_pair WHERE project_id = %(project)s;
CREATE TEMP TABLE said ON COMMIT DROP AS
SELECT gen_random_uuid() AS claim, gen_random_uuid() AS id, d.id AS draw, c.pair_id, c.id AS comparison, n,
       (SELECT min(id) FROM annotate_annotator WHERE project_id = %(project)s) + (c.id * 7 + n * 31) %% 200 AS annotator,
       hashint8(c.id * 10 + n) %% 2 = 0 AS flip, abs(hashint8(c.id)) %% 10 AS truth,
       abs(hashint8(c.id * 4 + n)) %% 10 AS luck, now() - (c.id %% 60) * interval '1 day' AS at
FROM annotate_draw d JOIN annotate_comparison c ON c.pair_id = d.pair_id, generate_series(1, 3) n
WHERE d.project_id = %(project)s;
INSERT INTO annotate_claim (id, draw_id, pair_id, annotator_id, comparison_ids, flip, created_at, expires_at, closed_at,
                            outcome, skip_reason, note)
SELECT claim, draw, pair_id, annotator, ARRAY[comparison], flip, at, at, at, 'submitted', '', '' FROM said;
INSERT INTO annotate_judgment (id, claim_id, annotator_id, comparison_id, verdict, strength, tie_kind, broken, rationale,
                               evidence, late, authored, seconds, created_at)
SELECT id, claim, annotator, comparison, v.verdict, CASE WHEN v.verdict = 'tie' THEN NULL ELSE 1 + luck %% 3 END,
       '', '', '', '{}', false, false, 20 + luck, at
FROM said, LATERAL (SELECT CASE WHEN luck = 0 THEN 'tie' WHEN (truth < 6) = (luck < 8) THEN 'response1'
                           ELSE 'response2' END AS verdict) v;
INSERT INTO annotate_seat (comparison_id, n, k, annotator_id, claim_id, head_id)
SELECT comparison, n, 3, annotator, claim, id FROM said;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judgments", type=int, default=1_000_000)
    options = parser.parse_args()
    with own_servers():
        fill("measured", -(-options.judgments // 3), kept=True, then=THEN)
        print(json.dumps({"bench": "dashboard", **measure()}, indent=2))


def measure() -> dict[str, Any]:
    """The job, then what the pages of it take."""
    from django.core.management import call_command
    from django.test import Client
    from django.urls import reverse

    from annotate.actions.jobs import run_job
    from annotate.actions.reports import start_report
    from annotate.models import Project, Report, User

    project = Project.objects.get(slug="measured")
    job = start_report(by=None, project=project, send_it=False)
    steps: list[tuple[str, float]] = []
    began, computed = time.monotonic(), time.process_time()
    run_job(job.pk, by_hand=True, progress=lambda job: steps.append((job.step, time.monotonic() - began)))
    told: dict[str, Any] = {
        "verdicts": Report.objects.get().verdicts,
        "job": {
            "seconds": round(time.monotonic() - began, 2),
            "computed": round(time.process_time() - computed, 2),  # of that, not waiting for PostgreSQL
            "begins": {step: round(at, 2) for step, at in steps},
            "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        },
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    client = Client(HTTP_HOST="localhost")
    boss, _ = User.objects.get_or_create(username="boss", is_superuser=True)
    client.force_login(boss, backend="webapp.sessions.Accounts")
    for name, url in (
        ("page", reverse("dashboard", args=["measured"])),
        ("state", reverse("dashboard_state", args=["measured"])),
        ("annotators.csv", reverse("dashboard_table", args=["measured", "annotators"])),
    ):
        told[name] = asked(client, url)
    return told


def asked(client: Any, url: str) -> dict[str, Any]:
    """The median of five requests: seconds, statements, bytes."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    found = []
    for _ in range(5):
        began = time.monotonic()
        with CaptureQueriesContext(connection) as statements:
            response = client.get(url)
        assert response.status_code == 200, response.status_code
        found.append((round(time.monotonic() - began, 4), len(statements), len(response.content)))
    seconds, count, size = sorted(found)[2]
    return {"seconds": seconds, "statements": count, "bytes": size}


if __name__ == "__main__":
    main()
