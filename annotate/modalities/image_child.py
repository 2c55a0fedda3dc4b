"""Opens images in the child process; see child.py."""

import io
from collections.abc import Mapping
from typing import Any, BinaryIO

from PIL import GifImagePlugin, Image, ImageCms, ImageOps, JpegImagePlugin, PngImagePlugin

from annotate.modalities.child import Unfit
from annotate.modalities.pyramid import save_pyramid
from annotate.modalities.webp import THUMB_SIDE, about, save_webp

MAX_PIXELS = (
    64 * 1024 * 1024
)  # 8192 x 8192: unpacked whole, turned and in other colours it is several times in memory
MAX_SIDE = 65_535  # a longer line is cut into thousands of tiles
MAX_FRAMES = 500
MAX_ANIMATION_PIXELS = 96 * 1024 * 1024  # of all frames together, as they are kept
WEB_SIDE = 2048
# Up to here a still is shown without loss: what is judged is the picture itself, not our compression of it. A JPEG
# that has halved its colours, as most do, has lost more than this quality changes; without loss it would be shown in
# five times its own size.
LOSSLESS_PIXELS = 1536 * 1024
_QUALITY = 94
_HALVED = 2  # of get_sampling
_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)  # orientations that exchange width and height
_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
# Named so that they are loaded before files can no longer be opened.
_PLUGINS = (GifImagePlugin, JpegImagePlugin, PngImagePlugin)


def prepare() -> None:
    """Load what Pillow would look for later."""
    Image.MAX_IMAGE_PIXELS = None  # examine() has a limit of its own, with a message of its own
    assert _PLUGINS
    Image.preinit()


def examine(
    source: BinaryIO, media_type: str, wanted: Mapping[str, BinaryIO]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """See child.py. Whatever is wanted: the picture is decoded. Tiles and their levels are wanted together."""
    with Image.open(source, formats=[_FORMATS[media_type]]) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise Unfit(f"is {width} x {height} pixels; at most {MAX_PIXELS:,} are taken.")
        if max(width, height) > MAX_SIDE:
            raise Unfit(f"is {width} x {height} pixels; at most {MAX_SIDE:,} either way are taken.")
        frames = _frames(image)
        if image.getexif().get(_ORIENTATION, 1) in _LYING and len(frames) == 1:
            width, height = height, width
        probe = {"width": width, "height": height, "frames": len(frames), "mode": image.mode}
        halved = image.format == "JPEG" and JpegImagePlugin.get_sampling(image) == _HALVED
        tiled = len(frames) == 1 and max(width, height) > WEB_SIDE
        if tiled:
            probe["tiled"] = True
        cut = tiled and "tiles" in wanted
        if len(frames) == 1:
            still = _still(image, whole=cut)
            pictures, durations = [still], None
        else:
            pictures = [picture for picture, _ in frames]
            durations = [duration for _, duration in frames]
        made = {}
        if "web" in wanted:
            made["web"] = _web(wanted["web"], pictures, durations, halved)
        if "thumb" in wanted:
            made["thumb"] = save_webp(pictures[0], wanted["thumb"], THUMB_SIDE, quality=80)
        if cut:
            tiles, levels = wanted["tiles"], wanted["levels"]
            made |= save_pyramid(pictures[0], tiles, levels, WEB_SIDE, _QUALITY, lossless=not halved)
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


def _still(image: Image.Image, whole: bool) -> Image.Image:
    """The picture as it is meant to be seen: turned upright, in sRGB, eight bits, with alpha only if it has some.

    Unless it is wanted whole, it may be smaller, down to what is shown of it at once.
    """
    if image.format == "JPEG" and not whole:
        image.draft(None, (WEB_SIDE, WEB_SIDE))  # a far larger picture is unpacked at a half or a quarter
    image.load()
    profile = image.info.get("icc_profile")
    if not whole and max(image.size) > WEB_SIDE and image.mode in ("RGB", "RGBA", "L", "LA", "CMYK"):
        image = image.copy()
        image.thumbnail((WEB_SIDE, WEB_SIDE), Image.Resampling.LANCZOS)
    ImageOps.exif_transpose(image, in_place=True)
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
    return image if image.mode == wanted else image.convert(wanted)


def _web(
    target: BinaryIO, pictures: list[Image.Image], durations: list[int] | None, halved: bool
) -> dict[str, Any]:
    if durations is None:
        lossless = not halved and pictures[0].width * pictures[0].height <= LOSSLESS_PIXELS
        return save_webp(pictures[0], target, WEB_SIDE, quality=_QUALITY, lossless=lossless)
    first, *others = pictures  # of the size to be kept already
    first.info = {}
    first.save(target, "WEBP", save_all=True, append_images=others, duration=durations, quality=80, method=0)
    return about(first)
