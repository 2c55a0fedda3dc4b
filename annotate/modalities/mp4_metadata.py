"""Metadata of MP4, MOV and M4A files: boxes of it become free space of the same size, times become zero.

Since no byte moves, the tables that point into the coded data stay right.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from annotate.modalities.base import MediaError

MEDIA_TYPES = {"video/mp4", "video/quicktime", "audio/mp4"}
# What holds boxes on the way to metadata.
_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"moof", b"traf"}
_METADATA = {b"udta", b"meta", b"uuid", b"ID32", b"free", b"skip", b"wide", b"emsg", b"prft"}
_TIMED = {b"mvhd", b"tkhd", b"mdhd"}  # hold when it was created and changed
_TIMES = {0: 8, 1: 16}  # version of the box -> bytes of both times
_PIECE = 1024 * 1024
_TRACKS = {b"vide", b"soun"}  # others tell where a camera was, or what was said


class _OtherTracks(Exception):
    """There is a track that is neither picture nor sound."""


def clean(file: BinaryIO) -> bool:
    """Remove the metadata of a file in place, the coded data untouched.

    False, with the file half done, where a track of something else than picture or sound must go: its data lie among
    theirs.

    Raises:
        MediaError: not a whole file of this kind.
    """
    file.flush()
    if not os.fstat(file.fileno()).st_size:
        raise MediaError("is empty.")
    with mmap.mmap(file.fileno(), 0) as out:
        if b"moov" not in [name for name, *_ in _boxes(out, 0, len(out))]:
            raise MediaError("is not a whole file: it does not say what it holds.")
        try:
            _clean(out, 0, len(out))
        except _OtherTracks:
            return False
        out.flush()
    return True


def _clean(out: mmap.mmap, start: int, end: int) -> None:
    for name, box, body, stop in _boxes(out, start, end):
        if name in _METADATA:
            out[box + 4 : box + 8] = b"free"
            _erase(out, body, stop)
        elif name in _TIMED:
            version = out[body]
            if version not in _TIMES or body + 4 + _TIMES[version] > stop:
                raise MediaError(f"has a {name.decode()} box of unknown version.")
            _erase(out, body + 4, body + 4 + _TIMES[version])
        elif name == b"hdlr":
            # Of QuickTime, a second one says by what the data are reached.
            if out[body + 4 : body + 8] in (b"mhlr", bytes(4)) and out[body + 8 : body + 12] not in _TRACKS:
                raise _OtherTracks
            _erase(out, body + 24, stop)  # the name that a camera or program gives the track
        elif name in _PARENTS:
            _clean(out, body, stop)


def _erase(out: mmap.mmap, start: int, stop: int) -> None:
    for at in range(start, stop, _PIECE):
        out[at : min(at + _PIECE, stop)] = bytes(min(at + _PIECE, stop) - at)


def _boxes(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """(name, where it begins, where its body begins, where it ends) of each box."""
    at = start
    while at < end:
        if end - at < 8:
            if any(data[at:end]):
                raise MediaError("is not a whole file: a box ends too early.")
            return  # QuickTime ends some lists with four zero bytes
        size, name = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        elif size == 0:
            size = end - at
        if size < body - at or at + size > end:
            raise MediaError("is not a whole file: a box ends too early.")
        yield name, at, body, at + size
        at += size
