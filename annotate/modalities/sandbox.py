"""A pool of child processes that open media for us. One that hangs or dies takes nothing with it."""

import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

from annotate.modalities import HOUSES, Kind, MediaError
from annotate.models import Modality

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_JOBS_OF_ONE_CHILD = 500  # then a fresh one: memory that a decoder leaks is given back
_BOOT = Path(__file__).with_name("boot.py")


class SandboxBroken(Exception):
    """No child can be started: this machine lacks something. It says nothing about any file."""


@dataclass(frozen=True)
class Rendition:
    """A derivative, ready to be stored: an open temporary file at its beginning, its size in bytes."""

    kind: str
    media_type: str
    file: BinaryIO
    size: int
    probe: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Examined:
    probe: dict[str, Any]
    renditions: list[Rendition]


@dataclass(frozen=True)
class Request:
    """One file to be opened, what it is, and the derivatives wanted of it.

    The source has a descriptor, whose place in the file the child shares: nobody else reads from it meanwhile.
    """

    source: BinaryIO
    kind: Kind
    wanted: Sequence[str] = ()


class _Child:
    """A process for one modality. Made in a thread that outlives it: Linux ends it with that thread."""

    def __init__(self, modality: Modality) -> None:
        self.jobs = 0
        try:
            self._socket, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", str(_BOOT), modality.value, str(os.getpid())],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={"PATH": os.defpath},
                    cwd="/",
                    start_new_session=True,  # an interrupt at the terminal is ours to handle
                )
            said = self._answer()
        except (OSError, EOFError) as error:
            raise SandboxBroken(f"The child for {modality} does not start.") from error
        if "ready" not in said:
            self.close()
            raise SandboxBroken(f"The child for {modality} does not start: {said['error']}")

    def ask(self, header: dict[str, Any], files: Sequence[BinaryIO], seconds: float) -> dict[str, Any]:
        """
        Raises:
            OSError, EOFError: the child died, or was ended because it took too long.
        """
        self.jobs += 1
        watch = threading.Timer(seconds, self._process.kill)
        watch.start()
        try:
            written = json.dumps(header).encode()
            socket.send_fds(
                self._socket, [struct.pack(">I", len(written))], [file.fileno() for file in files]
            )
            self._socket.sendall(written)
            return self._answer()
        finally:
            watch.cancel()

    def _answer(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self._read(struct.unpack(">I", self._read(4))[0]))
        return said

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._socket.close()


class MediaSandbox:
    """Children are started when first needed, for each modality its own, and ended with the block, at work or not."""

    def __init__(self, children: int | None = None) -> None:
        self.width = children or min(4, os.cpu_count() or 1)
        self._idle: dict[Modality, SimpleQueue[_Child | None]] = {}
        for modality in HOUSES:
            self._idle[modality] = SimpleQueue()
            for _ in range(self.width):
                self._idle[modality].put(None)
        self._threads = ThreadPoolExecutor(self.width)
        self._starter = ThreadPoolExecutor(1)
        self._started: set[_Child] = set()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._starter.shutdown()  # from here on none is started
        for child in self._started:
            child.kill()
        self._threads.shutdown(cancel_futures=True)
        for child in self._started:
            child.close()

    def examine(self, request: Request) -> Examined:
        """Probe a file and make the wanted derivatives of it, which the caller closes.

        Raises:
            MediaError: broken, too large, or too much work.
            SandboxBroken: nothing can be opened on this machine.
        """
        house = HOUSES[request.kind.modality]
        seconds = house.DERIVE_SECONDS if request.wanted else house.PROBE_SECONDS
        with ExitStack() as stack:
            files = {kind: stack.enter_context(TemporaryFile()) for kind in request.wanted}
            said = self._ask({"do": "examine", "wanted": list(files)}, request, list(files.values()), seconds)
            renditions = []
            for kind, about in said["made"].items():
                media_type = about.pop("media_type")
                renditions.append(Rendition(kind, media_type, files[kind], _rewind(files[kind]), about))
            for kind in files.keys() - said["made"].keys():
                files[kind].close()
            stack.pop_all()
        return Examined(said["probe"], renditions)

    def strip(self, source: BinaryIO, kind: Kind, target: BinaryIO) -> None:
        """Write the file without its metadata, coded data untouched, into the empty file `target`.

        Raises:
            MediaError, SandboxBroken: as examine.
        """
        seconds = HOUSES[kind.modality].DERIVE_SECONDS
        self._ask({"do": "strip"}, Request(source, kind), [target], seconds)
        _rewind(target)

    def submit(self, work: Callable[[_Item], _Result], item: _Item) -> Future[_Result]:
        """Do the work in a thread of the sandbox; there are as many as children of a modality."""
        return self._threads.submit(work, item)

    def examine_many(self, requests: Iterable[Request]) -> Iterator[Examined | MediaError]:
        """Results in the order of the requests, as many at a time as there are children of a modality."""
        return self._threads.map(self._examined, requests)

    def _examined(self, request: Request) -> Examined | MediaError:
        try:
            return self.examine(request)
        except MediaError as error:
            return error

    def _start(self, modality: Modality) -> _Child:
        child = _Child(modality)
        self._started.add(child)
        return child

    def _end(self, child: _Child) -> None:
        child.close()
        self._started.discard(child)

    def _ask(
        self, header: dict[str, Any], request: Request, targets: list[BinaryIO], seconds: int
    ) -> dict[str, Any]:
        kind = request.kind
        header |= {"media_type": kind.media_type, "seconds": seconds}
        idle = self._idle[kind.modality]
        child = idle.get()
        try:
            child = child or self._starter.submit(self._start, kind.modality).result()
            _rewind(request.source)
            said = child.ask(header, [request.source, *targets], seconds)
            _rewind(request.source)
        except (OSError, EOFError, ValueError, struct.error):
            if child and not self._closed:
                self._end(child)
            child = None
            raise MediaError(
                f"could not be opened within {seconds} s and the memory allowed: broken, or made to harm."
            ) from None
        finally:
            if child and child.jobs >= _JOBS_OF_ONE_CHILD:
                self._end(child)
                child = None
            idle.put(child)
        if "error" in said:
            raise MediaError(said["error"])
        return said


def _rewind(file: BinaryIO) -> int:
    """Go to the beginning of a file that another process read or wrote too, and return its size in bytes."""
    size = file.seek(0, os.SEEK_END)  # always asks the system, which forgets what was read ahead
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    file.seek(0)
    return size
