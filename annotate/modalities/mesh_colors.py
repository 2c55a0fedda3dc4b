"""The plain colour of a mesh's surfaces: base colour, vertex colours and textures of its materials."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from annotate.modalities.mesh_scene import Material, Part, Scene, Texture, linear

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.integer[Any]]

_TEXELS_KEPT = 2048 * 2048 * 8
_LINEAR = linear(np.arange(256) / 255.0).astype(np.float32)


@dataclass(frozen=True)
class Places:
    """Where colours of a part are asked for.

    Attributes:
        corners: (c, n) vertices of the part: of the triangle that a place lies in, or the one point that it is.
        weights: (c, n) how near the place is to each.
        area: (n,) pixels that the triangle covers; None for points.
    """

    corners: Indices
    weights: Floats
    area: Floats | None

    def mixed(self, values: Floats) -> Floats:
        """(n, k) of values (V, k) of the part's vertices."""
        found: Floats = values[self.corners[0]] * self.weights[0, :, None]
        for corner, weight in zip(self.corners[1:], self.weights[1:], strict=True):
            found += values[corner] * weight[:, None]
        return found


class Surfaces:
    """The materials of a scene, with its pictures, each at half its size again and again: none is sampled too coarsely."""

    def __init__(self, scene: Scene) -> None:
        used = {
            texture.image
            for part in scene.parts
            for texture in (part.material.texture, part.material.emitted_texture)
            if texture
        }
        side = 2048
        while side * side * len(used) > _TEXELS_KEPT:
            side //= 2
        self._levels = {number: _halved(scene.images[number](), side) for number in sorted(used)}

    def colors(self, part: Part, places: Places) -> tuple[Floats, Floats, bool]:
        """Linear colour with alpha (n, 4), emission (n, 3), and whether light changes nothing."""
        material, count = part.material, places.corners.shape[1]
        plain = part.colors is not None and material == Material()  # nothing but the colours of its vertices
        color = (1.0, 1.0, 1.0, 1.0) if plain else material.color
        albedo = np.tile(np.array(color, np.float32), (count, 1))
        emitted = np.tile(np.array(material.emitted, np.float32), (count, 1))
        if part.colors is not None:
            albedo *= places.mixed(part.colors)
        if material.texture:
            albedo *= self._texels(material.texture, part, places)
        if material.emitted_texture:
            emitted *= self._texels(material.emitted_texture, part, places)[:, :3]
        if material.alpha == "MASK":
            albedo[:, 3] = albedo[:, 3] >= material.cutoff
        elif material.alpha != "BLEND":
            albedo[:, 3] = 1.0
        return albedo, emitted, material.unlit

    def _texels(self, texture: Texture, part: Part, places: Places) -> Floats:
        """(n, 4), linear."""
        given = part.coordinates[texture.coordinates].astype(np.float64)
        xx, xy, x0, yx, yy, y0 = texture.transform
        u = (given[:, 0] * xx + given[:, 1] * xy + x0)[places.corners]
        v = (given[:, 0] * yx + given[:, 1] * yy + y0)[places.corners]
        levels = self._levels[texture.image]
        level = np.zeros(u.shape[1], np.int64)
        if places.area is not None:
            covers = np.abs((u[1] - u[0]) * (v[2] - v[0]) - (u[2] - u[0]) * (v[1] - v[0]))
            texels = covers / 2 * levels[0].shape[0] * levels[0].shape[1]
            share = np.divide(texels, places.area, out=np.ones_like(texels), where=places.area > 0)
            level = np.clip(np.frexp(np.nan_to_num(share))[1] // 2, 0, len(levels) - 1)
        across, down = (
            np.nan_to_num((given * places.weights).cumsum(axis=0)[-1], posinf=0.0, neginf=0.0)
            for given in (u, v)
        )
        found = np.empty((len(across), 4), np.float32)
        for number in np.unique(level):
            (some,) = np.nonzero(level == number)
            found[some] = _between(levels[number], across[some], down[some], texture.wrap)
        return found


def _halved(image: Image.Image, side: int) -> list[npt.NDArray[np.uint8]]:
    with image:
        if max(image.size) > side:
            image.draft(None, (side, side))
        picture = image.convert("RGBA")
    if max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=None)
    levels = [np.asarray(picture)]
    while max(picture.size) > 1:
        picture = picture.reduce((min(2, picture.width), min(2, picture.height)))
        levels.append(np.asarray(picture))
    return levels


def _between(picture: npt.NDArray[np.uint8], across: Floats, down: Floats, wrap: tuple[int, int]) -> Floats:
    """(n, 4): linear colours between the four texels around each place."""
    height, width = picture.shape[:2]
    x, y = _turns(across) * width - 0.5, _turns(down) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    right, below = (x - left).astype(np.float32), (y - top).astype(np.float32)
    columns = [_wrapped(left.astype(np.int64) + step, width, wrap[0]) for step in (0, 1)]
    rows = [_wrapped(top.astype(np.int64) + step, height, wrap[1]) * width for step in (0, 1)]
    texels = picture.reshape(-1, 4)
    found = np.zeros((len(x), 4), np.float32)
    for row, high in zip(rows, (1 - below, below), strict=True):
        for column, wide in zip(columns, (1 - right, right), strict=True):
            texel = texels[row + column]
            share = (high * wide)[:, None]
            found[:, :3] += _LINEAR[texel[:, :3]] * share
            found[:, 3:] += texel[:, 3:] * (share / np.float32(255))
    return found


def _turns(values: Floats) -> Floats:
    """Far places brought near by whole double turns, which no way of wrapping tells from the far ones but clamping."""
    return np.where(np.abs(values) < 1e6, values, np.sign(values) * 1e6)


def _wrapped(index: Indices, size: int, way: int) -> Indices:
    if way == 33071:  # clamped
        return np.clip(index, 0, size - 1)
    if way == 33648:  # mirrored
        index = index % (2 * size)
        return np.where(index < size, index, 2 * size - 1 - index)
    return index % size
