"""Who writes which file of a release, where several processes write one: each file is taken by a lock on one byte.

The locks are those of the operating system, and end with the process that holds them: whatever one of them was killed
at, another takes and writes again, to the same bytes.
"""

import fcntl
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.db import connection

from annotate.exports.child import assist_in_child

_LOCKS = ".shards.tmp"  # goes with all that is named so once the release is finished
_LOOK_AGAIN = 0.1  # seconds
ENOUGH = 20_000  # rows from which another process is worth its start


class Shard:
    """A file to write: its path, how many rows it counts for, and what writes it."""

    def __init__(self, path: Path, rows: int, write: Callable[[Path], None]) -> None:
        self.path, self.rows, self._write = path, rows, write

    def write(self) -> None:
        self._write(self.path)


class Taking:
    """The files of one release, taken one at a time."""

    def __init__(self, shards: list[Shard], file: BinaryIO) -> None:
        self.shards, self._file = shards, file

    def write(self, number: int) -> bool:
        """Write a file unless it is there. False: another process is at it."""
        shard = self.shards[number]
        if shard.path.exists():
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except OSError:
            return False
        try:
            if not shard.path.exists():
                shard.write()
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)
        return True

    def help(self) -> None:
        """Write what nobody is at, from the end: whoever leads begins at the front."""
        for number in reversed(range(len(self.shards))):
            self.write(number)

    def lead(self, told: Callable[[Shard], None], waits: Callable[[], None]) -> None:
        """Write what is not there yet, and at last what others began and did not end.

        Args:
            told: is called before a file is written or found there.
            waits: is called every now and then while others are at the last ones.
        """
        others = []
        for number, shard in enumerate(self.shards):
            told(shard)
            if not self.write(number):
                others.append(number)
        for number in others:
            while not self.write(number):
                waits()
                time.sleep(_LOOK_AGAIN)


def make_locks(directory: Path) -> None:
    """Whoever leads makes the file whose bytes are locked; others only find it."""
    (directory / _LOCKS).touch()


@contextmanager
def taking(directory: Path, shards: list[Shard]) -> Iterator[Taking]:
    """Take part in writing these files below `directory`.

    Raises:
        FileNotFoundError: nobody leads there any more.
    """
    with (directory / _LOCKS).open("r+b") as file:
        yield Taking(shards, file)


@contextmanager
def helpers(count: int, release: object, directory: Path) -> Iterator[None]:
    """So many processes that help to write a release, ended with the block."""
    context = multiprocessing.get_context("spawn")  # a copy of this one would share its database connection
    database = connection.settings_dict["NAME"]
    begun = [
        context.Process(
            target=assist_in_child, args=(str(release), str(directory), database, os.getpid()), daemon=True
        )
        for _ in range(count)
    ]
    for process in begun:
        process.start()
    try:
        yield
    finally:
        for process in begun:
            process.kill()
            process.join()
