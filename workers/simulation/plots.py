"""Learning curves as a picture, drawn by Pillow: means over seeds, with what their intervals cover shaded."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from workers.simulation.curves import Curve

# Told apart by who sees colours differently too (Okabe and Ito).
_COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00")
_SIZE, _LEFT, _TOP, _RIGHT, _BOTTOM = (1200, 800), 100, 90, 40, 80


def draw_curves(
    path: Path,
    title: str,
    curves: Mapping[str, Curve],
    *,
    x: str = "labels",
    y: str = "accuracy",
    grid: float = 0.05,
    falling: bool = False,
) -> None:
    """Write a PNG: by default accuracy over labels, a curve for each name, a line of the grid every `grid`. The names stand
    where rising curves are not, or `falling` ones."""
    font, large = ImageFont.load_default(18), ImageFont.load_default(24)
    ends = [one.labels[-1] for one in curves.values()]
    edges = [one.mean + sign * np.nan_to_num(one.half) for one in curves.values() for sign in (-1, 1)]
    low = grid * np.floor(min(edge.min() for edge in edges) / grid)
    high = grid * np.ceil(max(edge.max() for edge in edges) / grid)
    width, height = _SIZE[0] - _LEFT - _RIGHT, _SIZE[1] - _TOP - _BOTTOM

    def at(labels: float, accuracy: float) -> tuple[float, float]:
        return (
            _LEFT + width * labels / max(ends),
            _TOP + height * (1 - (accuracy - low) / max(high - low, 1e-9)),
        )

    picture = Image.new("RGB", _SIZE, "white")
    draw = ImageDraw.Draw(picture)
    draw.text((_LEFT, 20), title, fill="black", font=large)
    for level in np.arange(low, high + 1e-9, grid):
        draw.line([at(0, level), at(max(ends), level)], fill="#dddddd")
        draw.text(
            (at(0, level)[0] - 12, at(0, level)[1]), f"{level:.2f}", fill="#333333", font=font, anchor="rm"
        )
    for n in range(6):
        labels = max(ends) * n / 5
        draw.text(
            (at(labels, low)[0], at(0, low)[1] + 12), f"{labels:.0f}", fill="#333333", font=font, anchor="mt"
        )
    draw.text((_LEFT + width / 2, _SIZE[1] - 16), x, fill="black", font=font, anchor="mb")
    draw.text((_LEFT, _TOP - 8), y, fill="black", font=font, anchor="lb")
    for n, (name, one) in enumerate(curves.items()):
        colour = _COLOURS[n % len(_COLOURS)]
        half = np.nan_to_num(one.half)
        upper = [at(*point) for point in zip(one.labels, one.mean + half, strict=True)]
        below = [at(*point) for point in zip(one.labels, one.mean - half, strict=True)]
        if len(upper) > 1:
            shade = Image.new("RGBA", _SIZE)
            ImageDraw.Draw(shade).polygon(upper + below[::-1], fill=colour + "22")
            picture.paste(shade, (0, 0), shade)
            draw.line([at(*point) for point in zip(one.labels, one.mean, strict=True)], fill=colour, width=3)
        above = _TOP + 12 + 28 * n if falling else _SIZE[1] - _BOTTOM - 40 - 28 * (len(curves) - n)
        place = (_SIZE[0] - _RIGHT - 200, above)
        draw.line([(place[0], place[1] + 10), (place[0] + 40, place[1] + 10)], fill=colour, width=3)
        draw.text((place[0] + 50, place[1]), name, fill="black", font=font)
    picture.save(path)
