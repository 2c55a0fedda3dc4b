"""The keeper of one server: its parent, which restarts it when it dies and stops it when nobody uses it.

Users hold a shared flock; the keeper waits for the exclusive one and gets it when the last user has gone,
in order or by SIGKILL. A keeper that is killed itself takes its server along (die_with_parent).
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from webapp.local.place import Place
from webapp.local.postgres import Postgres
from webapp.local.process import Lock, ServerError, last_line
from webapp.local.redis import Redis

START_LIMIT = 60.0  # seconds: PostgreSQL may have to replay its log after a crash
STOP_LIMIT = 30.0
RESTART_DELAYS = (0.1, 0.3, 1.0, 3.0)


class Server(Protocol):
    """What a keeper needs to know of a server."""

    name: str
    stop_signal: signal.Signals
    place: Place

    @property
    def url(self) -> str: ...
    def prepare(self) -> None: ...
    def start(self) -> "subprocess.Popen[bytes]": ...
    def ready(self) -> bool: ...
    def stale_pid(self) -> int | None: ...


KINDS: dict[str, Callable[[Path], Server]] = {"postgres": Postgres, "redis": Redis}


def keep(server: Server) -> None:
    """Runs `server` until its last user has gone. Prints one line: "ready", or what is wrong."""
    keeper = Lock(server.place.keeper_lock)
    keeper.exclusive()  # who starts keepers looks first, under a lock: at most a glance is in the way
    events: SimpleQueue[str] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: events.put("stop"))
    users = Lock(server.place.users_lock)
    process: subprocess.Popen[bytes] | None = None
    try:
        try:
            _end_stale(server)
            server.prepare()
            process = _start(server)
        except ServerError as error:
            print(str(error), flush=True)
            return
        _write_state(server)
        with contextlib.suppress(BrokenPipeError):  # who asked for us may be gone
            print("ready", flush=True)
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        os.dup2(sys.stdout.fileno(), 1)
        _await(users.exclusive, "idle", events)
        process = _watch(server, process, events)
    finally:
        server.place.state.unlink(missing_ok=True)
        if process is not None:
            _stop(server, process)
        server.place.remove_socket_dir()
        keeper.close()  # before the users' lock: whoever waits for that one then sees that there is no keeper
        users.close()


def _watch(
    server: Server, process: "subprocess.Popen[bytes]", events: SimpleQueue[str]
) -> "subprocess.Popen[bytes] | None":
    """Restarts the server whenever it dies; returns the process when it is to stop."""
    failures = 0
    while True:
        begun = time.monotonic()
        _await(process.wait, "died", events)
        if events.get() != "died":
            return process
        failures = 0 if time.monotonic() - begun > 30 else failures + 1
        while True:
            try:
                if events.get(timeout=RESTART_DELAYS[min(failures, len(RESTART_DELAYS) - 1)]) != "died":
                    return None
            except Empty:
                pass
            try:
                _end_stale(server)
                server.prepare()
                process = _start(server)
                break
            except ServerError as error:
                failures += 1
                with server.place.log.open("a") as log:
                    log.write(f"keeper: {error}\n")


def _await(wait: Callable[[], object], event: str, events: SimpleQueue[str]) -> None:
    def run() -> None:
        wait()
        events.put(event)

    threading.Thread(target=run, daemon=True).start()


def _start(server: Server) -> "subprocess.Popen[bytes]":
    begun = server.place.log.stat().st_size if server.place.log.exists() else 0
    process = server.start()
    deadline = time.monotonic() + START_LIMIT
    while not server.ready():
        if process.poll() is not None:
            said = last_line(server.place.log, since=begun)
            raise ServerError(f"{server.name} did not start: {said} (see {server.place.log})")
        if time.monotonic() > deadline:
            _stop(server, process)
            said = last_line(server.place.log, since=begun)
            raise ServerError(
                f"{server.name} did not come up in {START_LIMIT:.0f} s: {said} (see {server.place.log})"
            )
        time.sleep(0.02)
    return process


def _stop(server: Server, process: "subprocess.Popen[bytes]") -> None:
    for sig, limit in ((server.stop_signal, STOP_LIMIT), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(sig)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limit)
            return


def _end_stale(server: Server) -> None:
    """Ends a server that outlived its killed keeper: only a parent could tell when it dies."""
    pid = server.stale_pid()
    if pid is None:
        return
    for sig, limit in ((server.stop_signal, STOP_LIMIT), (signal.SIGQUIT, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sig)
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if server.stale_pid() != pid:
                return
            time.sleep(0.02)
    raise ServerError(f"another {server.name} uses {server.place.home} and does not stop: end process {pid}")


def _write_state(server: Server) -> None:
    fresh = server.place.state.with_suffix(".new")
    fresh.write_text(json.dumps({"keeper": os.getpid(), "url": server.url}))
    fresh.replace(server.place.state)


if __name__ == "__main__":
    keep(KINDS[sys.argv[1]](Path(sys.argv[2])))
