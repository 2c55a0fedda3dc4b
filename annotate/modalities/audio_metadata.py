"""Metadata of WAV, FLAC, MP3 and AAC files: their tags, pictures and comments go, the coded sound stays."""

import struct
from collections.abc import Callable

from annotate.modalities.base import MediaError

_WAV_KEPT = {b"fmt ", b"fact", b"data"}
_FLAC_KEPT = {0, 3}  # STREAMINFO and SEEKTABLE
_TOO_SHORT = "is not a whole file: it ends too early."


def strip_metadata(data: bytes, media_type: str) -> bytes:
    """The file with the same coded sound and no metadata. `media_type` is one of STRIPPERS.

    Raises:
        MediaError: not a whole file of this type.
    """
    try:
        return STRIPPERS[media_type](data)
    except (IndexError, struct.error):
        raise MediaError(_TOO_SHORT) from None


def _wav(data: bytes) -> bytes:
    told: dict[bytes, int] = {}  # sizes of 64 bits, which RF64 keeps apart
    kept, at, held = [b"WAVE"], 12, False
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        size = told.get(name, size)
        body = data[at + 8 : at + 8 + size]
        if name == b"ds64":
            told[b"data"] = struct.unpack_from("<Q", body, 8)[0]
        if len(body) < size:
            if name != b"data":
                raise MediaError(_TOO_SHORT)
            size = len(body)  # as a recorder leaves it that was switched off: players play what is there
        if name in _WAV_KEPT:
            kept += [struct.pack("<4sI", name, size), body, b"\0" * (size & 1)]
            held |= name == b"data"
        at += 8 + size + (size & 1)
    if not held:
        raise MediaError(_TOO_SHORT)
    return b"".join([struct.pack("<4sI", b"RIFF", sum(map(len, kept))), *kept])


def _flac(data: bytes) -> bytes:
    blocks, at, last = [], 4, False
    while not last:
        last, kind = bool(data[at] & 0x80), data[at] & 0x7F
        end = at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
        if end > len(data):
            raise MediaError(_TOO_SHORT)
        if kind in _FLAC_KEPT:
            blocks.append(bytes([kind]) + data[at + 1 : end])
        at = end
    if not blocks:
        raise MediaError(_TOO_SHORT)
    blocks[-1] = bytes([blocks[-1][0] | 0x80]) + blocks[-1][1:]
    return b"fLaC" + b"".join(blocks) + data[at:]


def _frames(data: bytes) -> bytes:
    """Of MP3 and AAC the frames alone: without ID3v2 before them, and ID3v1, Lyrics3 and APE after them."""
    start, end = 0, len(data)
    while data[start : start + 3] == b"ID3":
        a, b, c, d = struct.unpack_from("4B", data, start + 6)
        footer = 10 if data[start + 5] & 0x10 else 0
        start += 10 + (a << 21 | b << 14 | c << 7 | d) + footer
    while True:
        if end - start >= 128 and data[end - 128 : end - 125] == b"TAG":
            end -= 128
        elif end - start >= 32 and data[end - 32 : end - 24] == b"APETAGEX":
            size, flags = struct.unpack_from("<I4xI", data, end - 20)
            end -= size + (32 if flags & 0x80000000 else 0)
        elif end - start >= 15 and data[end - 9 : end] == b"LYRICS200":
            end -= 15 + int(data[end - 15 : end - 9])
        else:
            break
    while start < end and data[start] == 0:  # padding that the tag did not count
        start += 1
    if end - start < 4 or data[start] != 0xFF or data[start + 1] & 0xE0 != 0xE0:
        raise MediaError("is not a whole file: no frame follows its tags.")
    return data[start:end]


STRIPPERS: dict[str, Callable[[bytes], bytes]] = {
    "audio/wav": _wav,
    "audio/flac": _flac,
    "audio/mpeg": _frames,
    "audio/aac": _frames,
}
