"""The child process that opens images: no network, little memory, nothing to write to.

Started as a script of its own, so that it holds neither Django nor any secret. It answers requests on its standard
input until that closes:

    request   length of header (4 bytes, big endian), header, image
              header: {"size": bytes of the image, "format": "PNG"}
    answer    length of header, header, derivatives
              header: {"probe": {...}, "derivatives": [{"kind", "media_type", "size", "width", "height"}]}
              or {"error": text}
"""

import ctypes
import io
import json
import resource
import struct
import sys
import warnings
from typing import Any, BinaryIO

from PIL import GifImagePlugin, Image, ImageCms, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

MAX_PIXELS = 64 * 1024 * 1024  # 8192 x 8192
MAX_FRAMES = 500
MAX_ANIMATION_PIXELS = 96 * 1024 * 1024  # of all frames together, as they are kept
WEB_SIDE = 2048
THUMB_SIDE = 320
MEMORY = 2 * 1024**3
CPU_SECONDS = 25
# Up to here a still is shown without loss: what is judged is the picture itself, not our compression of it.
LOSSLESS_PIXELS = 1536 * 1024
_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)  # orientations that exchange width and height

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PLUGINS = (GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)


class Unfit(Exception):
    """The image breaks a limit."""


def lock_down() -> None:
    """Give up the network where the system lets us, and bound what one process may take."""
    unshare = getattr(ctypes.CDLL(None), "unshare", None)
    if unshare and unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        unshare(_CLONE_NEWNET)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


def allow_cpu() -> None:
    """So many more seconds from now; the kernel ends us after them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_SECONDS, hard))


def examine(data: bytes, format: str) -> tuple[dict[str, Any], list[tuple[dict[str, Any], bytes]]]:
    """The image's probe, and its derivatives with what describes them."""
    with Image.open(io.BytesIO(data), formats=[format]) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise Unfit(f"is {width} x {height} pixels; at most {MAX_PIXELS:,} are taken.")
        frames = _frames(image)
        if image.getexif().get(_ORIENTATION, 1) in _LYING and len(frames) == 1:
            width, height = height, width
        probe = {"width": width, "height": height, "frames": len(frames), "mode": image.mode}
        if len(frames) == 1:
            still = _still(image)
            made = [_derivative("web", [still], WEB_SIDE), _derivative("thumb", [still], THUMB_SIDE)]
        else:
            pictures = [picture for picture, _ in frames]
            durations = [duration for _, duration in frames]
            made = [
                _derivative("web", pictures, WEB_SIDE, durations),
                _derivative("thumb", pictures[:1], THUMB_SIDE),
            ]
    return probe, made


def _frames(image: Image.Image) -> list[tuple[Image.Image, int]]:
    """(picture, milliseconds) of each frame of an animation, of the size to be kept; for a still, itself."""
    if not getattr(image, "is_animated", False):
        return [(image, 0)]
    frames: list[tuple[Image.Image, int]] = []
    kept = 0
    scale = min(1.0, WEB_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    while True:
        try:
            image.seek(len(frames))
        except EOFError:
            return frames
        if len(frames) >= MAX_FRAMES:
            raise Unfit(f"has more than {MAX_FRAMES} frames.")
        kept += size[0] * size[1]
        if kept > MAX_ANIMATION_PIXELS:
            raise Unfit(f"is an animation of more than {MAX_ANIMATION_PIXELS:,} pixels in all its frames.")
        picture = image.convert("RGBA")
        if size != picture.size:
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        frames.append((picture, int(image.info.get("duration") or 100)))


def _still(image: Image.Image) -> Image.Image:
    """The picture as it is meant to be seen: turned upright, in sRGB, eight bits, with alpha only if it has some."""
    if image.format == "JPEG":
        image.draft(None, (WEB_SIDE, WEB_SIDE))  # a far larger picture is unpacked at a half or a quarter
    image.load()
    profile = image.info.get("icc_profile")
    if max(image.size) > WEB_SIDE and image.mode in ("RGB", "RGBA", "L", "LA", "CMYK"):
        image = image.copy()
        image.thumbnail((WEB_SIDE, WEB_SIDE), Image.Resampling.LANCZOS)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode == "P" or image.mode == "PA":
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    elif "transparency" in image.info or image.mode in ("LA", "La", "RGBa"):
        image = image.convert("RGBA")
    wanted = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode=wanted)
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a profile that fits no picture: shown as if it were sRGB, as browsers do
    return image.convert(wanted)


def _derivative(
    kind: str, pictures: list[Image.Image], side: int, durations: list[int] | None = None
) -> tuple[dict[str, Any], bytes]:
    """WebP without metadata. Every derivative is of one type, so that it tells nothing of its original."""
    picture = pictures[0]
    if max(picture.size) > side:
        picture = picture.copy()
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    picture.info = {}
    written = io.BytesIO()
    if durations:
        picture.save(
            written,
            "WEBP",
            save_all=True,
            append_images=pictures[1:],
            duration=durations,
            quality=80,
            method=0,
        )
    else:
        lossless = kind == "web" and picture.width * picture.height <= LOSSLESS_PIXELS
        quality = 20 if lossless else 94 if kind == "web" else 80  # lossless: the effort, not the quality
        picture.save(
            written,
            "WEBP",
            lossless=lossless,
            quality=quality,
            method=0,
            exact=True,
            exif=b"",
            icc_profile=b"",
        )
    data = written.getvalue()
    about = {"kind": kind, "media_type": "image/webp", "size": len(data)}
    return about | {"width": picture.width, "height": picture.height}, data


def answer(data: bytes, format: str) -> tuple[dict[str, Any], list[bytes]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            probe, made = examine(data, format)
    except Unfit as error:
        return {"error": str(error)}, []
    except MemoryError:
        return {"error": "takes more memory to unpack than is allowed."}, []
    except Exception as error:  # whatever a decoder throws at hostile bytes
        return {"error": f"cannot be read as {format}: {str(error)[:200] or type(error).__name__}."}, []
    return {"probe": probe, "derivatives": [about for about, _ in made]}, [blob for _, blob in made]


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    while head := requests.read(4):
        header = json.loads(requests.read(struct.unpack(">I", head)[0]))
        allow_cpu()
        said, blobs = answer(requests.read(header["size"]), header["format"])
        written = json.dumps(said).encode()
        answers.write(struct.pack(">I", len(written)) + written)
        for blob in blobs:
            answers.write(blob)
        answers.flush()


if __name__ == "__main__":
    assert _PLUGINS  # loaded before files can no longer be opened
    Image.MAX_IMAGE_PIXELS = None  # examine() has a limit of its own, with a message of its own
    Image.preinit()
    lock_down()
    serve(sys.stdin.buffer, sys.stdout.buffer)
