"""A video as every browser plays it: MP4 with H.264 and AAC, its tables in front, no metadata.

What is coded so already is copied as it is; the rest is coded anew, at most 1080p, so finely that it is not seen.
"""

from fractions import Fraction
from typing import Any, BinaryIO

import av

from annotate.modalities.streams import THREADS, created, opened, pulled
from annotate.modalities.video_track import Track, main_video

LONG_SIDE, SHORT_SIDE = 1920, 1080
_H264_OPTIONS = {"crf": "18", "preset": "veryfast", "profile": "high"}
_AAC_BITS = 192_000
_AAC_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}
_BT709, _UNSPECIFIED, _TV_RANGE = 1, 2, 1  # as FFmpeg numbers them
_HD_LINES = 720
_BROWSERS_PLAY = {"yuv420p", "yuvj420p"}


# Counter-clockwise degrees by which a picture must be turned to be seen upright, and the filter that does it.
_TURNS = {0: "", 90: "transpose=cclock,", 180: "hflip,vflip,", -90: "transpose=clock,"}


def write_web(
    source: BinaryIO, media_type: str, track: Track, rotation: int, target: BinaryIO
) -> dict[str, Any]:
    """Write it into `target`, and return what describes it. `rotation`: as of a decoded frame."""
    copied = track.plain and track.codec == "h264" and track.pixels in _BROWSERS_PLAY and not rotation
    with opened(source, media_type) as given, created(target, "mp4", {"movflags": "+faststart"}) as made:
        video = main_video(given)
        pictures: _Copy | _Pictures = (
            _Copy(made, video, track) if copied else _Pictures(made, video, track, rotation)
        )
        ways: dict[int, _Copy | _Pictures | _Sound] = {video.index: pictures}
        if given.streams.audio:
            audio = given.streams.audio[0]
            ways[audio.index] = (
                _Copy(made, audio, track) if audio.codec_context.name == "aac" else _Sound(made, audio, track)
            )
        for packet in given.demux([given.streams[index] for index in ways]):
            ways[packet.stream.index].take(packet)  # at the end an empty one for each
    return {"media_type": "video/mp4", "width": pictures.width, "height": pictures.height}


class _Copy:
    """A track as it is coded, its times counted from the beginning."""

    def __init__(self, made: Any, stream: Any, track: Track) -> None:
        self._made = made
        self._stream = made.add_stream_from_template(stream)
        self._start = round(track.start / stream.time_base)
        self.width, self.height = track.width, track.height

    def take(self, packet: Any) -> None:
        if packet.dts is None:
            return
        packet.dts -= self._start
        packet.pts -= self._start
        packet.stream = self._stream
        self._made.mux(packet)


class _Pictures:
    """Decoded, turned upright, made to fit, and coded as H.264."""

    def __init__(self, made: Any, stream: Any, track: Track, rotation: int) -> None:
        self._made = made
        self._given = stream
        self._given.codec_context.thread_count = THREADS
        self._turn = _TURNS.get(rotation, "")
        self.width, self.height = fitting(displayed(stream.codec_context, rotation))
        self._base: Fraction = stream.time_base
        self._start = round(track.start / self._base)
        self._last = -1
        self._graph: Any = None
        self._shape: tuple[Any, ...] = ()
        options = {**_H264_OPTIONS, "g": str(max(1, min(round(track.fps), 60)))}
        self._stream = made.add_stream("libx264", rate=track.fps, options=options)
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = self.width, self.height, "yuv420p"
        context.time_base = self._base
        context.thread_count = THREADS
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _TV_RANGE

    def take(self, packet: Any) -> None:
        for frame in packet.decode():
            shape = (frame.width, frame.height, frame.format.name)
            if shape != self._shape:
                self._shape, self._graph = shape, self._filters(frame)
            frame.time_base = self._base
            frame.pts = max((frame.pts or 0) - self._start, self._last + 1)
            self._last = frame.pts
            self._graph.push(frame)
            for ready in pulled(self._graph):
                ready.pict_type = 0  # the encoder decides, not the original
                self._made.mux(self._stream.encode(ready))
        if not packet.size:
            self._made.mux(self._stream.encode(None))

    def _filters(self, frame: Any) -> Any:
        graph = av.filter.Graph()
        chain = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=self._base
        )
        # Of large pictures that do not say it, players take BT.709 for granted; of small ones, BT.601.
        silent = frame.colorspace == _UNSPECIFIED and frame.height >= _HD_LINES
        colours = f"{'in_color_matrix=bt709:' if silent else ''}out_color_matrix=bt709:out_range=tv"
        steps = f"{self._turn}scale={self.width}:{self.height}:flags=lanczos:{colours}"
        for step in [*steps.split(","), "setsar=1", "format=yuv420p"]:
            name, _, arguments = step.partition("=")
            following = graph.add(name, arguments or None)
            chain.link_to(following)
            chain = following
        chain.link_to(graph.add("buffersink"))
        graph.configure()
        return graph


class _Sound:
    """Decoded, its gaps filled with silence, and coded as AAC in at most two channels."""

    def __init__(self, made: Any, stream: Any, track: Track) -> None:
        self._made = made
        self._given = stream
        self._start = round(track.start / stream.time_base)
        self._graph: Any = None
        rate = stream.codec_context.sample_rate
        self._rate = rate if rate in _AAC_RATES else 48_000
        self._layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        self._stream = made.add_stream("aac", rate=self._rate)
        self._stream.codec_context.layout = self._layout
        self._stream.codec_context.bit_rate = _AAC_BITS

    def take(self, packet: Any) -> None:
        for frame in packet.decode():
            if self._graph is None:
                self._graph = self._filters(frame)
            if frame.pts is not None:
                frame.pts -= self._start
            self._graph.push(frame)
            self._mux_ready()
        if not packet.size:
            if self._graph is not None:
                self._graph.push(None)
                self._mux_ready()
            self._made.mux(self._stream.encode(None))

    def _mux_ready(self) -> None:
        for ready in pulled(self._graph):
            self._made.mux(self._stream.encode(ready))

    def _filters(self, frame: Any) -> Any:
        graph = av.filter.Graph()
        chain = graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=frame.time_base,
        )
        wanted = f"sample_fmts=fltp:sample_rates={self._rate}:channel_layouts={self._layout}"
        for name, arguments in (("aresample", f"{self._rate}:async=1:first_pts=0"), ("aformat", wanted)):
            following = graph.add(name, arguments)
            chain.link_to(following)
            chain = following
        chain.link_to(graph.add("abuffersink"))
        graph.configure()
        return graph


def displayed(context: Any, rotation: int) -> tuple[int, int]:
    """Width and height as they are meant to be seen."""
    width, height = context.width, context.height
    if context.sample_aspect_ratio:
        width = max(1, round(width * context.sample_aspect_ratio))
    return (height, width) if rotation % 180 else (width, height)


def fitting(size: tuple[int, int]) -> tuple[int, int]:
    """The size made to fit the screen, in even numbers, as H.264 wants them."""
    scale = min(1.0, LONG_SIDE / max(size), SHORT_SIDE / min(size))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in size)
    return width, height
