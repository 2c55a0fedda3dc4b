"""The plots of an evaluation's report as SVG: no script, nothing loaded, light and dark by the page's colours."""

from collections.abc import Sequence
from html import escape
from typing import Any

_ROW, _LEFT, _WIDTH, _RIGHT = 30, 190, 460, 120
_SIDE, _EDGE = 260, 44


def intervals(rows: Sequence[tuple[str, Sequence[tuple[str, dict[str, Any] | None]]]], says: str) -> str:
    """A line for each row: its name and, for each series, a dot with its 95 % interval from 0 to 1.

    Series are (class, figure); a figure of None is of a task that is not supported.
    """
    height = _ROW * len(rows) + 26
    drawn = [_svg(_LEFT + _WIDTH + _RIGHT, height, says)]
    for tenth in range(0, 11, 2):
        x = _LEFT + _WIDTH * tenth / 10
        drawn.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - 22}"/>')
        drawn.append(
            f'<text class="soft" x="{x:.1f}" y="{height - 6}" text-anchor="middle">{tenth / 10:g}</text>'
        )
    for number, (name, series) in enumerate(rows):
        middle = number * _ROW + _ROW / 2
        drawn.append(f'<text x="{_LEFT - 12}" y="{middle + 4}" text-anchor="end">{escape(name)}</text>')
        told = []
        for place, (kind, found) in enumerate(series):
            if found is None:
                continue
            y = middle + (place - (len(series) - 1) / 2) * 9
            low, value, high = (_LEFT + _WIDTH * found[key] for key in ("low", "value", "high"))
            drawn.append(f'<line class="{kind}" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>')
            drawn.append(f'<circle class="{kind}" cx="{value:.1f}" cy="{y}" r="3.5"/>')
            told.append(f"{found['value']:.3f}")
        words = " · ".join(told) or "not supported"
        drawn.append(f'<text class="soft" x="{_LEFT + _WIDTH + 12}" y="{middle + 4}">{words}</text>')
    return "".join([*drawn, "</svg>"])


def reliability(found: dict[str, Any], says: str) -> str:
    """Confidence against the share that was right, a circle a bin as large as the bin; on the diagonal all is well."""
    size = _SIDE + 2 * _EDGE

    def x(value: float) -> float:
        return _EDGE + (value - 0.5) * 2 * _SIDE

    def y(value: float) -> float:
        return _EDGE + (1 - value) * _SIDE

    drawn = [_svg(size, size, says)]
    drawn.append(f'<rect class="frame" x="{_EDGE}" y="{_EDGE}" width="{_SIDE}" height="{_SIDE}"/>')
    drawn.append(f'<line class="diagonal" x1="{x(0.5)}" y1="{y(0.5)}" x2="{x(1)}" y2="{y(1)}"/>')
    for tenth in (5, 6, 7, 8, 9, 10):
        drawn.append(
            f'<text class="soft" x="{x(tenth / 10):.1f}" y="{size - _EDGE + 18}" text-anchor="middle">{tenth / 10:g}</text>'
        )
    for tenth in (0, 2, 4, 6, 8, 10):
        drawn.append(
            f'<text class="soft" x="{_EDGE - 8}" y="{y(tenth / 10) + 4:.1f}" text-anchor="end">{tenth / 10:g}</text>'
        )
    most = max((one["n"] for one in found["bins"]), default=1)
    for one in found["bins"]:
        radius = 3 + 7 * (one["n"] / most) ** 0.5
        drawn.append(
            f'<circle class="first" cx="{x(one["confidence"]):.1f}" cy="{y(one["right"]):.1f}" r="{radius:.1f}"/>'
        )
    drawn.append(
        f'<text class="soft" x="{size / 2}" y="{size - 6}" text-anchor="middle">how sure it is</text>'
    )
    drawn.append(f'<text class="soft" x="{_EDGE}" y="{_EDGE - 12}">how often it is right</text>')
    return "".join([*drawn, "</svg>"])


def _svg(width: float, height: float, says: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{escape(says)}"'
        ' xmlns="http://www.w3.org/2000/svg">'
    )
