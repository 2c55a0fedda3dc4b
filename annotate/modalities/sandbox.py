"""A pool of child processes that open images for us. One that hangs or dies takes nothing with it."""

import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from annotate.modalities.base import MediaError

TIMEOUT = 30.0  # seconds for one image
_JOBS_OF_ONE_CHILD = 500  # then a fresh one: memory that a decoder leaks is given back
_CHILD = Path(__file__).with_name("image_child.py")
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}


@dataclass(frozen=True)
class Rendition:
    """A derivative, ready to be stored."""

    kind: str
    media_type: str
    data: bytes
    probe: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Examined:
    probe: dict[str, Any]
    renditions: list[Rendition]


class _Child:
    def __init__(self) -> None:
        self.jobs = 0
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},
            cwd="/",
        )

    def ask(self, data: bytes, format: str) -> tuple[dict[str, Any], list[bytes]]:
        """
        Raises:
            OSError, EOFError: the child died, or was ended because it took too long.
        """
        self.jobs += 1
        assert self._process.stdin and self._process.stdout
        watch = threading.Timer(TIMEOUT, self._process.kill)
        watch.start()
        try:
            header = json.dumps({"size": len(data), "format": format}).encode()
            self._process.stdin.write(struct.pack(">I", len(header)) + header)
            self._process.stdin.write(data)
            self._process.stdin.flush()
            said: dict[str, Any] = json.loads(self._read(struct.unpack(">I", self._read(4))[0]))
            return said, [self._read(about["size"]) for about in said.get("derivatives", ())]
        finally:
            watch.cancel()

    def _read(self, size: int) -> bytes:
        assert self._process.stdout
        data = self._process.stdout.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(OSError):  # what it still held is not wanted
                    pipe.close()


class ImageSandbox:
    """Children are started when first needed and ended with the block."""

    def __init__(self, children: int | None = None) -> None:
        self._width = children or min(4, os.cpu_count() or 1)
        self._idle: SimpleQueue[_Child | None] = SimpleQueue()
        for _ in range(self._width):
            self._idle.put(None)
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._threads:
            self._threads.shutdown(cancel_futures=True)
        for _ in range(self._width):
            if child := self._idle.get():
                child.close()

    def examine(self, data: bytes, media_type: str) -> Examined:
        """Probe an image and make its `web` and `thumb` renditions.

        Raises:
            MediaError: broken, too large, or too much work.
        """
        child = self._idle.get()
        try:
            child = child or _Child()
            said, blobs = child.ask(data, FORMATS[media_type])
        except (OSError, EOFError, ValueError, struct.error):
            if child:
                child.close()
            child = None
            raise MediaError(
                f"could not be opened within {TIMEOUT:.0f} s and the memory allowed: broken, or made to harm."
            ) from None
        finally:
            if child and child.jobs >= _JOBS_OF_ONE_CHILD:
                child.close()
                child = None
            self._idle.put(child)
        if "error" in said:
            raise MediaError(said["error"])
        renditions = [
            Rendition(
                about["kind"],
                about["media_type"],
                blob,
                {"width": about["width"], "height": about["height"]},
            )
            for about, blob in zip(said["derivatives"], blobs, strict=True)
        ]
        return Examined(said["probe"], renditions)

    def examine_many(self, images: Iterable[tuple[bytes, str]]) -> Iterator[Examined | MediaError]:
        """Results in the order of the images, as many at a time as there are children."""
        self._threads = self._threads or ThreadPoolExecutor(self._width)

        def one(image: tuple[bytes, str]) -> Examined | MediaError:
            try:
                return self.examine(*image)
            except MediaError as error:
                return error

        return self._threads.map(one, images)
