"""Pictures that look nearly the same: a difference hash finds candidates, a picture of eight by eight checks them.

The hash is one bit for each of 64 neighbours: whether it gets brighter to the right (Krawetz, Kind of like that, 2013).
It survives another size, format or quality, and says nothing of pictures of one colour, for which the check is there.
"""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 8
BITS = 7  # of 64 that may differ: with eight bands of eight bits one band is then always the same
APART = 8.0  # of 255, the mean difference of the eight by eight from which two pictures are different ones


def sketch(file: BinaryIO) -> tuple[int, NDArray[np.uint8]]:
    """The hash of a picture, and its eight by eight pixels (SIDE, SIDE, 3). Only for files that we made ourselves."""
    with Image.open(file) as picture:
        coloured = picture.convert("RGB")
    grey = np.asarray(coloured.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX), dtype=np.int16)
    bits = np.packbits(grey[:, 1:] > grey[:, :-1])
    small = np.asarray(coloured.resize((SIDE, SIDE), Image.Resampling.BOX))
    return int.from_bytes(bits.tobytes(), "big"), small


def alike(hashes: NDArray[np.uint64], small: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """Pairs (one, other) of rows that look nearly the same: all that there are.

    Args:
        hashes: (pictures,)
        small: (pictures, SIDE, SIDE, 3)
    """
    pixels = small.reshape(len(small), SIDE * SIDE * 3).astype(np.int16)
    light = pixels.mean(axis=1)
    bands = hashes[:, None].astype(">u8").view(np.uint8)
    for band in range(bands.shape[1]):
        # Pictures that are alike are about as bright: among many of one band only those nearby are looked at.
        order = np.lexsort((light, bands[:, band]))
        bright, of = light[order], bands[order, band]
        for place, one in enumerate(order.tolist()):
            end = place + 1
            while end < len(order) and of[end] == of[place] and bright[end] - bright[place] <= APART:
                end += 1
            others = order[place + 1 : end]
            near = others[np.bitwise_count(hashes[others] ^ hashes[one]) <= BITS]
            if len(near):
                apart = np.abs(pixels[near] - pixels[one]).mean(axis=1)
                for other in near[apart <= APART].tolist():
                    yield one, other
