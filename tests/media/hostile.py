"""Files that are broken or made to harm: pictures, videos and sounds. Each with a word of why it is refused."""

import struct
import zlib
from collections.abc import Callable

from tests.media import clips
from tests.media.pictures import coded, picture

Make = Callable[[], bytes]


def png_of(width: int, height: int, data: bytes = b"\0" * 1_000_000) -> bytes:
    """The head of a picture of this size, with a stripe of data: small as a file, large when unpacked."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + end


def gif_of_frames(count: int) -> bytes:
    """An animation of tiny frames, which grow only in number."""
    head = b"GIF89a" + struct.pack("<HHBBB", 2, 2, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"!\xf9\x04\0\0\0\0\0" + b"," + struct.pack("<HHHHB", 0, 0, 2, 2, 0) + b"\x02\x03D\x02\x05\0"
    return head + frame * count + b";"


def wav_claiming(size: int) -> bytes:
    """A sound whose data chunk says that it is this large."""
    whole = clips.sound(seconds=0.5)
    at = whole.index(b"data") + 4
    return whole[:at] + struct.pack("<I", size) + whole[at + 4 :]


def mp4_with(box: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A short video, the body of one of its boxes changed; its size stays."""
    whole = clips.video()
    at = whole.index(box) + 4
    size = int.from_bytes(whole[at - 8 : at - 4], "big") - 8
    changed = change(whole[at : at + size])
    assert len(changed) == size
    return whole[:at] + changed + whole[at + size :]


def webm() -> bytes:
    return clips.video("video/webm", codec="libvpx-vp9")


def webm_with_huge_element() -> bytes:
    """The first cluster says that it holds as much as eight bytes can tell."""
    whole = webm()
    at = whole.index(b"\x1f\x43\xb6\x75")
    return whole[: at + 4] + b"\x01\xff\xff\xff\xff\xff\xff\xfe" + whole[at + 12 :]


def fast_video() -> bytes:
    return clips.video("video/x-matroska", times=list(range(0, 100)), frames=100)


def playlist_naming(url: str) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}.ts\n#EXT-X-ENDLIST\n".encode()


def svg_naming(url: str) -> bytes:
    """It asks for the address as a picture and from a script."""
    return f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/><script>fetch("{url}")</script></svg>'.encode()


PLAYLIST = playlist_naming("http://127.0.0.1:1/secret")
CONCAT = b"ffconcat version 1.0\nfile /etc/passwd\n"
SVG = svg_naming("http://127.0.0.1:1/")
HTML = b"<!doctype html><script>alert(1)</script>"
NOT_TAKEN = "is no media file"


def _mp4_naming_another_file() -> bytes:
    """Its track says that the data lie in a file beside it."""
    whole = clips.video()
    entry = b"\0\0\0\x0curl \0\0\0\x01"
    other = b"\0\0\0\x0curl \0\0\0\0"
    assert entry in whole
    return whole.replace(entry, other)


def mp4_naming(url: str) -> bytes:
    """Its track says that the data lie at an address."""
    whole = clips.video()
    own = b"\0\0\0\x0curl \0\0\0\x01"
    body = b"url " + bytes(4) + url.encode() + b"\0"
    other = struct.pack(">I", len(body) + 4) + body
    at = whole.index(own)
    assert whole.index(b"mdat") < whole.index(b"moov")  # so that no place of coded data changes
    longer = bytearray(whole[:at] + other + whole[at + len(own) :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        size = longer.index(name) - 4
        struct.pack_into(
            ">I", longer, size, struct.unpack_from(">I", longer, size)[0] + len(other) - len(own)
        )
    return bytes(longer)


def _silence_of_no_length() -> bytes:
    whole = clips.sound(seconds=0.1)
    at = whole.index(b"data") + 4
    return whole[:at] + bytes(4)


def _long_video() -> bytes:
    return clips.video(times=[0, 16 * 60_000], frames=2)


# What is refused, and a word of the reason.
REFUSED: dict[str, tuple[Make, str]] = {
    "playlist.mp4": (lambda: PLAYLIST, NOT_TAKEN),
    "concat.mp4": (lambda: CONCAT, NOT_TAKEN),
    "script.svg": (lambda: SVG, NOT_TAKEN),
    "page.png": (lambda: HTML, NOT_TAKEN),
    "stars.png": (lambda: b"SIMPLE  =                    T" + b" " * 3000, NOT_TAKEN),
    "print.png": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run", NOT_TAKEN),
    "layers.png": (lambda: b"8BPS\0\x01" + bytes(2000), NOT_TAKEN),
    "empty.png": (lambda: b"", NOT_TAKEN),
    "playlist behind ftyp.mp4": (lambda: b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + PLAYLIST, "cannot be read"),
    "bomb.png": (lambda: png_of(50_000, 50_000), "50000 x 50000 pixels"),
    "cut.png": (lambda: coded("PNG", picture(300, 200))[:-500], "cannot be read"),
    "page behind the signature.png": (lambda: b"\x89PNG\r\n\x1a\n" + HTML, "cannot be read"),
    "frames.gif": (lambda: gif_of_frames(100_000), "more than 500 frames"),
    "cut.mp4": (lambda: clips.video()[:-2000], "cannot be read"),
    "cut behind its tables.mp4": (lambda: clips.video(movflags="+faststart")[:-2000], "cut short"),
    "no tables.mp4": (lambda: clips.video().replace(b"moov", b"mooo"), "cannot be read"),
    "cut.webm": (lambda: webm()[: len(webm()) // 2], "cut short"),
    "cut.avi": (lambda: clips.video("video/x-msvideo", codec="mpeg4")[:4000], "cannot be read"),
    "sixteen minutes.mp4": (_long_video, "longer than 15 minutes"),
    "huge element.webm": (webm_with_huge_element, "holds no picture"),
    "a thousand a second.mkv": (fast_video, "frames a second"),
    "wide.mp4": (lambda: clips.video(size=(8192, 64), frames=2), "8192 x 64 pixels"),
    "four billion samples.mp4": (
        lambda: mp4_with(b"stsz", lambda body: body[:8] + b"\xff" * 4 + body[12:]),
        "",
    ),
    "four billion of one size.mp4": (
        lambda: mp4_with(b"stsz", lambda body: body[:4] + b"\0\0\0\1" + b"\xff" * 4 + body[12:]),
        "",
    ),
    "a million a second.mp4": (
        lambda: mp4_with(b"mdhd", lambda body: body[:12] + struct.pack(">I", 2**31 - 1) + body[16:]),
        "frames a second",
    ),
    "cut.flac": (lambda: clips.sound("audio/flac", codec="flac", seconds=3)[:9000], ""),
    "cut.wav": (lambda: clips.sound(seconds=1)[:-1000], "cut short: it tells"),
    "cut.mp3": (
        lambda: clips.sound("audio/mpeg", codec="libmp3lame")[:-100],
        "cut short: it ends in the middle",
    ),
    "cut.aac": (lambda: clips.sound("audio/aac", codec="aac")[:-100], "cut short: it ends in the middle"),
    "cut.ogg": (lambda: clips.sound("audio/ogg", codec="libopus")[:-100], "cut short: it ends in the middle"),
    "cut within the head of a page.ogg": (
        lambda: clips.sound("audio/ogg", codec="libopus") + b"OggS\0",
        "cut short: it ends in the middle",
    ),
    "no sound.wav": (_silence_of_no_length, "holds no sound"),
    "no sound.mp4": (lambda: clips.video().replace(b"vide", b"soun"), ""),
    "noise.mp3": (lambda: b"ID3\x04\0\0\0\0\0\0" + bytes(range(256)) * 20, ""),
    "fast.wav": (lambda: clips.sound(rate=400_000, seconds=0.1), "400,000 samples a second"),
}

# What is taken, and shown as what it says it is; nothing in it is followed.
SHOWN: dict[str, Make] = {
    "a page after the end.png": lambda: coded("PNG", picture(30, 20)) + HTML,
    "four gigabytes.wav": lambda: wav_claiming(0xFFFFFFFF),
    "names another file.mp4": _mp4_naming_another_file,
}
