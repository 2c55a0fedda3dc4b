"""Runs child processes: starts one again when it dies, ends all in order, leaves none behind."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from webapp.local.process import ServerError, die_with_parent, last_line, open_log

RESTART_DELAYS = (0.0, 1.0, 3.0, 10.0)
LONG_ENOUGH = 30.0  # seconds after which a child counts as having started well
GRACE = 10.0  # seconds to end in, after SIGTERM


@dataclass
class Child:
    """One process to keep running, in a process group of its own; what it says goes to `log`."""

    name: str
    command: list[str]
    log: Path
    environ: Mapping[str, str] | None = None  # None: ours
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    begun: float = field(default=0.0, init=False)
    said_before: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)

    def start(self) -> None:
        self.begun = time.monotonic()
        log = open_log(self.log)
        self.said_before = os.fstat(log).st_size
        try:
            self.process = subprocess.Popen(
                self.command,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
        finally:
            os.close(log)

    def signal_group(self, sig: signal.Signals) -> None:
        """Reaches what the child started too, even after the child itself has gone."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, sig)

    def complaint(self) -> str:
        return last_line(self.log, since=self.said_before)


class Supervisor:
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._children: list[Child] = []
        self._hurry = False

    def start(self, child: Child) -> None:
        child.start()
        self._children.append(child)

    def look(self) -> None:
        """Starts again what has died, each time later than the time before. Call it a few times a second."""
        now = time.monotonic()
        for child in self._children:
            if child.process is None:
                if now >= child.begun:
                    child.start()
            elif (code := child.process.poll()) is not None:
                child.signal_group(signal.SIGKILL)
                child.failures = 1 if now - child.begun > LONG_ENOUGH else child.failures + 1
                delay = RESTART_DELAYS[min(child.failures, len(RESTART_DELAYS)) - 1]
                self._say(f"{child.name} ended with {code} ({child.complaint()}); starting it again")
                child.process = None
                child.begun = now + delay

    def until(self, done: Callable[[], bool], child: Child, limit: float) -> None:
        """Looks on until `done`. ServerError if `child` keeps dying or needs more than `limit` seconds."""
        deadline = time.monotonic() + limit
        while not done():
            if child.process is not None and child.process.poll() is not None and child.failures >= 2:
                raise ServerError(f"{child.name} does not start: {child.complaint()} (see {child.log})")
            self.look()
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{child.name} is not up in {limit:.0f} s: {child.complaint()} (see {child.log})"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends the children, the first one before the others: it is the one that takes new work in."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_again)
        for group in (self._children[:1], self._children[1:]):
            for child in group:
                if child.process is not None and child.process.poll() is None:
                    child.process.terminate()
            deadline = time.monotonic() + GRACE
            for child in group:
                self._wait(child, deadline)
                child.signal_group(signal.SIGKILL)
                if child.process is not None:
                    child.process.wait()
        self._children = []

    def _asked_again(self, *_: object) -> None:
        self._hurry = True

    def _wait(self, child: Child, deadline: float) -> None:
        while child.process is not None and child.process.poll() is None:
            if self._hurry or time.monotonic() > deadline:
                return
            time.sleep(0.02)
