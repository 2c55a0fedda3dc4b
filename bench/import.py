"""How fast pairs are imported: text pairs with one criterion each, as JSON lines, at 10,000 and 100,000.

Pairs/s from the start of the job to its last row visible, the seconds that near-duplicates take after that, the peak memory of the
importing process, and the load of the machine before and after. What a pair costs is told in CPU time, which another load on the
machine changes less: of reading (parse, check, draft: a thread of its own), of writing (the rest of the importing process), of
the backend that it writes to, of PostgreSQL's other processes, and of near-duplicates. `two_cores` is what that would come to if two
cores did nothing else and never waited: no measurement, but the most that can be hoped for. `bare_copy` puts the same rows,
100,000 pairs at most, once more into tables of the same columns without any key, index or trigger: no import into tables can be
faster than that. Where the real data are there, also PandaLM's 999 pairs with three annotators each by the command itself.
Prints JSON. The servers are this run's own.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from place import ROOT, own_servers, postmaster, processor_seconds

PANDALM = ROOT.parent / "shared/data/text/pandalm-testset-v1.json"
BARE = 100_000  # pairs
WORDS = "the of and to in is that for it as was with be by on not he his but at are this have from".split()


def write_rows(path: Path, count: int) -> None:
    """Rows of about 1 kB, with a prompt of 30 words and answers of 60 each."""
    chance = random.Random(count)
    with path.open("w") as file:
        for number in range(count):
            row = {
                "id": number,
                "prompt": f"{number} " + " ".join(chance.choices(WORDS, k=30)),
                "response1": {"text": " ".join(chance.choices(WORDS, k=60)), "model": "a"},
                "response2": {"text": " ".join(chance.choices(WORDS, k=60)), "model": "b"},
                "criteria": ["Which response is more helpful?"],
            }
            file.write(json.dumps(row) + "\n")


def measure(path: Path, count: int) -> dict[str, object]:
    """Import the file in this very process. Run it in a fresh one each time: peak memory never falls."""
    import resource

    import django

    django.setup()
    from annotate.actions.imports import start_import
    from annotate.actions.jobs import run_job
    from annotate.actions.projects import create_project
    from annotate.imports import near_duplicates, run
    from annotate.imports.places import local_file
    from annotate.imports.spec import ImportSpec
    from annotate.models import DataImport, Pair

    slug = f"bench-{count}"
    project = create_project(by=None, slug=slug, name=slug)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    noting, publishing, batches = near_duplicates.note, run.publish, run._Import._batches
    after: list[float] = []
    cpu = {"reading": 0.0, "publishing_python": 0.0, "publishing_postgresql": 0.0}

    def timed(data_import: DataImport) -> None:
        after.append(time.monotonic())
        used.extend(so_far())
        noting(data_import)

    def read(*args: Any) -> Iterator[Any]:
        """In the thread that reads: its CPU time is that of reading."""
        found = batches(*args)
        while True:
            start = time.thread_time()
            batch = next(found, None)
            cpu["reading"] += time.thread_time() - start
            if batch is None:
                return
            yield batch

    def publish(*args: Any, **options: Any) -> None:
        start = time.process_time(), backend_cpu()
        publishing(*args, **options)
        cpu["publishing_python"] += time.process_time() - start[0]
        cpu["publishing_postgresql"] += backend_cpu() - start[1]

    near_duplicates.note, run.publish = timed, publish
    setattr(run._Import, "_batches", read)  # noqa: B010

    def so_far() -> tuple[float, float, float]:
        return time.process_time(), backend_cpu(), processor_seconds(postmaster())

    load = os.getloadavg()[0]
    used = [*so_far()]
    began = time.monotonic()
    data_import = start_import(
        by=None, project=project, spec=ImportSpec(files=(local_file(path),)), by_hand=True
    )
    run_job(data_import.job_id, by_hand=True)
    ended = time.monotonic()
    seconds = after[0] - began
    assert Pair.objects.filter(project=project).count() == count
    used.extend(so_far())
    python, backend, all_of_it = (used[3 + n] - used[n] for n in range(3))
    spent = cpu | {"writing": python - cpu["reading"], "postgresql": backend}
    spent |= {"postgresql_others": all_of_it - backend, "sum": python + all_of_it}
    spent |= {
        "near_duplicates_python": used[6] - used[3],
        "near_duplicates_postgresql": used[8] - used[5],
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "pairs": count,
        "seconds": round(seconds, 2),
        "pairs_per_s": round(count / seconds),
        "two_cores": round(2 * count / (python + all_of_it)),
        "cpu_s": {"our_process": round(python, 2), "postgresql": round(all_of_it, 2)},
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        "near_duplicates_s": round(ended - after[0], 2),
        "file_mb": round(path.stat().st_size / 1e6, 1),
        "peak_rss_mb": round(peak / 1024),
        "peak_rss_before_mb": round(before / 1024),
        "cpu_us_a_pair": {name: round(1e6 * seconds / count, 1) for name, seconds in spent.items()},
        "bare_copy": bare_copy(count),
    }


def backend_cpu() -> float:
    """Seconds of CPU that the backend of this process's connection has used."""
    import psutil
    from django.db import connection

    connection.ensure_connection()
    times = psutil.Process(connection.connection.info.backend_pid).cpu_times()
    return times.user + times.system


def bare_copy(count: int) -> dict[str, float]:
    """Seconds, and CPU time of the backend a pair, that the first rows imported take with no key, index or trigger."""
    from django.db import connection

    count = min(count, BARE)

    seconds = before = 0.0
    for table in ("prompt", "response", "pair", "comparison"):
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE bare_{table} AS TABLE annotate_{table} WITH NO DATA")
            with cursor.copy(
                f"COPY (SELECT * FROM annotate_{table} ORDER BY id LIMIT {count * (1 + (table == 'response'))}) TO STDOUT"
            ) as copied:
                rows = b"".join(copied)
            start, cpu = time.monotonic(), backend_cpu()
            with cursor.copy(f"COPY bare_{table} FROM STDIN") as copy:
                for at in range(0, len(rows), 2**20):
                    copy.write(rows[at : at + 2**20])
            seconds, before = seconds + time.monotonic() - start, before + backend_cpu() - cpu
    return {"pairs": count, "seconds": round(seconds, 2), "cpu_us_a_pair": round(1e6 * before / count, 1)}


def measure_pandalm(folder: Path) -> dict[str, object]:
    """Real pairs and their judgments, into a project that keeps all of them for the benchmark."""
    command = [sys.executable, str(ROOT / "manage.py"), "import_pairs", str(PANDALM), "--project", "pandalm"]
    command += ["--create", "--task-type", "text_to_text", "--reserve-share", "1"]
    command += ["--mapping", str(ROOT / "docs/examples/pandalm.yaml"), "--report", str(folder / "refused")]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    from annotate.models import Judgment

    judgments = Judgment.objects.filter(annotator__project__slug="pandalm").count()
    return {"pairs": 999, "judgments": judgments, "seconds": round(seconds, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--one", nargs=2, metavar=("FILE", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        sys.path.insert(0, str(ROOT))
        print(json.dumps(measure(Path(options.one[0]), int(options.one[1]))))
        return
    with own_servers() as folder:
        results = []
        for count in options.sizes:
            path = folder / f"{count}.jsonl"
            write_rows(path, count)
            one = [sys.executable, __file__, "--one", str(path), str(count)]
            results.append(json.loads(subprocess.run(one, check=True, stdout=subprocess.PIPE).stdout))
        figures: dict[str, object] = {"bench": "import", "cpus": os.cpu_count(), "results": results}
        if PANDALM.exists():
            figures["pandalm"] = measure_pandalm(folder)
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
