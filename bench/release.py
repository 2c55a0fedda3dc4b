"""How fast a release is made: 10,000 and 100,000 text comparisons of three judgments each, in a process of its own.

Prints JSON: seconds, judgments a second, and the most memory that the exporting process took. Half of the
pairs are benchmark, half are training data. The servers are this run's own.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from place import ROOT, own_servers

SIZES = (10_000, 100_000)

# One project of %(n)s pairs with texts of 600 characters, one criterion, and three judgments that count.
FILL = """
INSERT INTO annotate_dataimport (project_id, job_id, spec, position, visible, pairs_new, pairs_same, judgments_new,
                                 rows_refused, report, created_at)
SELECT %(project)s, %(job)s, '{}', '{}', true, 0, 0, 0, 0, '[]', now();
INSERT INTO annotate_annotator (project_id, pseudonym, cursor, judged_pairs, created_at)
SELECT %(project)s, 'annotator-' || i, 0, 0, now() FROM generate_series(1, 3) i;
INSERT INTO annotate_criterion (project_id, text, text_key, created_at)
VALUES (%(project)s, 'Which answer follows the instruction more closely?', '\\x00', now());
INSERT INTO annotate_prompt (project_id, digest, turns)
SELECT %(project)s, sha256(i::text::bytea),
       jsonb_build_array(jsonb_build_object('role', 'user', 'text', 'Question ' || i || repeat(md5(i::text), 6)))
FROM generate_series(1, %(n)s) i;
INSERT INTO annotate_response (project_id, text, model_name, metadata)
SELECT %(project)s, repeat(md5(i::text), 18), 'model-' || i %% 7, '{}' FROM generate_series(1, 2 * %(n)s) i;
WITH r AS MATERIALIZED (SELECT min(id) AS first FROM annotate_response WHERE project_id = %(project)s)
INSERT INTO annotate_pair (project_id, source, external_id, digest, task_type, prompt_id, response1_id, response2_id,
                           sensitive, metadata, "group", partition, shuffle, queued, created_at)
SELECT %(project)s, 'bench', i, '\\x00', 'text_to_text', p.id, r.first + 2 * (i - 1), r.first + 2 * i - 1,
       false, '{}', i, CASE i %% 2 WHEN 0 THEN 'train' ELSE 'reserve' END, i, true, now()
FROM (SELECT id, row_number() OVER (ORDER BY id) AS i FROM annotate_prompt WHERE project_id = %(project)s) p, r;
INSERT INTO annotate_comparison (pair_id, criterion_id, k, created_at)
SELECT p.id, c.id, 3, now() FROM annotate_pair p JOIN annotate_criterion c USING (project_id)
WHERE p.project_id = %(project)s;
INSERT INTO annotate_judgment (id, annotator_id, comparison_id, verdict, tie_kind, broken, rationale, evidence, late,
                               authored, data_import_id, created_at)
SELECT gen_random_uuid(), a.id, c.id, (ARRAY['response1', 'response1', 'response2', 'tie'])[1 + (c.id + a.id) %% 4],
       '', '', '', '{}', false, false, i.id, now()
FROM annotate_pair p JOIN annotate_comparison c ON c.pair_id = p.id
JOIN annotate_annotator a ON a.project_id = p.project_id JOIN annotate_dataimport i ON i.project_id = p.project_id
WHERE p.project_id = %(project)s;
INSERT INTO annotate_seat (comparison_id, n, k, annotator_id, head_id)
SELECT j.comparison_id, row_number() OVER (PARTITION BY j.comparison_id ORDER BY j.annotator_id), 3,
       j.annotator_id, j.id
FROM annotate_judgment j JOIN annotate_annotator a ON a.id = j.annotator_id WHERE a.project_id = %(project)s;
"""


def fill(slug: str, comparisons: int) -> None:
    from django.db import connection, transaction
    from psycopg import ClientCursor

    from annotate.models import Job, Project

    project = Project.objects.create(slug=slug, name=slug, task_type="text_to_text")
    job = Job.objects.create(kind="import", state="done", project=project)
    with transaction.atomic():
        connection.ensure_connection()
        ClientCursor(connection.connection).execute(
            "SET LOCAL statement_timeout = 0; SET LOCAL enable_nestloop = off;" + FILL,
            {"project": project.pk, "job": job.pk, "n": comparisons},
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def measure(slug: str, comparisons: int, out: Path) -> dict[str, object]:
    """Export by the command itself, start-up and all."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "export_bench", "--project", slug, "--out", str(out)],
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if status:
        sys.exit(f"export_bench failed for {slug}")
    manifest = json.loads((out / "MANIFEST.json").read_text())
    judgments = sum(manifest["counts"]["judgments"].values())
    assert judgments == 3 * comparisons, judgments
    return {
        "comparisons": comparisons,
        "judgments": judgments,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),  # of the exporter alone, not of PostgreSQL
        "judgments_per_second": round(judgments / seconds),
        "peak_rss_mb": round(usage.ru_maxrss / 1024),
        "release_mb": round(sum(entry["size"] for entry in manifest["files"]) / 2**20, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="comparisons")
    sizes = parser.parse_args().sizes
    with own_servers() as place:
        results = []
        for size in sizes:
            fill(f"bench-{size}", size)
            results.append(measure(f"bench-{size}", size, place / f"out-{size}"))
        print(json.dumps({"bench": "release", "cpus": os.cpu_count(), "results": results}, indent=2))


if __name__ == "__main__":
    main()
