"""How fast a release is made: 10,000 and 100,000 text comparisons of three judgments each, by the command itself.

Prints JSON: seconds, judgments a second, the most memory that one of its processes took, and how many times as long it
takes as pyarrow alone does to write the same Parquet files in the same run. Of each phase, as the job's row names it, the
seconds by the clock and those of a processor, of the command with its helpers and of PostgreSQL: on a machine that others
use too only the latter tell anything, and so `judgments_per_cpu_second` stands beside the rate. Half of the pairs are
benchmark, half are training data. `--sizes 333334` is a million judgments. The servers are this run's own.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
from pairs import fill
from place import ROOT, own_servers, postmaster

SIZES = (10_000, 100_000)
_LOOK_EVERY = 0.2  # seconds

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


class Phases:
    """What the phases of a job take, by looking at its row and at the processes' times every so often."""

    def __init__(self, slug: str, command: psutil.Process) -> None:
        self._slug, self._command, self._postgres = slug, command, postmaster()
        self.found: dict[str, dict[str, float]] = {}
        self.peak = 0  # bytes of the largest process
        self._children: dict[int, float] = {}
        self._last = self._spent()
        self._phase = "starting"

    def look(self) -> None:
        from annotate.models import Job

        spent = self._spent()
        entry = self.found.setdefault(
            self._phase, {"seconds": 0.0, "cpu_seconds": 0.0, "postgresql_cpu_seconds": 0.0}
        )
        for name, before, now in zip(entry, self._last, spent, strict=True):
            entry[name] += now - before
        self._last = spent
        job = Job.objects.filter(project__slug=self._slug, kind="release").values("step", "state").first()
        if job and job["step"]:
            self._phase = "writing" if job["step"].startswith(("writing", "waiting")) else job["step"]

    def _spent(self) -> tuple[float, float, float]:
        """Seconds by the clock, of the command and its helpers, and of PostgreSQL with the processes that it has ended."""
        return time.perf_counter(), self._of_command(), _of_all(self._postgres)

    def _of_command(self) -> float:
        # Helpers that were killed are in nobody's sum until they are waited for: their last known time counts.
        try:
            for process in (self._command, *self._command.children(recursive=True)):
                times = process.cpu_times()
                self._children[process.pid] = times.user + times.system
                self.peak = max(self.peak, process.memory_info().rss)
        except psutil.Error:
            pass
        return sum(self._children.values())

    def told(self) -> dict[str, dict[str, float]]:
        return {
            phase: {name: round(seconds, 2) for name, seconds in entry.items()}
            for phase, entry in self.found.items()
        }

    def sum(self, name: str) -> float:
        return sum(entry[name] for entry in self.found.values())


def _of_all(top: psutil.Process) -> float:
    times = top.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for process in top.children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


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
    phases = Phases(slug, psutil.Process(process.pid))
    while process.poll() is None:
        phases.look()
        time.sleep(_LOOK_EVERY)
    seconds = time.perf_counter() - begun
    phases.look()
    if process.returncode:
        sys.exit(f"export_bench failed for {slug}")
    manifest = json.loads((out / "MANIFEST.json").read_text())
    judgments = sum(manifest["counts"]["judgments"].values())
    assert judgments == 3 * comparisons, judgments
    alone = out.with_name(f"{out.name}-alone")
    alone.mkdir()
    by_pyarrow, cpu_by_pyarrow = by_pyarrow_alone(out, alone)
    cpu, cpu_of_postgres = phases.sum("cpu_seconds"), phases.sum("postgresql_cpu_seconds")
    return {
        "comparisons": comparisons,
        "judgments": judgments,
        "seconds": round(seconds, 2),
        "judgments_per_second": round(judgments / seconds),
        "cpu_seconds": round(cpu, 2),
        "postgresql_cpu_seconds": round(cpu_of_postgres, 2),
        "judgments_per_cpu_second": round(judgments / (cpu + cpu_of_postgres)),
        "phases": phases.told(),
        "pyarrow_alone_seconds": round(by_pyarrow, 2),
        "pyarrow_alone_cpu_seconds": round(cpu_by_pyarrow, 2),
        "times_pyarrow_alone": round(seconds / by_pyarrow, 1),
        "times_pyarrow_alone_by_cpu": round((cpu + cpu_of_postgres) / cpu_by_pyarrow, 1),
        "peak_rss_mb": round(phases.peak / 2**20),
        "release_mb": round(sum(entry["size"] for entry in manifest["files"]) / 2**20, 1),
    }


def by_pyarrow_alone(out: Path, to: Path) -> tuple[float, float]:
    """Seconds, by the clock and of a processor, that writing the release's Parquet files takes where the tables are in memory
    already."""
    seconds = cpu = 0.0
    for number, path in enumerate(sorted(out.rglob("*.parquet"))):
        groups = pq.ParquetFile(path).metadata
        table = pq.read_table(path)
        begun, spent = time.perf_counter(), time.process_time()
        pq.write_table(
            table, to / f"{number}", compression="zstd", row_group_size=groups.row_group(0).num_rows
        )
        seconds += time.perf_counter() - begun
        cpu += time.process_time() - spent
    return seconds, cpu


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
