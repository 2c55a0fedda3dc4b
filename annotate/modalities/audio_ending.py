"""Whether a sound ends where it says that it ends: decoders play what is there of one that was cut, and say nothing.

A file that breaks off within a chunk, a page or a frame is refused. Taken are those whose writer did not know how long
they would become, and left that open: a WAV of the length 0 or of the greatest there is, an Ogg without a last page.
"""

import os
import struct
from typing import BinaryIO

from annotate.modalities.child import Unfit

_OPEN = 0x7FFF_0000  # lengths from here on stand where one is not known yet, and so does 0
_KILOBITS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),  # MPEG-1, layer III
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),  # MPEG-2 and 2.5
}
_RATES = {3: (44_100, 48_000, 32_000, 0), 2: (22_050, 24_000, 16_000, 0), 0: (11_025, 12_000, 8_000, 0)}


def check_container(source: BinaryIO, media_type: str) -> None:
    """
    Raises:
        Unfit: a WAV or an Ogg breaks off.
    """
    size = source.seek(0, os.SEEK_END)
    if media_type == "audio/wav":
        _check_wav(source, size)
    elif media_type == "audio/ogg":
        _check_ogg(source, size)


def _check_wav(source: BinaryIO, size: int) -> None:
    at, long = 12, 0  # RF64 keeps the length of its data in a chunk of its own
    while at + 8 <= size:
        source.seek(at)
        name, told = struct.unpack("<4sI", source.read(8))
        if name == b"ds64":
            long = struct.unpack("<8xQ", source.read(16).ljust(16, b"\0"))[0]
        if name == b"data":
            told = long if told == 0xFFFF_FFFF and long else told
            there = size - at - 8
            if there < told and (long or told < _OPEN):
                raise Unfit(f"is cut short: it tells {told:,} bytes of sound and holds {there:,}.")
            return
        at += 8 + told + (told & 1)


def _check_ogg(source: BinaryIO, size: int) -> None:
    at = 0
    while at < size:
        source.seek(at)
        head = source.read(27)
        if not b"OggS".startswith(head[:4]):
            return  # something else behind the last page
        sizes = source.read(head[26]) if len(head) == 27 else b""
        at += 27 + len(sizes) + sum(sizes)
        if len(head) < 27 or len(sizes) < head[26] or at > size:
            raise Unfit("is cut short: it ends in the middle of a page.")


def is_whole_frame(frame: bytes, media_type: str) -> bool:
    """Whether an MP3 or AAC frame is as long as its own head says; of other types, and where it says nothing, it is."""
    if media_type == "audio/mpeg" and len(frame) >= 4 and frame[0] == 0xFF and frame[1] >> 1 & 3 == 1:
        version, padded = frame[1] >> 3 & 3, frame[2] >> 1 & 1
        rate = _RATES[version][frame[2] >> 2 & 3] if version in _RATES else 0
        kilobits = _KILOBITS[version == 3][frame[2] >> 4]
        if not rate or not kilobits:
            return True
        return len(frame) >= (144 if version == 3 else 72) * kilobits * 1000 // rate + padded
    if media_type == "audio/aac" and frame[:1] == b"\xff":
        return len(frame) >= 7 and len(frame) >= (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5
    return True
