"""A large picture cut into tiles, whole and at a half, a quarter ...: what a viewer fetches as it looks closer.

All tiles are WebP files one after the other in one file, level after level, each level row after row. The other
file tells, as JSON, where each begins: {"tile": 512, "levels": [{"width", "height", "offsets"}]}, the whole picture
first; a tile lies between two of its level's offsets, of which there is one more than tiles. Those at the right and
at the bottom are as large as what is left.
"""

import json
from typing import Any, BinaryIO

from PIL import Image

from annotate.modalities.webp import save_webp

TILE = 512


def sizes_of(width: int, height: int, side: int) -> list[tuple[int, int]]:
    """(width, height) of the levels: the whole, and its halves while one side is still longer than `side`."""
    sizes = []
    while max(width, height) > side:
        sizes.append((width, height))
        width, height = (width + 1) // 2, (height + 1) // 2
    return sizes


def save_pyramid(
    picture: Image.Image, tiles: BinaryIO, levels: BinaryIO, side: int, quality: int, lossless: bool
) -> dict[str, dict[str, Any]]:
    """Write the levels whose longer side has more than `side` pixels and return what describes both files.

    The whole picture may be kept without loss; the smaller ones are not what was given anyway.
    """
    told = []
    for width, height in sizes_of(*picture.size, side):
        whole = (width, height) == picture.size
        level = picture if whole else picture.resize((width, height), Image.Resampling.LANCZOS)
        offsets = [tiles.tell()]
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                part = level.crop((left, top, min(left + TILE, width), min(top + TILE, height)))
                save_webp(part, tiles, TILE, quality, lossless=whole and lossless)
                offsets.append(tiles.tell())
        told.append({"width": width, "height": height, "offsets": offsets})
    levels.write(json.dumps({"tile": TILE, "levels": told}, separators=(",", ":")).encode())
    return {
        "tiles": {"media_type": "application/octet-stream", "levels": len(told)},
        "levels": {"media_type": "application/json"},
    }
