"""Images made for tests, by Pillow."""

import io
from typing import Any

from PIL import Image, ImageCms

ORIENTATION = 0x0112


def picture(width: int = 40, height: int = 24, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """A picture of which no two rows, columns or seeds are alike."""
    image = Image.new("RGB", (width, height))
    image.putdata(
        [
            ((7 * x + seed) % 256, (11 * y + 3 * seed) % 256, (x * y) % 256)
            for y in range(height)
            for x in range(width)
        ]
    )
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize((width, height)))
        return image
    return image.convert(mode)


def coded(format: str = "PNG", image: Image.Image | None = None, **options: Any) -> bytes:
    written = io.BytesIO()
    (image or picture()).save(written, format, **options)
    return written.getvalue()


def exif(orientation: int = 1) -> bytes:
    """EXIF with an orientation, a camera, a place and a time."""
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    tags[0x010F] = "SECRETCAMERA"
    tags[0x0132] = "2020:01:01 00:00:00"
    tags[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}
    return tags.tobytes()


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def animation(frames: int = 4, format: str = "GIF", **options: Any) -> bytes:
    images = [picture(16, 12, seed=40 * n) for n in range(frames)]
    return coded(format, images[0], save_all=True, append_images=images[1:], duration=50, loop=0, **options)


def pixels(data: bytes) -> list[bytes]:
    """The decoded pixels of every frame."""
    found = []
    with Image.open(io.BytesIO(data)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            found.append(image.convert("RGBA").tobytes())
    return found
