"""Opens video in the child process; see child.py."""

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, BinaryIO

from PIL import Image

from annotate.modalities.audio_child import CODEC_NAMES
from annotate.modalities.child import Unfit
from annotate.modalities.streams import THREADS, opened, remux
from annotate.modalities.video_track import Track, main_video, read_track
from annotate.modalities.video_web import displayed, write_web
from annotate.modalities.webp import THUMB_SIDE, save_webp

POSTER_SIDE = 1280
_FIRST_FRAMES, _LAST_FRAMES = (
    10,
    120,
)  # decoded to see that the file opens; the last ones from their key frame on
_TELLING = 12.0  # spread of brightness, of 255: below it a frame is as good as blank
_POSTER_SECONDS = 3.0  # how far a telling frame is looked for
_MUXERS = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/ogg": "ogg",
}
_TURNS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    -90: Image.Transpose.ROTATE_270,
}


def examine(
    source: BinaryIO, media_type: str, wanted: Mapping[str, BinaryIO]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """See child.py. Of the original every packet is read; to see that it opens, its ends are decoded."""
    track = read_track(source, media_type)
    first, size = _decode_ends(source, media_type, track)
    rotation = 180 if first.rotation == -180 else first.rotation
    probe = {
        "width": size[0],
        "height": size[1],
        "duration": track.duration,
        "fps": float(track.fps),
        "fps_ratio": f"{track.fps.numerator}/{track.fps.denominator}",
        "frames": len(track.times),
        "variable_fps": track.variable_fps,
        "video_codec": CODEC_NAMES.get(track.codec, track.codec),
        "audio_codec": CODEC_NAMES.get(track.audio_codec or "", track.audio_codec),
        "rotation": rotation,
        "has_audio": track.audio_codec is not None,
    }
    made = {}
    if "web" in wanted:
        made["web"] = write_web(source, media_type, track, rotation, wanted["web"])
        if "frames" in wanted:
            made["frames"] = _write_frames(wanted["web"], wanted["frames"])
    if "poster" in wanted or "thumb" in wanted:
        picture = _telling_picture(source, media_type, size, rotation)
        if "poster" in wanted:
            made["poster"] = save_webp(picture, wanted["poster"], POSTER_SIDE, quality=90)
        if "thumb" in wanted:
            made["thumb"] = save_webp(picture, wanted["thumb"], THUMB_SIDE, quality=80)
    return probe, made


def strip(source: BinaryIO, media_type: str, target: BinaryIO) -> None:
    """See child.py."""
    remux(source, media_type, target, _MUXERS[media_type])


def _decode_ends(source: BinaryIO, media_type: str, track: Track) -> tuple[Any, tuple[int, int]]:
    """The first frame, and the size at which the video is meant to be seen.

    Raises:
        Unfit: no picture comes out of the first packets.
    """
    with opened(source, media_type) as container:
        video = main_video(container)
        frames = list(islice(container.decode(video), _FIRST_FRAMES))
        if not frames:
            raise Unfit("holds no picture that can be decoded.")
        if container.streams.audio:
            container.seek(0)
            next(iter(container.decode(container.streams.audio[0])), None)
        container.seek(round((track.start + track.times[-1]) / video.time_base), stream=video)
        for _ in islice(container.decode(video), _LAST_FRAMES):
            pass
        return frames[0], displayed(video.codec_context, frames[0].rotation)


def _write_frames(web: BinaryIO, target: BinaryIO) -> dict[str, Any]:
    """When each frame of the rendition is shown, for a viewer that steps from one to the next."""
    track = read_track(web, "video/mp4")
    told = {
        "fps": [track.fps.numerator, track.fps.denominator],
        "times": [round(at, 6) for at in track.times],
    }
    target.write(json.dumps(told, separators=(",", ":")).encode())
    return {"media_type": "application/json", "frames": len(track.times)}


def _telling_picture(source: BinaryIO, media_type: str, size: tuple[int, int], rotation: int) -> Image.Image:
    """The first frame, upright, that is not as good as blank, or of those looked at the richest."""
    best, spread = None, -1.0
    with opened(source, media_type) as container:
        video = main_video(container)
        video.codec_context.thread_count = THREADS
        for frame in container.decode(video):
            found = float(frame.reformat(width=64, height=64, format="gray").to_ndarray().std())
            if found > spread:
                best, spread = frame, found
            if spread >= _TELLING or (frame.time or 0.0) > _POSTER_SECONDS:
                break
        assert best is not None
        picture: Image.Image = best.to_image()
        if rotation in _TURNS:
            picture = picture.transpose(_TURNS[rotation])
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)
