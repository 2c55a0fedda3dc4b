"""What a process that opens hostile files gives up: network, writing to disk, reading what is not its own."""

import ctypes
import os
import resource
import signal
import struct
import sys
from pathlib import Path

MEMORY = 2 * 1024**3
FILE_BYTES = 2 * 1024**3  # of one derivative
_OPEN_FILES = 64

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38

# Landlock, by its numbers, which are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_ALL_OF_FILES = (1 << 13) - 1  # reading, writing, making, removing, executing: what the first version knows
_BIND_AND_CONNECT = 0b11  # TCP, from the fourth version on
_RULE_OF_PATH = 1


def lock_down() -> None:
    """Give up for good what a decoder needs not. Call it with everything imported.

    Memory and the size of files are bounded everywhere; network and files go where the system lets us.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    unshare = getattr(libc, "unshare", None)
    if unshare and unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        unshare(_CLONE_NEWNET)
    if sys.platform == "linux":
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # After unshare, which would forget it.
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _landlock(libc)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


def allow_cpu(seconds: int) -> None:
    """So many more seconds of processor from now; the kernel ends us after them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds, hard))


def _landlock(libc: ctypes.CDLL) -> None:
    """From here on no file can be made or written, none read but programs' own, no address reached by TCP."""
    version = libc.syscall(_CREATE_RULESET, None, 0, _GET_VERSION)
    if version < 1:
        return
    handled = (
        struct.pack("=QQ", _ALL_OF_FILES, _BIND_AND_CONNECT)
        if version >= 4
        else struct.pack("=Q", _ALL_OF_FILES)
    )
    ruleset = libc.syscall(_CREATE_RULESET, handled, len(handled), 0)
    if ruleset < 0:
        return
    code = {
        sys.prefix,
        sys.base_prefix,
        str(Path(__file__).parent),
        "/usr",
        "/lib",
        "/lib64",
        "/etc/ld.so.cache",
    }
    for path in code:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        allowed = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
        libc.syscall(_ADD_RULE, ruleset, _RULE_OF_PATH, struct.pack("=Qi", allowed, descriptor), 0)
        os.close(descriptor)
    libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
