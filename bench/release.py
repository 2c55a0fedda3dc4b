"""How fast a release is made: 10,000 and 100,000 text comparisons of three judgments each, by the command itself.

Prints JSON: seconds, judgments a second, the most memory that one of its processes took, and how many times as long it
takes as pyarrow alone does to write the same Parquet files in the same run. Half of the pairs are benchmark, half are
training data. `--sizes 333334` is a million judgments. The servers are this run's own.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
from pairs import fill
from place import ROOT, own_servers

SIZES = (10_000, 100_000)

# Three judgments that count on every comparison, as an import brings them in.
JUDGMENTS = """
INSERT INTO annotate_job (kind, project_id, state, attempts, step, done, error, spec, created_at)
VALUES ('import', %(project)s, 'done', 1, '', 0, '', '{}', now());
INSERT INTO annotate_dataimport (project_id, job_id, spec, position, visible, pairs_new, pairs_same, judgments_new,
                                 rows_refused, report, near_duplicates, created_at)
SELECT %(project)s, id, '{}', '{}', true, 0, 0, 0, 0, '[]', '{}', now() FROM annotate_job WHERE project_id = %(project)s;
INSERT INTO annotate_annotator (project_id, pseudonym, judged_pairs, created_at)
SELECT %(project)s, 'annotator-' || i, 0, now() FROM generate_series(1, 3) i;
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


def measure(slug: str, comparisons: int, out: Path, options: list[str]) -> dict[str, object]:
    """Export by the command itself, start-up and all."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "manage.py"),
            "export_bench",
            "--project",
            slug,
            "--out",
            str(out),
            *options,
        ],
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if status:
        sys.exit(f"export_bench failed for {slug}")
    manifest = json.loads((out / "MANIFEST.json").read_text())
    judgments = sum(manifest["counts"]["judgments"].values())
    assert judgments == 3 * comparisons, judgments
    alone = out.with_name(f"{out.name}-alone")
    alone.mkdir()
    by_pyarrow = by_pyarrow_alone(out, alone)
    return {
        "comparisons": comparisons,
        "judgments": judgments,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),  # of the exporter alone, not of PostgreSQL
        "judgments_per_second": round(judgments / seconds),
        "pyarrow_alone_seconds": round(by_pyarrow, 2),
        "times_pyarrow_alone": round(seconds / by_pyarrow, 1),
        "peak_rss_mb": round(usage.ru_maxrss / 1024),
        "release_mb": round(sum(entry["size"] for entry in manifest["files"]) / 2**20, 1),
    }


def by_pyarrow_alone(out: Path, to: Path) -> float:
    """Seconds that writing the release's Parquet files takes where the tables are in memory already."""
    seconds = 0.0
    for number, path in enumerate(sorted(out.rglob("*.parquet"))):
        groups = pq.ParquetFile(path).metadata
        table = pq.read_table(path)
        begun = time.perf_counter()
        pq.write_table(
            table, to / f"{number}", compression="zstd", row_group_size=groups.row_group(0).num_rows
        )
        seconds += time.perf_counter() - begun
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="comparisons")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="of export_bench, at the end")
    given = parser.parse_args()
    sizes = given.sizes
    with own_servers() as place:
        results = []
        for size in sizes:
            fill(f"bench-{size}", size, kept=True, then=JUDGMENTS)
            results.append(measure(f"bench-{size}", size, place / f"out-{size}", given.options))
        print(json.dumps({"bench": "release", "cpus": os.cpu_count(), "results": results}, indent=2))


if __name__ == "__main__":
    main()
