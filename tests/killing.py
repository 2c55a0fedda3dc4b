"""Commands that run in children which are killed at random instants."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.paths import ROOT

# How often each thing is killed. `make kills` asks for more.
KILLS = int(os.environ.get("KILLS", "4"))


class Commander:
    """Runs manage.py's commands in children that it can kill (tests/commander.py)."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._in, self._out = process.stdin, process.stdout
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._out
        return self._out.readline().strip()

    def run(self, *command: str, kill_after: float | None = None) -> int:
        """The exit status: 0, or SIGKILL's number if it was killed in time."""
        assert self._in
        self._in.write(json.dumps(command) + "\n")
        self._in.flush()
        child = int(self._line())
        timer = threading.Timer(kill_after or 0, _kill, (child,))
        if kill_after is not None:
            timer.start()
        status = int(self._line())
        timer.cancel()
        return status


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def commander(environ: Mapping[str, str], log: Path) -> Iterator[Commander]:
    """A commander in this environment. What its commands say is printed at the end."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.commander"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    try:
        yield Commander(process)
    finally:
        process.stdin.close()  # type: ignore[union-attr]
        process.wait(20)
        print(log.read_text())
