"""Removing metadata from images without touching the coded picture: no pixel is decoded or encoded again.

What a picture needs to look right stays: colour profile, gamma, transparency, animation, orientation. All else
goes: text, camera, place, time, thumbnails, editing history, comments, and whatever follows the picture's end.
"""

import struct
import zlib
from collections.abc import Callable, Iterator

from annotate.modalities.base import MediaError

_PNG_KEPT = {
    b"IHDR",
    b"PLTE",
    b"IDAT",
    b"IEND",
    b"tRNS",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"iCCP",
    b"cICP",
    b"mDCV",
    b"cLLI",
    b"sBIT",
    b"bKGD",
    b"pHYs",
    b"acTL",
    b"fcTL",
    b"fdAT",
}
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ICCP", b"ANIM", b"ANMF", b"ALPH"}
_GIF_LOOPS = {b"NETSCAPE2.0", b"ANIMEXTS1.0"}
_ORIENTATION = 0x0112


def strip_metadata(data: bytes, media_type: str) -> bytes:
    """The image with the same pixels and no metadata.

    Raises:
        MediaError: not a whole image of this type.
    """
    try:
        return _STRIPPERS[media_type](data)
    except KeyError:
        raise MediaError(f"metadata of {media_type} cannot be removed.") from None
    except (IndexError, struct.error):
        raise MediaError("is not a whole image: it ends too early.") from None


def _orientation(tiff: bytes) -> int:
    """The orientation (1 to 8) that an EXIF block tells, 1 where it tells none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    try:
        if order is None:
            return 1
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for number in range(min(count, 1000)):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * number)
            if tag == _ORIENTATION:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _minimal_exif(orientation: int) -> bytes:
    """An EXIF block of one entry."""
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, _ORIENTATION, 3, 1, orientation, 0, 0)


def _png(data: bytes) -> bytes:
    kept = [data[:8]]
    at = 8
    while True:
        (size,) = struct.unpack_from(">I", data, at)
        name = data[at + 4 : at + 8]
        end = at + 12 + size
        if end > len(data):
            raise MediaError("is not a whole image: it ends too early.")
        if name in _PNG_KEPT:
            kept.append(data[at:end])
        elif name == b"eXIf" and (turned := _orientation(data[at + 8 : end - 4])) != 1:
            body = b"eXIf" + _minimal_exif(turned)
            kept.append(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
        elif not name[0] & 0x20:  # critical, and unknown to us: the picture cannot be shown without it
            raise MediaError(f"has the unknown critical chunk {name!r}.")
        at = end
        if name == b"IEND":
            return b"".join(kept)


def _jpeg(data: bytes) -> bytes:
    kept = [data[:2]]
    at = 2
    orientation = 1
    for marker, start, end in _jpeg_segments(data, at):
        body = data[start + 4 : end]
        if marker == 0xE0 and body.startswith(b"JFIF\0"):
            # Version and density; the thumbnail that may follow goes.
            kept.append(b"\xff\xe0\0\x10" + body[:12] + b"\0\0")
        elif marker == 0xE1 and body.startswith(b"Exif\0"):
            orientation = _orientation(body[6:])
            if orientation != 1:
                exif = b"Exif\0\0" + _minimal_exif(orientation)
                kept.append(b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif)
        elif (
            (marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"))
            or (marker == 0xEE and body.startswith(b"Adobe"))
            or not (0xE0 <= marker <= 0xEF or marker == 0xFE)
        ):
            kept.append(data[start:end])
        if marker == 0xD9:
            return b"".join(kept)
    raise MediaError("is not a whole image: it has no end.")


def _jpeg_segments(data: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment; that of a scan reaches over its coded data."""
    while at < len(data) - 1:
        if data[at] != 0xFF:
            raise MediaError("is not a whole image: a marker is missing.")
        if data[at + 1] == 0xFF:  # fill bytes
            at += 1
            continue
        marker = data[at + 1]
        if marker == 0xD9:
            yield marker, at, at + 2
            return
        end = at + 2
        if not (0xD0 <= marker <= 0xD8 or marker == 0x01):
            (size,) = struct.unpack_from(">H", data, at + 2)
            end += size
            if size < 2 or end > len(data):
                raise MediaError("is not a whole image: it ends too early.")
        if marker == 0xDA:
            while True:
                end = data.find(b"\xff", end)
                if end < 0 or end + 1 >= len(data):
                    raise MediaError("is not a whole image: it ends too early.")
                if data[end + 1] == 0 or 0xD0 <= data[end + 1] <= 0xD7:
                    end += 2
                elif data[end + 1] == 0xFF:
                    end += 1
                else:
                    break
        yield marker, at, end
        at = end


def _webp(data: bytes) -> bytes:
    (size,) = struct.unpack_from("<I", data, 4)
    stop = min(len(data), size + 8)
    chunks: list[tuple[bytes, bytes]] = []
    turned = 1
    at = 12
    while at + 8 <= stop:
        name = data[at : at + 4]
        (length,) = struct.unpack_from("<I", data, at + 4)
        if at + 8 + length > stop:
            raise MediaError("is not a whole image: it ends too early.")
        body = data[at + 8 : at + 8 + length]
        if name == b"EXIF":
            turned = _orientation(body.removeprefix(b"Exif\0\0"))
        elif name in _WEBP_KEPT:
            chunks.append((name, body))
        at += 8 + length + (length & 1)
    if not any(name in (b"VP8 ", b"VP8L", b"ANMF") for name, _ in chunks):
        raise MediaError("is not a whole image: it holds no picture.")
    if turned != 1:
        chunks.append((b"EXIF", _minimal_exif(turned)))
    written = b"WEBP"
    for name, body in chunks:
        if name == b"VP8X":  # its flags announce EXIF (8) and XMP (4)
            body = bytes([body[0] & ~0x0C | (8 if turned != 1 else 0)]) + body[1:]
        written += name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)
    return b"RIFF" + struct.pack("<I", len(written)) + written


def _gif(data: bytes) -> bytes:
    kept = [data[:13]]
    at = 13
    if data[10] & 0x80:
        table = 3 << (data[10] & 7) + 1
        kept.append(data[at : at + table])
        at += table
    control = b""  # belongs to the block after it
    while True:
        start, block = at, data[at]
        if block == 0x3B:
            return b"".join([*kept, b"\x3b"])
        if block == 0x21:
            label = data[at + 1]
            at = _gif_blocks_end(data, at + 2)
            if label == 0xF9:
                control = data[start:at]
            elif label == 0x01:
                control = b""
            elif label == 0xFF and data[start + 3 : start + 14] in _GIF_LOOPS:
                kept.append(data[start:at])
        elif block == 0x2C:
            flags = data[at + 9]
            at += 10 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
            at = _gif_blocks_end(data, at + 1)
            kept += [control, data[start:at]]
            control = b""
        else:
            raise MediaError(f"is not a whole image: block {block:#x} means nothing.")


def _gif_blocks_end(data: bytes, at: int) -> int:
    while length := data[at]:
        at += 1 + length
    return at + 1


_STRIPPERS: dict[str, Callable[[bytes], bytes]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
    "image/gif": _gif,
}
