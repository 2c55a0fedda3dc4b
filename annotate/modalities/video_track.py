"""Reading a video's packets: true times of its frames, and what its container says of them."""

import itertools
from dataclasses import dataclass
from fractions import Fraction
from statistics import median
from typing import Any, BinaryIO

from annotate.modalities.child import Unfit
from annotate.modalities.streams import is_cover, opened

MAX_SECONDS = 15 * 60
MAX_SIDE, MAX_PIXELS = 4096, 4096 * 2304
MAX_FPS = 240
# FFmpeg's decoders of what is taken.
_CODECS = {
    "av1",
    "ffv1",
    "h264",
    "hevc",
    "libdav1d",
    "mjpeg",
    "mpeg1video",
    "mpeg2video",
    "mpeg4",
    "msmpeg4v3",
    "png",
    "prores",
    "rawvideo",
    "theora",
    "vp8",
    "vp9",
}
_SHORT = 0.5  # seconds that may be missing from what the container says: sound and picture end apart


@dataclass(frozen=True)
class Track:
    """A container's video, from its packets alone."""

    width: int
    height: int
    times: list[float]  # seconds, in the order shown
    start: float  # seconds: when the container's clock begins
    duration: float  # seconds, of the longer of sound and picture
    fps: Fraction
    variable_fps: bool
    codec: str
    pixels: str  # FFmpeg's name of the pixel format
    audio_codec: str | None
    plain: bool  # times are told, rise, and no packet is there to be thrown away: it can be copied as it is


def read_track(source: BinaryIO, media_type: str) -> Track:
    """
    Raises:
        Unfit: no video, or one that breaks a limit or is cut short.
    """
    with opened(source, media_type) as container:
        stream = main_video(container)
        context = stream.codec_context
        _check(context)
        audio = container.streams.audio[0] if container.streams.audio else None
        ends = {stream.index: 0.0}
        stamps: list[tuple[int, int]] = []  # when shown, when decoded
        plain = True
        for packet in container.demux([stream, audio] if audio else [stream]):
            if not packet.size:
                continue
            told = packet.pts if packet.pts is not None else packet.dts
            if told is None:
                raise Unfit("does not say when its pictures are shown.")
            at = float(told * packet.time_base)
            ends[packet.stream.index] = max(
                ends.get(packet.stream.index, 0.0), at + float((packet.duration or 0) * packet.time_base)
            )
            if packet.stream.index == stream.index:
                plain &= packet.pts is not None and packet.dts is not None and not packet.is_discard
                if not packet.is_discard:
                    stamps.append((told, packet.dts if packet.dts is not None else told))
                if len(stamps) > MAX_SECONDS * MAX_FPS:
                    raise Unfit(f"has more than {MAX_SECONDS * MAX_FPS:,} frames.")
        if not stamps:
            raise Unfit("holds no picture.")
        # An AVI counts places in its clock, of which some may be empty.
        if stream.frames > len(stamps) and plain and media_type != "video/x-msvideo":
            raise Unfit(f"is cut short: it tells {stream.frames:,} frames and holds {len(stamps):,}.")
        shown = sorted(stamp for stamp, _ in stamps)
        decoded = [stamp for _, stamp in stamps]
        start = (container.start_time or 0) / 1_000_000 if audio else float(shown[0] * stream.time_base)
        plain &= len(set(shown)) == len(shown) and all(a < b for a, b in itertools.pairwise(decoded))
        base = stream.time_base
        times = [float(stamp * base) - start for stamp in shown]
        fps, variable = _rate(times, float(base), stream.average_rate)
        told_duration = (container.duration or 0) / 1_000_000
        duration = max(max(ends.values()) - start, times[-1] - times[0] + float(1 / fps))
        if told_duration - duration > _SHORT + 0.01 * told_duration:
            raise Unfit(f"is cut short: it tells {told_duration:.1f} s and holds {duration:.1f} s.")
        if duration > MAX_SECONDS:
            raise Unfit(f"is longer than {MAX_SECONDS // 60} minutes.")
        return Track(
            width=context.width,
            height=context.height,
            times=times,
            start=start,
            duration=told_duration
            if told_duration > 0 and abs(told_duration - duration) < _SHORT
            else duration,
            fps=fps,
            variable_fps=variable,
            codec=context.name,
            pixels=context.pix_fmt or "",
            audio_codec=audio.codec_context.name if audio else None,
            plain=plain and (media_type != "video/x-msvideo" or not context.has_b_frames),
        )


def main_video(container: Any) -> Any:
    """The first track of pictures that is no attached cover."""
    for stream in container.streams.video:
        if not is_cover(stream):
            return stream
    raise Unfit("holds no picture.")


def _check(context: Any) -> None:
    if context is None or context.name not in _CODECS:
        name = context.name if context is not None else "something unknown"
        raise Unfit(f"is coded as {name}, which is not taken.")
    width, height = context.width, context.height
    if width < 1 or height < 1:
        raise Unfit("does not say how large its picture is.")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise Unfit(f"is {width} x {height} pixels; at most {MAX_SIDE} x {MAX_PIXELS // MAX_SIDE} are taken.")


def _rate(times: list[float], tick: float, told: Fraction | None) -> tuple[Fraction, bool]:
    """Frames a second, as the container says where its frames agree, and whether they come unevenly.

    Raises:
        Unfit: more than any screen shows.
    """
    intervals = [later - earlier for earlier, later in itertools.pairwise(times)]
    usual = median(intervals) if intervals else 0.0
    # Clocks of whole milliseconds make intervals of 33, 33 and 34 out of thirty frames a second.
    variable = any(abs(interval - usual) > max(0.1 * usual, 2 * tick) for interval in intervals)
    span = times[-1] - times[0]
    found = Fraction(len(intervals) / span).limit_denominator(1001) if span > 0 else None
    fps = told or found
    if found and told and abs(found / told - 1) > 0.02:
        fps = found
    if not fps or fps <= 0:
        raise Unfit("does not say how long its pictures are shown.")
    if fps > MAX_FPS:
        raise Unfit(f"has {float(fps):,.0f} frames a second; at most {MAX_FPS} are taken.")
    return fps, variable
