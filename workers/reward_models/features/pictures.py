"""Signal features of one picture in memory: light, colour, sharpness, noise, blocks. Plain numpy.

They tell a blurred, noisy, blocky, pale or dark picture from the same one unharmed; they know nothing of what it shows.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float64]

NAMES = (
    "log_pixels",
    "log_aspect",
    "light",
    "contrast",
    "dark",
    "bright",
    "entropy",
    "colourfulness",
    "saturation",
    "red_less_blue",
    "darkest",
    "middle_light",
    "lightest",
    "veil",
    "levels",
    *(f"detail_{level}" for level in range(5)),
    "detail_slope",
    "noise",
    "blockiness",
    "blur",
    "local_contrast",
    "peakedness",
    "edges",
    "flat",
    "direction",
    "stripes",
    "impulses",
    "centred",
    "edge_rise",
)
# Light and colour are taken of the whole picture at this size, texture of its middle at full size.
_WHOLE, _MIDDLE = 256, 768
_LEVELS = 5
_SMALL = 1e-6


def picture_features(picture: Image.Image) -> list[float]:
    """One number a name, whatever the size (at least 1 pixel)."""
    width, height = picture.size
    whole = picture.copy()
    whole.thumbnail((_WHOLE, _WHOLE))
    left, top = max((width - _MIDDLE) // 2, 0), max((height - _MIDDLE) // 2, 0)
    middle = picture.crop((left, top, min(left + _MIDDLE, width), min(top + _MIDDLE, height)))
    return [
        float(np.log(width * height)),
        float(np.log(width / height)),
        *_light_and_colour(np.asarray(whole, dtype=np.float64) / 255),
        *_texture(_grey(np.asarray(middle, dtype=np.float64) / 255)),
    ]


def opaque(picture: Image.Image) -> Image.Image:
    """As RGB, what is transparent on white."""
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(ground, layer).convert("RGB")
    return picture.convert("RGB")


def _grey(rgb: Floats) -> Floats:
    grey: Floats = rgb @ np.array([0.299, 0.587, 0.114])
    return grey


def _light_and_colour(rgb: Floats) -> list[float]:
    grey = _grey(rgb)
    shares = np.histogram(grey, bins=64, range=(0, 1))[0] / grey.size
    shares = shares[shares > 0]
    red, green, blue = (rgb[..., n] for n in range(3))
    # Hasler and Suesstrunk (2003).
    rg, yb = red - green, (red + green) / 2 - blue
    colourfulness = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    most = rgb.max(axis=2)
    saturation = (most - rgb.min(axis=2)) / np.maximum(most, _SMALL)
    return [
        float(grey.mean()),
        float(grey.std()),
        float((grey < 0.05).mean()),
        float((grey > 0.95).mean()),
        float(-(shares * np.log(shares)).sum()),
        float(colourfulness),
        float(saturation.mean()),
        float((red - blue).mean()),
        *(float(light) for light in np.percentile(grey, (5, 50, 95))),
        # What haze lifts: the darkest channel where it is darkest (after He et al., 2009).
        float(np.percentile(rgb.min(axis=2), 5)),
        # Few where a picture is coded in steps.
        float(np.log(len(np.unique(np.round(255 * rgb))))),
    ]


def _texture(grey: Floats) -> list[float]:
    detail = [float(np.log(band.std() + 1e-4)) for band in _pyramid(grey)]
    local_mean = _box(grey)
    spread = np.sqrt(np.maximum(_box(grey**2) - local_mean**2, 0))
    normal = (grey - local_mean) / (spread + 1 / 255)
    across, down = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=0))
    slopes = float(across.mean() + down.mean()) if across.size and down.size else 0.0
    steeper = np.log((across.mean() + 1e-3) / (down.mean() + 1e-3)) if across.size and down.size else 0.0
    return [
        *detail,
        detail[0] - detail[-1],
        float(np.log(_noise(grey) + 1e-4)),
        (_blocks(across) + _blocks(down.T)) / 2,
        _blur(grey),
        float(spread.mean()),
        float(np.log((normal**4).mean() + _SMALL) - 2 * np.log((normal**2).mean() + _SMALL)),
        float(np.log(slopes + 1e-4)),
        float((spread < 1 / 255).mean()),
        # Blurred along one way only, as by a camera that moved.
        float(abs(steeper)),
        float(np.log(max(_stripes(grey), _stripes(grey.T)) + 1e-4)),
        float(np.log(_impulses(grey) + 1e-4)),
        float(_centred(spread)),
        _edge_rise(grey),
    ]


def _stripes(grey: Floats) -> float:
    """How far the mean of a row is from those of its neighbours: what lines of a fault have in common."""
    means = grey.mean(axis=1)
    return float(np.abs(means[:-2] - 2 * means[1:-1] + means[2:]).mean()) if len(means) > 2 else 0.0


def _impulses(grey: Floats) -> float:
    """The share of pixels that stand out from all four neighbours by a tenth of the range or more."""
    if min(grey.shape) < 3:
        return 0.0
    inner = grey[1:-1, 1:-1]
    beside = np.stack([grey[:-2, 1:-1], grey[2:, 1:-1], grey[1:-1, :-2], grey[1:-1, 2:]])
    out = (inner > beside.max(axis=0) + 0.1) | (inner < beside.min(axis=0) - 0.1)
    return float(out.mean())


def _edge_rise(grey: Floats) -> float:
    """How much of the height of the steepest edges is risen from one pixel to the next, as a log, along rows or columns,
    whichever is blurred more. Single pixels of noise are taken out first by the median of nine."""
    if min(grey.shape) < 9:
        return 0.0
    height, width = grey.shape
    near = np.stack([grey[y : height - 2 + y, x : width - 2 + x] for y in range(3) for x in range(3)])
    calm = np.median(near, axis=0)
    rises = []
    for lines in (calm, calm.T):
        step = np.percentile(np.abs(lines[:, 1:] - lines[:, :-1]), 98)
        whole = np.percentile(np.abs(lines[:, 5:] - lines[:, :-5]), 98)
        rises.append(float(np.log((step + 1e-3) / (whole + 1e-3))))
    return min(rises)


def _centred(spread: Floats) -> float:
    """How much of the detail lies in the middle ninth, as a log ratio to an even share."""
    height, width = (max(size // 3, 1) for size in spread.shape)
    middle = spread[height : 2 * height or None, width : 2 * width or None]
    inner = middle.mean() if middle.size else spread.mean()
    return float(np.log((inner + 1e-3) / (spread.mean() + 1e-3)))


def _pyramid(grey: Floats) -> list[Floats]:
    """What is lost by each halving of the size, finest first."""
    bands = []
    for _ in range(_LEVELS):
        height, width = (max(size // 2 * 2, 2) for size in grey.shape)
        even = np.pad(grey, [(0, max(2 - size, 0)) for size in grey.shape], mode="edge")[:height, :width]
        half = even.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        bands.append(even - half.repeat(2, axis=0).repeat(2, axis=1))
        grey = half
    return bands


def _box(grey: Floats, radius: int = 3) -> Floats:
    """Means over squares around each pixel."""
    padded = np.pad(grey, radius + 1, mode="edge")[:-1, :-1]
    sums = padded.cumsum(axis=0).cumsum(axis=1)
    side = 2 * radius + 1
    boxed: Floats = (
        sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    ) / side**2
    return boxed


def _noise(grey: Floats) -> float:
    """The noise's standard deviation by Immerkaer (1996): what a difference of two Laplacians leaves."""
    if min(grey.shape) < 3:
        return 0.0
    rows = grey[:-2] - 2 * grey[1:-1] + grey[2:]
    both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.sqrt(np.pi / 2) * np.median(np.abs(both)) / 4)


def _blocks(across: Floats) -> float:
    """How much steeper columns are where blocks of 8 meet than elsewhere, as a log ratio."""
    if across.shape[1] < 16:
        return 0.0
    means = across.mean(axis=0)
    by_phase = np.array([means[phase::8].mean() for phase in range(8)])
    return float(np.log((by_phase.max() + 1e-4) / (np.median(by_phase) + 1e-4)))


def _blur(grey: Floats) -> float:
    """The share of its slopes that a picture keeps when it is blurred again (Crete 2007): near 1 it was blurred."""
    if min(grey.shape) < 9:
        return 0.0
    kept = []
    for lines in (grey, grey.T):
        sharp = np.abs(np.diff(lines, axis=1))[:, 4:-4]
        sums = np.pad(lines, ((0, 0), (5, 4)), mode="edge").cumsum(axis=1)
        smooth = (sums[:, 9:] - sums[:, :-9]) / 9
        soft = np.abs(np.diff(smooth, axis=1))[:, 4:-4]
        lost = np.maximum(sharp - soft, 0).sum()
        kept.append(1 - lost / max(sharp.sum(), _SMALL))
    return float(max(kept))
