"""kill -9 of the web server and of PostgreSQL while annotators work: nothing that was acknowledged is lost."""

import contextlib
import http.client
import json
import random
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from tests.killing import KILLS
from tests.paths import ROOT
from tests.test_local_servers import eventually
from tests.test_up import environ, running, until, up

__all__ = ["environ"]  # a fixture

ANNOTATORS = 6

PREPARE = """
import json, sys
from uuid import uuid4
sys.path.insert(0, {bench!r})
import loop, pairs
pairs.fill("killed", 3000, kept=False)
print("SESSIONS", json.dumps(loop.log_in("killed", {annotators})))
"""

VERIFY = """
import json
from annotate.integrity import violations
from annotate.models import Judgment
print("STORED", json.dumps([violations(), [str(i) for i in Judgment.objects.values_list("pk", flat=True)]]))
"""


def shell(environ: dict[str, str], code: str, marker: str) -> Any:
    """What `manage.py shell` prints behind the marker, as JSON."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    for line in done.stdout.splitlines():
        if line.startswith(marker):
            return json.loads(line.removeprefix(marker))
    raise AssertionError(done.stdout + done.stderr)


class Page:
    """The judge page's manners: ids made first, the same request again until it is answered."""

    def __init__(self, port: int, session: str) -> None:
        self.port, self.session = port, session
        self.acknowledged: list[str] = []
        self.longest_wait = 0.0  # seconds until a request was answered, its retries included
        self.refused: list[str] = []

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        begun = time.monotonic()
        answer = self._until_answered(path, body, give_up=begun + 60)
        self.longest_wait = max(self.longest_wait, time.monotonic() - begun)
        return answer

    def _until_answered(self, path: str, body: dict[str, Any], give_up: float) -> dict[str, Any] | None:
        text = json.dumps(body)
        headers = {
            "Cookie": f"sessionid={self.session}; csrftoken={'x' * 32}",
            "X-CSRFToken": "x" * 32,
            "Content-Type": "application/json",
        }
        while time.monotonic() < give_up:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            try:
                connection.request("POST", f"/api/v1/{path}", text, headers)
                response = connection.getresponse()
                answer = response.read()
                if response.status == 200:
                    found: dict[str, Any] = json.loads(answer)
                    return found
                if response.status == 204:
                    return None
                if response.status < 500:
                    self.refused.append(f"{path}: {response.status} {answer[:200]!r}")
                    return None
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                pass
            finally:
                connection.close()
            time.sleep(0.1)
        return None

    def work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            claim = self.post("projects/killed/claims/", {"id": str(uuid4())})
            if claim is None:
                return
            answers = [
                {"id": str(uuid4()), "comparison": asked["id"], "verdict": "b", "strength": 1}
                for asked in claim["comparisons"]
            ]
            reply = self.post(f"claims/{claim['id']}/submit/", {"answers": answers})
            if reply is None:
                return
            self.acknowledged += reply["saved"]


def victims(environ: dict[str, str], what: str) -> list[psutil.Process]:
    """The processes of this run to kill, the parent first: the web server's or PostgreSQL's."""
    found: dict[psutil.Process, int] = {}  # with the pid of their parent, read before they can be gone
    for line in running(environ):
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(int(line.split()[0]))
            words = " ".join(process.cmdline())
            is_web = "granian" in words
            is_postgres = process.name() == "postgres"
            if (what == "web" and is_web) or (what == "postgres" and is_postgres):
                found[process] = process.ppid()
    pids = {process.pid for process in found}
    return sorted(found, key=lambda process: found[process] in pids)


def has_successor(environ: dict[str, str], what: str, killed: list[psutil.Process]) -> bool:
    """True if another parent stands where that of these processes stood; they may outlive it for a moment."""
    found = victims(environ, what)
    return bool(found) and found[0] not in killed


@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", ["web", "postgres"])
def test_nothing_acknowledged_is_lost(environ: dict[str, str], what: str, tmp_path: Path) -> None:
    environ = environ | {"DATA_DIR": str(tmp_path / "data"), "WEB_WORKERS": "2"}
    rng = random.Random(5)
    process = up(environ)
    try:
        until(process, "Evenhand runs at")
        threading.Thread(target=process.stdout.read, daemon=True).start()  # type: ignore[union-attr]
        code = PREPARE.format(bench=str(ROOT / "bench"), annotators=ANNOTATORS)
        sessions = shell(environ, code, "SESSIONS")
        pages = [Page(int(environ["PORT"]), session) for session in sessions]
        stop = threading.Event()
        threads = [threading.Thread(target=page.work, args=(stop,)) for page in pages]
        for thread in threads:
            thread.start()
        killed = parents = 0
        while killed < KILLS or not parents:
            eventually_more(pages)
            time.sleep(rng.random() * 0.3)
            if targets := victims(environ, what):
                # The parent more often than its turn: it has many children.
                target = targets[0] if rng.random() < 0.3 else rng.choice(targets)
                begun = time.monotonic()
                for page in pages:
                    page.longest_wait = 0.0
                with contextlib.suppress(psutil.NoSuchProcess):
                    target.send_signal(signal.SIGKILL)
                    killed += 1
                if target == targets[0]:
                    parents += 1
                    # Another one stands in its place, and requests met the gap between them.
                    assert eventually(partial(has_successor, environ, what, targets), 60)
                    gap = time.monotonic() - begun
                    eventually_more(pages)
                    assert max(page.longest_wait for page in pages) > gap / 2, "a kill was not felt"
        eventually_more(pages)
        stop.set()
        for thread in threads:
            thread.join(90)
            assert not thread.is_alive()
        assert [refusal for page in pages for refusal in page.refused] == []
        broken, stored = shell(environ, VERIFY, "STORED")
        acknowledged = [i for page in pages for i in page.acknowledged]
        assert broken == {}
        assert sorted(acknowledged) == sorted(stored)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        assert eventually(lambda: not running(environ)), running(environ)


def eventually_more(pages: list[Page]) -> None:
    """Wait until work goes on after a kill: more is acknowledged than there is now."""
    than = sum(len(page.acknowledged) for page in pages)
    deadline = time.monotonic() + 90
    while sum(len(page.acknowledged) for page in pages) <= than + ANNOTATORS:
        assert time.monotonic() < deadline, "work does not go on"
        time.sleep(0.05)
