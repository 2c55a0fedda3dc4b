"""How fast pairs are imported: text pairs with one criterion each, as JSON lines, at 10,000 and 100,000.

    python bench/import.py [--sizes 10000 100000]

Prints one JSON object a size: pairs/s from the start of the job to its last row visible, and the peak memory of the
importing process. The servers are started in a fresh folder and removed again.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
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
    from annotate.actions.imports import local_file, start_import
    from annotate.actions.jobs import run_job
    from annotate.actions.projects import create_project
    from annotate.imports.spec import ImportSpec
    from annotate.models import Pair

    slug = f"bench-{count}"
    project = create_project(by=None, slug=slug, name=slug)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    data_import = start_import(
        by=None, project=project, spec=ImportSpec(files=(local_file(path),)), by_hand=True
    )
    run_job(data_import.job_id, by_hand=True)
    seconds = time.monotonic() - began
    assert Pair.objects.filter(project=project).count() == count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "pairs": count,
        "seconds": round(seconds, 2),
        "pairs_per_s": round(count / seconds),
        "file_mb": round(path.stat().st_size / 1e6, 1),
        "peak_rss_mb": round(peak / 1024),
        "peak_rss_before_mb": round(before / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--one", nargs=2, metavar=("FILE", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if options.one:
        print(json.dumps(measure(Path(options.one[0]), int(options.one[1]))))
        return
    from webapp.local.servers import Servers

    folder = Path(tempfile.mkdtemp(prefix="evenhand-bench-"))
    os.environ |= {"DATA_DIR": str(folder / "data"), "DJANGO_SETTINGS_MODULE": "webapp.settings"}
    servers = Servers(folder / "data")
    try:
        subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"],
            check=True,
            env=os.environ,
        )
        for count in options.sizes:
            path = folder / f"{count}.jsonl"
            write_rows(path, count)
            subprocess.run(
                [sys.executable, __file__, "--one", str(path), str(count)], check=True, env=os.environ
            )
    finally:
        servers.release()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
