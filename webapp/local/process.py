"""Small helpers around processes, locks and logs."""

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

LOG_LIMIT = 10 * 1024 * 1024
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


class ServerError(Exception):
    """Something that keeps Evenhand from starting, said in one line."""


def in_one_line(error: BaseException) -> str:
    """What an error says, without its line breaks and the dot at its end."""
    return " ".join(str(error).split()).rstrip(".")


def die_with_parent(sig: signal.Signals) -> Callable[[], None]:
    """A preexec_fn: the kernel sends `sig` to the child when the thread that started it ends, even if killed.

    Linux only; elsewhere the child may outlive a killed parent, and the next start cleans up behind it.
    """

    def preexec() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, sig)

    return preexec


def is_running(pid: int, *, naming: str) -> bool:
    """True if process `pid` exists and its command line names `naming`: a pid alone may have been reused."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        try:
            command = proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return False
    elif shutil.which("ps"):
        command = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
    else:
        return False
    return naming in command


def open_log(path: Path) -> int:
    """A descriptor that appends to `path`, begun anew once it has grown past LOG_LIMIT."""
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.old"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def last_line(path: Path, *, since: int = 0) -> str:
    """The last line of a log that says something, written after byte `since`."""
    try:
        with path.open("rb") as log:
            log.seek(max(since, path.stat().st_size - 8192))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return "no log"
    return next((line.strip() for line in reversed(lines) if line.strip()), "the log says nothing")


class Lock:
    """flock on a file: held by this process and let go by the kernel however the process ends."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def shared(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def exclusive(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def try_shared(self) -> bool:
        return self._try(fcntl.LOCK_SH)

    def try_exclusive(self) -> bool:
        return self._try(fcntl.LOCK_EX)

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self._fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "Lock":
        self.exclusive()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
