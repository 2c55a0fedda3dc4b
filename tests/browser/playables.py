"""Small videos and sounds made by code, with the files that viewers ask for, as an import would have made them."""

import io
import json
import wave
from fractions import Fraction
from typing import Any
from uuid import uuid4

import av
import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from annotate.models import Asset, Derivative, Modality, Project
from tests.factories import make_asset
from tests.media import glb

RATE = 16000  # samples a second of every sound made here
GREY_STEP = 4  # how much brighter each frame of a video is than the one before


def derive(asset: Asset, kind: str, media_type: str, content: bytes) -> None:
    """A file made from an asset for viewing, as a row and in the store."""
    key = default_storage.save(f"derivatives/{uuid4().hex}", ContentFile(content))
    Derivative.objects.create(asset=asset, kind=kind, media_type=media_type, size=len(content), key=key)


def still(grey: int, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (grey, grey, grey)).save(out, "WEBP")
    return out.getvalue()


def tone(hertz: float, seconds: float, level: float = 0.5) -> np.ndarray:
    """Samples of one sine, 16 bits."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * 32767 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def encode_video(
    frames: int,
    fps: Fraction,
    size: tuple[int, int] = (160, 120),
    sound: np.ndarray | None = None,
    colour: tuple[int, int, int] | None = None,
) -> bytes:
    """An MP4 of one colour, or whose frame n is of the one grey that tells n: 16 + n * GREY_STEP, modulo 200."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "12", "preset": "ultrafast"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        heard = container.add_stream("aac", rate=RATE) if sound is not None else None
        for number in range(frames):
            grey = 16 + number * GREY_STEP % 200
            pixels = np.full((size[1], size[0], 3), colour or (grey, grey, grey), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
        if heard is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = RATE
            container.mux(heard.encode(frame))
            container.mux(heard.encode())
    return out.getvalue()


def make_video(
    project: Project,
    *,
    frames: int = 60,
    fps: Fraction = Fraction(30),
    size: tuple[int, int] = (160, 120),
    sound: np.ndarray | None = None,
) -> Asset:
    content = encode_video(frames, fps, size, sound)
    times = [float(number / fps) for number in range(frames)]
    return video_of(project, content, size, times, fps=fps, sound=sound is not None)


def video_of(
    project: Project,
    content: bytes,
    size: tuple[int, int],
    times: list[float],
    *,
    fps: Fraction = Fraction(10),
    sound: bool = False,
) -> Asset:
    """An asset that is shown as this MP4, whose frames are shown at `times`, in seconds."""
    probe = {
        "width": size[0],
        "height": size[1],
        "duration": float(len(times) / fps),
        "fps": float(fps),
        "frames": len(times),
        "variable_fps": False,
        "has_audio": sound,
    }
    asset = make_asset(project, content, modality=Modality.VIDEO, extension="mp4", probe=probe)
    if not asset.derivatives.exists():
        listed = {"fps": [fps.numerator, fps.denominator], "times": times}
        derive(asset, "web", "video/mp4", content)
        derive(asset, "poster", "image/webp", still(16, size))
        derive(asset, "thumb", "image/webp", still(16, size))
        derive(asset, "frames", "application/json", json.dumps(listed).encode())
    return asset


def wav(samples: np.ndarray) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return out.getvalue()


def peaks_of(samples: np.ndarray, per_second: int = 50) -> dict[str, Any]:
    each = RATE // per_second
    stretches = [samples[start : start + each] for start in range(0, len(samples), each)]
    data = [int(edge(stretch) / 256) for stretch in stretches for edge in (np.min, np.max)]
    seconds = len(samples) / RATE
    return {"version": 1, "channels": 1, "seconds": seconds, "pairs_per_second": per_second, "data": data}


def make_sound(project: Project, samples: np.ndarray, *, loudness: float | None = -20.0) -> Asset:
    content = wav(samples)
    probe = {
        "duration": len(samples) / RATE,
        "sample_rate": RATE,
        "channels": 1,
        "loudness": loudness,
        "true_peak": -1.0,
    }
    asset = make_asset(project, content, modality=Modality.AUDIO, extension="wav", probe=probe)
    if not asset.derivatives.exists():
        derive(asset, "web", "audio/wav", content)
        derive(asset, "peaks", "application/json", json.dumps(peaks_of(samples)).encode())
    return asset


def make_model(project: Project, document: dict[str, Any], binary: bytes = b"", **probe: Any) -> Asset:
    """A GLB of this document."""
    content = glb.glb(document, binary)
    asset = make_asset(project, content, modality=Modality.MESH, extension="glb", probe=probe)
    if not asset.derivatives.exists():
        derive(asset, "web", "model/gltf-binary", content)
        derive(asset, "thumb", "image/webp", still(157, (320, 320)))
    return asset


def cube_document(size: float = 1.0, colour: tuple[float, float, float] = (0.8, 0.2, 0.2)) -> Any:
    """A plain cube of one colour: the document and its binary part."""
    document, binary = glb.solid(*glb.cube(size))
    document["materials"] = [{"pbrMetallicRoughness": {"baseColorFactor": [*colour, 1], "metallicFactor": 0}}]
    document["meshes"][0]["primitives"][0]["material"] = 0
    return document, binary


def points_document(count: int = 500) -> Any:
    """A cloud of points on a spiral: the document and its binary part."""
    turn = np.linspace(0, 40, count)
    positions = np.stack([np.cos(turn) * turn, turn, np.sin(turn) * turn], axis=1)
    document, binary = glb.solid(positions, [], COLOR_0=np.tile([0.1, 0.2, 0.9], (count, 1)))
    primitive = document["meshes"][0]["primitives"][0]
    primitive["mode"] = 0
    del primitive["indices"]
    del document["accessors"][2], document["bufferViews"][2]
    return document, binary
