"""`manage.py up` has the demo made on the first start, by a worker; a check does not, nor does a second start."""

import json
import signal
import subprocess
import sys
import time
from typing import Any

from tests.paths import ROOT
from tests.test_up import environ, nothing_left, running, until, up

__all__ = ["environ", "nothing_left"]  # fixtures

MADE = "A demo project is being made"
LOOK = """
import json
from annotate.models import Job, Project
jobs = Job.objects.filter(kind="demo").values("pk", "state", "step", "done")
print("found", json.dumps({"projects": Project.objects.count(), "jobs": list(jobs)}))
"""


def look(environ: dict[str, str]) -> dict[str, Any]:
    """What stands in the database of the running installation."""
    said = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", LOOK],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    line = next((line for line in said.stdout.splitlines() if line.startswith("found ")), "")
    assert line, said.stderr
    found: dict[str, Any] = json.loads(line.removeprefix("found "))
    return found


def stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


def test_the_first_start_has_it_made_and_the_next_ones_go_on_with_it(environ: dict[str, str]) -> None:
    environ = {name: value for name, value in environ.items() if name != "DEMO"}
    checked, _ = up(environ, "--check").communicate(timeout=120)
    assert MADE not in checked and running(environ) == []

    off = up(environ | {"DEMO": "0"})
    assert MADE not in until(off, "Ctrl-C")
    assert look(environ)["projects"] == 0
    stop(off)

    first = up(environ)
    assert MADE in until(first, "Ctrl-C")
    deadline = time.monotonic() + 90
    while not (begun := look(environ))["jobs"][0]["done"]:
        assert time.monotonic() < deadline, begun
        time.sleep(1)
    stop(first)
    assert running(environ) == []

    second = up(environ)
    assert MADE not in until(second, "Ctrl-C")
    left = look(environ)
    assert left["projects"] == 1 and [job["pk"] for job in left["jobs"]] == [begun["jobs"][0]["pk"]]
    stop(second)
