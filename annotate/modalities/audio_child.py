"""Opens sound in the child process; see child.py."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import av
import numpy as np
from av.container import InputContainer
from pydub import AudioSegment

from annotate.modalities.audio_ending import check_container, is_whole_frame
from annotate.modalities.child import Unfit
from annotate.modalities.loudness import Meter
from annotate.modalities.streams import created, opened, remux

MAX_SECONDS = 30 * 60
RATES = (4_000, 192_000)  # samples a second
MAX_CHANNELS = 8
MAX_PEAKS = 4_000
_CODECS = {"aac", "alac", "flac", "mp3", "mp3float", "opus", "vorbis"}
CODEC_NAMES = {"mp3float": "mp3"}  # FFmpeg's decoders go by names of their own
_MUXERS = {"audio/ogg": "ogg", "audio/mp4": "ipod"}
_FINE = 200  # peaks a second, before some are put together
# These say how long they are to the sample; others guess. See audio_ending.py for what ends too early besides.
_TELL_LENGTH = {"audio/flac", "audio/mp4"}


def examine(
    source: BinaryIO, media_type: str, wanted: Mapping[str, BinaryIO]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """See child.py. The sound is decoded once, from beginning to end, whatever is wanted."""
    check_container(source, media_type)
    with opened(source, media_type) as container:
        if not container.streams.audio:
            raise Unfit("holds no sound.")
        stream = container.streams.audio[0]
        codec = stream.codec_context.name
        if codec not in _CODECS and not codec.startswith(("pcm_", "adpcm_")):
            raise Unfit(f"is coded as {codec}, which is not taken.")
        told = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        meter, web, peaks = Meter(), None, None
        first: av.AudioFrame | None = None
        samples = 0
        for frame in _decoded(container, stream, media_type):
            if first is None:
                first = frame
                _check(frame)
                web = _Web(wanted["web"], frame, codec) if "web" in wanted else None
                peaks = _Peaks(frame) if "peaks" in wanted else None
            elif (frame.sample_rate, frame.layout.name) != (first.sample_rate, first.layout.name):
                raise Unfit("changes its channels or its samples a second midway.")
            samples += frame.samples
            if samples > MAX_SECONDS * frame.sample_rate:
                raise Unfit(f"is longer than {MAX_SECONDS // 60} minutes.")
            meter.hear(frame)
            if web:
                web.write(frame)
            if peaks:
                peaks.hear(frame)
    if first is None:
        raise Unfit("holds no sound.")
    duration = samples / first.sample_rate
    if media_type in _TELL_LENGTH and told - duration > 0.25 + 0.01 * told:
        raise Unfit(f"is cut short: it tells {told:.1f} s of sound and holds {duration:.1f} s.")
    probe = {
        "duration": duration,
        "sample_rate": first.sample_rate,
        "channels": first.layout.nb_channels,
        "codec": CODEC_NAMES.get(codec, codec),
        **meter.result(),
    }
    made = {}
    if web:
        made["web"] = web.end()
    if peaks:
        made["peaks"] = peaks.write(wanted["peaks"], duration)
    return probe, made


def _decoded(container: InputContainer, stream: av.AudioStream, media_type: str) -> Iterator[av.AudioFrame]:
    """
    Raises:
        Unfit: the last frame is not whole.
    """
    whole = True
    for packet in container.demux(stream):
        if packet.size:  # the last one, which brings out what the decoder still holds, is empty
            whole = is_whole_frame(bytes(packet), media_type)
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            if whole:
                raise
    if not whole:
        raise Unfit("is cut short: it ends in the middle of a frame.")


def _check(frame: av.AudioFrame) -> None:
    rate, channels = frame.sample_rate, frame.layout.nb_channels
    if not RATES[0] <= rate <= RATES[1]:
        raise Unfit(f"has {rate:,} samples a second; {RATES[0]:,} to {RATES[1]:,} are taken.")
    if not 1 <= channels <= MAX_CHANNELS:
        raise Unfit(f"has {channels} channels; at most {MAX_CHANNELS} are taken.")


def strip(source: BinaryIO, media_type: str, target: BinaryIO) -> None:
    """See child.py."""
    remux(source, media_type, target, _MUXERS[media_type])


class _Web:
    """FLAC, whatever the original was: no player adds silence to it, and the type tells the sides not apart.

    The samples are the decoder's own; more than two channels are mixed down to two. What was coded without loss
    in more than 16 bits keeps 24.
    """

    def __init__(self, target: BinaryIO, frame: av.AudioFrame, codec: str) -> None:
        lossless = codec.startswith("pcm_") or codec in ("flac", "alac")
        deep = lossless and frame.format.name not in ("u8", "u8p", "s16", "s16p")
        self._channels = min(2, frame.layout.nb_channels)
        self._rate = frame.sample_rate
        self._container = created(target, "flac")
        self._stream: Any = self._container.add_stream("flac", rate=self._rate)
        self._stream.codec_context.format = "s32" if deep else "s16"
        self._stream.codec_context.layout = "mono" if self._channels == 1 else "stereo"

    def write(self, frame: av.AudioFrame) -> None:
        pts, frame.pts = frame.pts, None  # one sample after the other, whatever the container says of times
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
        frame.pts = pts

    def end(self) -> dict[str, Any]:
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()
        return {"media_type": "audio/flac", "sample_rate": self._rate, "channels": self._channels}


class _Peaks:
    """Lowest and highest values of one sample after the other, of all channels together: a waveform to be drawn."""

    def __init__(self, frame: av.AudioFrame) -> None:
        self._rate = frame.sample_rate
        self._step = max(1, round(self._rate / _FINE))
        self._to_16_bits = av.AudioResampler(format="s16", layout=frame.layout, rate=self._rate)
        self._waiting = np.empty(0, np.int16)
        self._lowest: list[np.ndarray[Any, np.dtype[np.int16]]] = []
        self._highest: list[np.ndarray[Any, np.dtype[np.int16]]] = []

    def hear(self, frame: av.AudioFrame) -> None:
        pts, frame.pts = frame.pts, None
        for plain in self._to_16_bits.resample(frame):
            channels = plain.layout.nb_channels
            heard = AudioSegment(
                data=bytes(plain.planes[0])[: plain.samples * channels * 2],
                sample_width=2,
                frame_rate=self._rate,
                channels=channels,
            ).set_channels(1)
            self._waiting = np.concatenate([self._waiting, np.frombuffer(heard.raw_data, np.int16)])
        frame.pts = pts
        whole = len(self._waiting) // self._step
        self._take(whole)

    def _take(self, whole: int) -> None:
        if whole:
            blocks = self._waiting[: whole * self._step].reshape(whole, self._step)
            self._lowest.append(blocks.min(axis=1))
            self._highest.append(blocks.max(axis=1))
            self._waiting = self._waiting[whole * self._step :]

    def write(self, target: BinaryIO, duration: float) -> dict[str, Any]:
        if missing := -len(self._waiting) % self._step:
            self._waiting = np.pad(self._waiting, (0, missing), mode="edge")
        self._take(len(self._waiting) // self._step)
        lowest, highest = np.concatenate(self._lowest), np.concatenate(self._highest)
        together = math.ceil(len(lowest) / MAX_PEAKS)
        starts = np.arange(0, len(lowest), together)
        pairs = np.stack(
            [np.minimum.reduceat(lowest, starts) >> 8, np.maximum.reduceat(highest, starts) >> 8], axis=1
        )
        told = {
            "version": 1,
            "channels": 1,
            "seconds": duration,
            "pairs_per_second": self._rate / (self._step * together),
            "data": pairs.ravel().tolist(),
        }
        target.write(json.dumps(told, separators=(",", ":")).encode())
        return {"media_type": "application/json"}
