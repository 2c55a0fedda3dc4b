"""Metadata of MP4, MOV and M4A files: boxes of it become free space of the same size, times become zero.

Since no byte moves, the tables that point into the coded data stay right.
"""

import struct
from collections.abc import Iterator

from annotate.modalities.base import MediaError

MEDIA_TYPES = {"video/mp4", "video/quicktime", "audio/mp4"}
# What holds boxes on the way to metadata.
_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf"}
_METADATA = {b"udta", b"meta", b"uuid", b"ID32", b"free", b"skip", b"wide"}
_TIMED = {b"mvhd", b"tkhd", b"mdhd"}  # hold when it was created and changed
_TIMES = {0: 8, 1: 16}  # version of the box -> bytes of both times


def strip_metadata(data: bytes) -> bytes:
    """The file with the same coded data and no metadata.

    Raises:
        MediaError: not a whole file of this kind.
    """
    out = bytearray(data)
    if b"moov" not in [name for name, *_ in _boxes(out, 0, len(out))]:
        raise MediaError("is not a whole file: it does not say what it holds.")
    _clean(out, 0, len(out))
    return bytes(out)


def _clean(out: bytearray, start: int, end: int) -> None:
    for name, box, body, stop in _boxes(out, start, end):
        if name in _METADATA:
            out[box + 4 : box + 8] = b"free"
            out[body:stop] = bytes(stop - body)
        elif name in _TIMED:
            version = out[body]
            if version not in _TIMES or body + 4 + _TIMES[version] > stop:
                raise MediaError(f"has a {name.decode()} box of unknown version.")
            out[body + 4 : body + 4 + _TIMES[version]] = bytes(_TIMES[version])
        elif name == b"hdlr" and stop - body > 24:
            out[body + 24 : stop] = bytes(
                stop - body - 24
            )  # the name that a camera or program gives the track
        elif name in _PARENTS:
            _clean(out, body, stop)


def _boxes(data: bytearray, start: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
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
