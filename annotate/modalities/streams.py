"""Video and sound through PyAV, which carries FFmpeg. Runs in the child process only; see child.py.

A container is opened from a file object with the format that our own sniffing found: no name, no guess, no playlist
that leads elsewhere. Whatever a container asks to open besides is refused.
"""

import io
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import av
from av.container import InputContainer, OutputContainer

from annotate.modalities.child import Unfit

THREADS = 2  # more would only fill the memory allowed: several children work at once
_DEMUXERS = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "audio/mp4": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/ogg": "ogg",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
}


def opened(source: BinaryIO, media_type: str) -> InputContainer:
    """The container, at its beginning. Close it by `with`.

    Raises:
        av.FFmpegError: not of this format.
    """
    source.seek(0)
    return av.open(
        source,
        mode="r",
        format=_DEMUXERS[media_type],
        io_open=_refuse,
        metadata_errors="replace",
    )


def _refuse(url: str, flags: int, options: dict[str, Any]) -> Any:
    raise Unfit("refers to another file.")


def created(target: BinaryIO, format: str, options: dict[str, str] | None = None) -> OutputContainer:
    """A container to be written, without a word on who wrote it or when."""
    return av.open(
        target,
        mode="w",
        format=format,
        options={"fflags": "+bitexact", **(options or {})},
        io_open=lambda url, flags, options: _Reader(target),
    )


class _Reader(io.RawIOBase):
    """Reads what a muxer has written already, at a place of its own: to put an MP4's tables before its data."""

    def __init__(self, target: BinaryIO) -> None:
        target.flush()
        self._descriptor = target.fileno()
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence)
        self._at = offset + (os.fstat(self._descriptor).st_size if start is None else start)
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = os.pread(self._descriptor, len(buffer), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def pulled(graph: av.filter.Graph) -> Iterator[Any]:
    """The frames that a filter graph has ready."""
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def remux(source: BinaryIO, media_type: str, target: BinaryIO, format: str) -> None:
    """The same coded pictures and sounds in a fresh container: no tag, chapter, attachment or subtitle."""
    with opened(source, media_type) as given, created(target, format) as made:
        kept, framings = {}, {}
        for stream in given.streams:
            if stream.type in ("video", "audio") and not is_cover(stream):
                kept[stream.index] = made.add_stream_from_template(stream)
                framings[stream.index] = _framing(stream, kept[stream.index], format)
        for packet in given.demux([given.streams[index] for index in kept]):
            if packet.dts is not None or packet.pts is not None:
                index = packet.stream.index
                framing = framings[index]
                for framed in framing.filter(packet) if framing else [packet]:
                    framed.stream = kept[index]
                    made.mux(framed)


def _framing(given: Any, made: Any, format: str) -> av.BitStreamFilterContext | None:
    """What frames the packets of a stream as the container has them, where that is not as they come.

    AVI is written with H.264's units behind start codes only, but real ones hold them behind their lengths, as MP4 does.
    """
    coded = given.codec_context
    if format == "avi" and coded.name == "h264" and (coded.extradata or b"").startswith(b"\1"):
        return av.BitStreamFilterContext("h264_mp4toannexb", given, made)
    return None


def is_cover(stream: Any) -> bool:
    """A picture that is attached, not a track."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)
