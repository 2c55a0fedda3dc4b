"""Pictures as they are shown: WebP without metadata. One type for all, so that it tells nothing of its original."""

from typing import Any, BinaryIO

from PIL import Image, WebPImagePlugin

THUMB_SIDE = 320
_PLUGIN = WebPImagePlugin  # named so that it is loaded before files can no longer be opened


def save_webp(
    picture: Image.Image, target: BinaryIO, side: int, quality: int, lossless: bool = False
) -> dict[str, Any]:
    """Write the picture, at most `side` pixels wide and high, and return what describes the file."""
    if max(picture.size) > side:
        picture = picture.copy()
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    picture.info = {}
    picture.save(
        target,
        "WEBP",
        lossless=lossless,
        quality=20 if lossless else quality,  # lossless: the effort, not the quality
        method=0,
        exact=True,
        exif=b"",
        icc_profile=b"",
    )
    return about(picture)


def about(picture: Image.Image) -> dict[str, Any]:
    return {"media_type": "image/webp", "width": picture.width, "height": picture.height}
