"""What pictures and films are drawn with: colours, backgrounds and things, on a canvas of twice the final size."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "red": (214, 58, 52),
    "orange": (237, 139, 45),
    "yellow": (245, 204, 66),
    "green": (84, 158, 82),
    "blue": (58, 108, 196),
    "purple": (131, 82, 176),
    "pink": (233, 132, 160),
    "white": (244, 242, 236),
    "brown": (132, 90, 58),
    "black": (44, 44, 50),
    "grey": (150, 152, 158),
    "turquoise": (64, 178, 178),
}

# Top, middle and horizon of the sky; how strongly what stands before it is lit.
SKIES: dict[str, tuple[Colour, Colour, Colour, float]] = {
    "dawn": ((122, 142, 190), (232, 176, 178), (252, 220, 178), 0.94),
    "noon": ((74, 142, 218), (142, 192, 236), (212, 232, 244), 1.0),
    "dusk": ((54, 44, 102), (192, 88, 104), (250, 168, 98), 0.78),
    "night": ((10, 14, 40), (22, 32, 76), (48, 62, 112), 0.55),
    "storm": ((66, 72, 84), (104, 110, 120), (150, 154, 160), 0.74),
}
GROUNDS: dict[str, tuple[Colour, Colour]] = {
    "meadow": ((126, 172, 92), (74, 124, 64)),
    "sea": ((98, 158, 190), (34, 84, 132)),
    "snow": ((240, 244, 250), (202, 214, 232)),
    "desert": ((232, 196, 140), (196, 146, 92)),
    "street": ((140, 140, 146), (88, 90, 98)),
    "table": ((178, 128, 84), (128, 84, 52)),
}
HORIZON = 0.58


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    return tuple(round(a + (b - a) * share) for a, b in zip(one, other, strict=True))  # type: ignore[return-value]


def lit(colour: Colour, light: float) -> Colour:
    """Brighter above 1, darker below."""
    if light > 1:
        return mixed(colour, (255, 255, 255), min(1, light - 1))
    return mixed((8, 10, 30), colour, max(0, light))


@dataclass(frozen=True)
class Thing:
    """One thing in a scene. `x`, `y`: where it touches the ground, of the canvas's width and height, y downward.

    `size` is its height, of the canvas's height; `turn` an angle in radians or a phase, for what moves.
    """

    kind: str
    x: float
    y: float
    size: float
    colour: str = "red"
    turn: float = 0.0


@dataclass(frozen=True)
class Scene:
    """`detail` 0..4: how much there is to see beside what was asked for. `seed` shapes hills, clouds and stars."""

    sky: str
    ground: str
    things: tuple[Thing, ...]
    detail: int = 2
    seed: int = 0


def backdrop(scene: Scene, size: tuple[int, int]) -> Image.Image:
    """Sky and ground without things."""
    width, height = size
    rng = random.Random(scene.seed)
    horizon = round(height * HORIZON)
    image = Image.new("RGB", size)
    image.paste(_sky(scene, (width, horizon)), (0, 0))
    far, near = (lit(colour, _light(scene)) for colour in GROUNDS[scene.ground])
    image.paste(_gradient((width, height - horizon), far, mixed(far, near, 0.6), near), (0, horizon))
    draw = ImageDraw.Draw(image)
    if scene.ground in ("meadow", "snow", "desert") and scene.detail > 0:
        _hills(draw, scene, size, rng, far)
    _GROUND_DETAIL[scene.ground](draw, scene, size, rng)
    return image


def draw_things(image: Image.Image, scene: Scene) -> None:
    """Draw the things, the farther ones first."""
    draw = ImageDraw.Draw(image, "RGBA")
    width, height = image.size
    for thing in sorted(scene.things, key=lambda thing: (thing.kind not in _IN_SKY, thing.y)):
        light = 1.0 if thing.kind in _GLOWS else 0.35 + 0.65 * _light(scene)
        x, y, size = thing.x * width, thing.y * height, thing.size * height
        if thing.kind not in _IN_SKY and thing.kind not in _NO_SHADOW and scene.ground != "sea":
            draw.ellipse(
                (x - size * 0.42, y - size * 0.05, x + size * 0.48, y + size * 0.07), fill=(10, 10, 30, 60)
            )
        DRAWN[thing.kind](draw, x, y, size, lit(COLOURS[thing.colour], light), thing.turn)


def render(scene: Scene, size: tuple[int, int]) -> Image.Image:
    """The scene at `size`, smooth at its edges."""
    image = backdrop(scene, (size[0] * 2, size[1] * 2))
    draw_things(image, scene)
    return image.reduce(2)


def enlivened(image: Image.Image, lively: int) -> Image.Image:
    """Paler or more colourful: level 2 leaves the image as it is."""
    if lively == 2:
        return image
    image = ImageEnhance.Color(image).enhance((0.35, 0.7, 1.0, 1.35, 1.8)[lively])
    return image.point(_contrast((0.78, 0.9, 1.0, 1.08, 1.18)[lively]) * 3)


@lru_cache
def _contrast(factor: float) -> list[int]:
    """What becomes of each value 0..255."""
    return [min(255, max(0, round(128 + (value - 128) * factor))) for value in range(256)]


def roughened(image: Image.Image, finish: int, seed: int) -> Image.Image:
    """Noise and lost sharpness for what is not finished well: level 4 leaves the image as it is."""
    if finish == 4:
        return image
    coarse = (3.4, 2.6, 1.8, 1.5)[finish]
    small = image.resize((round(image.width / coarse), round(image.height / coarse)), Image.Resampling.BOX)
    image = small.resize(image.size, Image.Resampling.BICUBIC)
    noise = (24, 14, 8, 0)[finish]
    if not noise:
        return image
    grain = _grain(image.size, noise, seed % 8)
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


@lru_cache(maxsize=64)
def _grain(
    size: tuple[int, int], noise: int, seed: int
) -> "np.ndarray[tuple[int, int, int], np.dtype[np.int16]]":
    """Noise of a standard deviation, (height, width, 1). Few seeds: drawing it anew takes longer than encoding."""
    grain = np.random.default_rng(seed).normal(0, noise, (size[1], size[0], 1))
    return grain.astype(np.int16)


def _light(scene: Scene) -> float:
    return SKIES[scene.sky][3]


def _gradient(size: tuple[int, int], *stops: Colour) -> Image.Image:
    column = Image.new("RGB", (1, len(stops)))
    column.putdata(list(stops))
    # Resampling alone would leave the ends flat: half a pixel on either side is cut off.
    return column.resize(size, Image.Resampling.BILINEAR, box=(0, 0.5, 1, len(stops) - 0.5))


def _sky(scene: Scene, size: tuple[int, int]) -> Image.Image:
    width, height = size
    rng = random.Random(scene.seed + 1)
    sky = _gradient(size, *SKIES[scene.sky][:3])
    draw = ImageDraw.Draw(sky, "RGBA")
    if scene.sky == "night":
        for _ in range(30 + 45 * scene.detail):
            x, y, r = rng.uniform(0, width), rng.uniform(0, height * 0.9), rng.uniform(0.8, 2.4)
            draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 255, 235, rng.randint(90, 230)))
    if scene.sky in ("dawn", "dusk"):
        glow = COLOURS["yellow"] if scene.sky == "dawn" else COLOURS["orange"]
        x, y = width * rng.uniform(0.3, 0.7), height * 0.98
        for ring in range(14, 0, -1):
            r = width * 0.03 * ring
            draw.ellipse((x - r, y - r * 0.7, x + r, y + r * 0.7), fill=(*glow, 9))
    clouds = {"night": 0, "storm": 5 + 2 * scene.detail}.get(scene.sky, scene.detail + scene.detail // 2)
    white = mixed((255, 255, 255), SKIES[scene.sky][1], 0.25 if scene.sky != "storm" else 0.75)
    veil = Image.new("L", size)
    brush = ImageDraw.Draw(veil)
    for _ in range(clouds):
        x, y, w = (
            rng.uniform(0, width),
            rng.uniform(height * 0.06, height * 0.6),
            rng.uniform(0.08, 0.2) * width,
        )
        for _ in range(8):
            dx, dy, r = rng.uniform(-w / 2, w / 2), rng.uniform(-0.05, 0.05) * w, rng.uniform(0.1, 0.24) * w
            brush.ellipse((x + dx - r, y + dy - r * 0.55, x + dx + r, y + dy + r * 0.5), fill=190)
    if clouds:
        # Blurred when small: the same clouds in a fraction of the time.
        veil = veil.reduce(4).filter(ImageFilter.GaussianBlur(2.5)).resize(size, Image.Resampling.BILINEAR)
        sky.paste(white, (0, 0, width, height), veil)
    return sky


def _hills(
    draw: ImageDraw.ImageDraw, scene: Scene, size: tuple[int, int], rng: random.Random, far: Colour
) -> None:
    width, height = size
    sky = SKIES[scene.sky][2]
    for layer in range(1 + (scene.detail > 2)):
        phases = [(rng.uniform(0, 7), rng.uniform(1.5, 5), rng.uniform(0.01, 0.035)) for _ in range(3)]
        top = HORIZON - 0.05 + 0.035 * layer
        ridge = [
            (x, height * (top + sum(a * math.sin(p + f * x / width * math.pi) for p, f, a in phases)))
            for x in range(0, width + 8, 8)
        ]
        draw.polygon(
            [(0, height * HORIZON + 4), *ridge, (width, height * HORIZON + 4)],
            fill=mixed(far, sky, 0.5 - 0.2 * layer),
        )


def _grass(draw: ImageDraw.ImageDraw, scene: Scene, size: tuple[int, int], rng: random.Random) -> None:
    width, height = size
    light = _light(scene)
    for _ in range(90 * scene.detail):
        x, y = rng.uniform(0, width), height * rng.uniform(HORIZON + 0.03, 1)
        blade = height * 0.02 * (y / height)
        colour = lit((92, 148, 66) if rng.random() < 0.5 else (150, 190, 104), light)
        draw.line((x, y, x + rng.uniform(-0.4, 0.4) * blade, y - blade), fill=colour, width=2)
    for _ in range(16 * max(0, scene.detail - 2)):
        x, y, r = rng.uniform(0, width), height * rng.uniform(HORIZON + 0.08, 1), rng.uniform(3, 6)
        colour = lit(COLOURS[rng.choice(["white", "yellow", "pink"])], light)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)


def _waves(draw: ImageDraw.ImageDraw, scene: Scene, size: tuple[int, int], rng: random.Random) -> None:
    width, height = size
    glint = mixed(GROUNDS["sea"][0], SKIES[scene.sky][2], 0.7)
    for _ in range(24 + 40 * scene.detail):
        depth = rng.random() ** 1.6
        x, y = rng.uniform(0, width), height * (HORIZON + 0.01 + (1 - HORIZON) * depth)
        length = width * rng.uniform(0.02, 0.07) * (0.4 + depth)
        draw.line(
            (x, y, x + length, y),
            fill=mixed(glint, GROUNDS["sea"][1], rng.random() * 0.6),
            width=2 + round(depth * 2),
        )


def _drifts(draw: ImageDraw.ImageDraw, scene: Scene, size: tuple[int, int], rng: random.Random) -> None:
    width, height = size
    for _ in range(5 * scene.detail):
        x, y, w = (
            rng.uniform(0, width),
            height * rng.uniform(HORIZON + 0.04, 1),
            width * rng.uniform(0.05, 0.16),
        )
        shade = lit((196, 208, 230), _light(scene))
        draw.arc((x - w, y - w * 0.12, x + w, y + w * 0.16), 190, 350, fill=shade, width=4)


def _ripples(draw: ImageDraw.ImageDraw, scene: Scene, size: tuple[int, int], rng: random.Random) -> None:
    width, height = size
    for _ in range(9 * scene.detail):
        x, y, w = (
            rng.uniform(0, width),
            height * rng.uniform(HORIZON + 0.04, 1),
            width * rng.uniform(0.04, 0.12),
        )
        shade = lit((182, 134, 84), _light(scene))
        draw.arc((x - w, y - w * 0.14, x + w, y + w * 0.14), 200, 340, fill=shade, width=3)


def _paving(draw: ImageDraw.ImageDraw, scene: Scene, size: tuple[int, int], rng: random.Random) -> None:
    width, height = size
    light = _light(scene)
    x = -0.02 * width
    while scene.detail > 0 and x < width:  # houses along the horizon
        w, h = width * rng.uniform(0.05, 0.1), height * rng.uniform(0.07, 0.2)
        wall = lit(mixed((120, 124, 140), SKIES[scene.sky][1], 0.5), light)
        draw.rectangle((x, height * HORIZON - h, x + w, height * HORIZON), fill=wall)
        for row in range(int(h // 26) if scene.detail > 1 else 0):
            for column in range(int(w // 22)):
                if rng.random() < 0.55:
                    wx, wy = x + 8 + column * 22, height * HORIZON - h + 8 + row * 26
                    window = (250, 220, 140) if scene.sky in ("night", "dusk") else (200, 216, 230)
                    draw.rectangle((wx, wy, wx + 9, wy + 12), fill=window)
        x += w + 3
    for n in range(7):
        x = width * (n / 6.5 + 0.02)
        draw.rectangle((x, height * 0.9, x + width * 0.07, height * 0.912), fill=lit((226, 222, 208), light))


def _boards(draw: ImageDraw.ImageDraw, scene: Scene, size: tuple[int, int], rng: random.Random) -> None:
    width, height = size
    grain = lit((112, 72, 44), _light(scene))
    for n in range(2 + scene.detail):
        y = height * (HORIZON + (1 - HORIZON) * ((n + 1) / (3 + scene.detail)) ** 1.4)
        draw.line((0, y, width, y), fill=grain, width=3)
    for _ in range(20 * scene.detail):
        x, y = rng.uniform(0, width), height * rng.uniform(HORIZON + 0.01, 1)
        draw.line(
            (x, y, x + rng.uniform(0.02, 0.08) * width, y), fill=mixed(grain, (178, 128, 84), 0.6), width=2
        )


Draw = Callable[[ImageDraw.ImageDraw, float, float, float, Colour, float], None]
_GROUND_DETAIL = {
    "meadow": _grass,
    "sea": _waves,
    "snow": _drifts,
    "desert": _ripples,
    "street": _paving,
    "table": _boards,
}


def _ball(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    """A sphere, lit from the upper left."""
    r = s / 2
    cy = y - r
    for step in range(14):
        share = step / 13
        inner = r * (1 - share * 0.92)
        ox = oy = -r * 0.34 * share
        d.ellipse(
            (x + ox - inner, cy + oy - inner, x + ox + inner, cy + oy + inner),
            fill=lit(c, 0.62 + 0.72 * share),
        )


def _circle(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    d.ellipse((x - s / 2, y - s, x + s / 2, y), fill=c)


def _polygon(
    d: ImageDraw.ImageDraw,
    x: float,
    y: float,
    r: float,
    c: Colour,
    corners: int,
    turn: float,
    inner: float = 1,
) -> None:
    """A regular polygon, or a star where `inner` (of the radius) pulls every second corner in."""
    points = []
    count = corners if inner == 1 else corners * 2
    for n in range(count):
        angle = turn - math.pi / 2 + 2 * math.pi * n / count
        radius = r * (inner if n % 2 and inner != 1 else 1)
        points.append((x + radius * math.cos(angle), y + radius * math.sin(angle)))
    d.polygon(points, fill=c)


def _square(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    _polygon(d, x, y - s / 2, s * 0.7071, c, 4, turn + math.pi / 4)


def _house(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    w = s * 0.62
    d.rectangle((x + w * 0.38, y - s * 0.98, x + w * 0.58, y - s * 0.62), fill=lit(c, 0.6))
    d.rectangle((x - w, y - s * 0.58, x + w, y), fill=c)
    d.polygon(
        [(x - w * 1.18, y - s * 0.56), (x, y - s), (x + w * 1.18, y - s * 0.56)],
        fill=lit((140, 66, 52), 0.95),
    )
    d.rectangle((x - w * 0.2, y - s * 0.34, x + w * 0.2, y), fill=lit((94, 62, 42), 0.95))
    for side in (-1, 1):
        wx = x + side * w * 0.62
        d.rectangle((wx - w * 0.2, y - s * 0.44, wx + w * 0.2, y - s * 0.2), fill=(252, 226, 150))
        d.line((wx, y - s * 0.44, wx, y - s * 0.2), fill=lit(c, 0.6), width=3)


def _pine(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    d.rectangle((x - s * 0.04, y - s * 0.16, x + s * 0.04, y), fill=lit((104, 72, 48), 0.9))
    for n in range(3):
        top, w = y - s + n * s * 0.24, s * (0.17 + 0.08 * n)
        d.polygon([(x - w, top + s * 0.42), (x, top), (x + w, top + s * 0.42)], fill=lit(c, 0.72 + 0.12 * n))


def _tree(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    d.polygon(
        [(x - s * 0.06, y), (x - s * 0.035, y - s * 0.5), (x + s * 0.035, y - s * 0.5), (x + s * 0.06, y)],
        fill=lit((112, 78, 52), 0.9),
    )
    for dx, dy, r, light in (
        (-0.17, 0.52, 0.2, 0.78),
        (0.18, 0.54, 0.19, 0.86),
        (0, 0.62, 0.26, 0.94),
        (-0.06, 0.78, 0.2, 1.08),
    ):
        d.ellipse(
            (x + (dx - r) * s, y - (dy + r) * s, x + (dx + r) * s, y - (dy - r) * s), fill=lit(c, light)
        )


def _boat(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    y += math.sin(turn) * s * 0.04
    d.ellipse((x - s * 0.5, y - s * 0.02, x + s * 0.5, y + s * 0.07), fill=(20, 40, 80, 70))
    d.polygon(
        [
            (x - s * 0.48, y - s * 0.17),
            (x + s * 0.48, y - s * 0.17),
            (x + s * 0.32, y + s * 0.02),
            (x - s * 0.34, y + s * 0.02),
        ],
        fill=lit((120, 78, 50), 0.95),
    )
    d.line((x, y - s * 0.17, x, y - s), fill=(70, 50, 40), width=max(2, round(s * 0.025)))
    d.polygon(
        [(x + s * 0.03, y - s * 0.96), (x + s * 0.03, y - s * 0.22), (x + s * 0.42, y - s * 0.22)], fill=c
    )
    d.polygon(
        [(x - s * 0.03, y - s * 0.86), (x - s * 0.03, y - s * 0.22), (x - s * 0.32, y - s * 0.22)],
        fill=lit(c, 1.25),
    )


def _balloon(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    """A hot-air balloon."""
    r = s * 0.36
    cy = y - s * 0.64
    for n, light in ((1.0, 0.8), (0.66, 1.0), (0.3, 1.22)):
        d.ellipse((x - r * n, cy - r, x + r * n, cy + r), fill=lit(c, light))
    d.polygon(
        [(x - r * 0.6, cy + r * 0.78), (x + r * 0.6, cy + r * 0.78), (x, y - s * 0.1)], fill=lit(c, 0.9)
    )
    d.rectangle((x - s * 0.07, y - s * 0.12, x + s * 0.07, y), fill=(120, 84, 50))


def _lighthouse(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    def width(h: float) -> float:
        return s * (0.13 - 0.055 * h)

    for n in range(5):
        low, high = n * 0.15, (n + 1) * 0.15
        band = c if n % 2 == 0 else (240, 238, 232)
        points = [(x - width(low), y - s * low), (x + width(low), y - s * low)]
        points += [(x + width(high), y - s * high), (x - width(high), y - s * high)]
        d.polygon(points, fill=band)
    if turn:
        reach = s * 1.6 * math.cos(turn)
        d.polygon(
            [(x, y - s * 0.81), (x + reach, y - s * 0.98), (x + reach, y - s * 0.66)],
            fill=(255, 240, 170, 90),
        )
    d.rectangle((x - s * 0.06, y - s * 0.87, x + s * 0.06, y - s * 0.75), fill=(252, 232, 150))
    d.polygon([(x - s * 0.09, y - s * 0.87), (x, y - s), (x + s * 0.09, y - s * 0.87)], fill=(70, 60, 66))


def _car(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    d.rounded_rectangle((x - s * 0.95, y - s * 0.58, x + s * 0.95, y - s * 0.16), radius=s * 0.16, fill=c)
    d.polygon(
        [
            (x - s * 0.6, y - s * 0.56),
            (x - s * 0.38, y - s),
            (x + s * 0.3, y - s),
            (x + s * 0.62, y - s * 0.56),
        ],
        fill=lit(c, 1.1),
    )
    glass = (186, 214, 230)
    d.polygon(
        [
            (x - s * 0.48, y - s * 0.58),
            (x - s * 0.33, y - s * 0.92),
            (x - s * 0.05, y - s * 0.92),
            (x - s * 0.05, y - s * 0.58),
        ],
        fill=glass,
    )
    d.polygon(
        [
            (x + s * 0.03, y - s * 0.58),
            (x + s * 0.03, y - s * 0.92),
            (x + s * 0.26, y - s * 0.92),
            (x + s * 0.5, y - s * 0.58),
        ],
        fill=glass,
    )
    for wx in (x - s * 0.55, x + s * 0.55):
        r = s * 0.21
        d.ellipse((wx - r, y - 2 * r, wx + r, y), fill=(36, 36, 42))
        d.ellipse((wx - r * 0.5, y - 1.5 * r, wx + r * 0.5, y - 0.5 * r), fill=(176, 178, 184))
        dx, dy = math.cos(turn) * r * 0.5, math.sin(turn) * r * 0.5
        d.line((wx - dx, y - r - dy, wx + dx, y - r + dy), fill=(60, 60, 66), width=max(2, round(s * 0.04)))


def _mug(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    w = s * 0.38
    d.ellipse(
        (x + w * 0.55, y - s * 0.8, x + w * 1.75, y - s * 0.22), outline=lit(c, 0.85), width=round(s * 0.09)
    )
    d.rounded_rectangle((x - w, y - s * 0.94, x + w, y), radius=s * 0.12, fill=c)
    d.rectangle((x - w * 0.82, y - s * 0.8, x - w * 0.6, y - s * 0.14), fill=lit(c, 1.3))
    d.ellipse((x - w, y - s, x + w, y - s * 0.84), fill=lit(c, 0.8))
    d.ellipse((x - w * 0.86, y - s * 0.98, x + w * 0.86, y - s * 0.86), fill=(84, 54, 36))


def _apple(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    _ball(d, x - s * 0.1, y, s * 0.82, c, 0)
    _ball(d, x + s * 0.1, y, s * 0.82, c, 0)
    d.line((x, y - s * 0.72, x + s * 0.06, y - s), fill=(90, 60, 40), width=max(2, round(s * 0.05)))
    d.ellipse((x + s * 0.06, y - s, x + s * 0.34, y - s * 0.84), fill=(96, 156, 72))


def _flower(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    d.line((x, y, x, y - s * 0.74), fill=(80, 140, 70), width=max(2, round(s * 0.05)))
    d.ellipse((x, y - s * 0.36, x + s * 0.24, y - s * 0.24), fill=(96, 160, 78))
    for n in range(6):
        angle = turn + n * math.pi / 3
        px, py, r = x + math.cos(angle) * s * 0.15, y - s * 0.78 + math.sin(angle) * s * 0.15, s * 0.1
        d.ellipse((px - r, py - r, px + r, py + r), fill=c)
    d.ellipse((x - s * 0.09, y - s * 0.87, x + s * 0.09, y - s * 0.69), fill=(244, 206, 80))


def _kite(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    points = []
    for px, py in ((0, -0.5), (0.34, -0.08), (0, 0.5), (-0.34, -0.08)):
        points.append(
            (
                x + s * (px * math.cos(turn) - py * math.sin(turn)),
                y - s / 2 + s * (px * math.sin(turn) + py * math.cos(turn)),
            )
        )
    top, right, bottom, left = points
    d.polygon([top, right, bottom], fill=c)
    d.polygon([top, left, bottom], fill=lit(c, 1.25))
    tail = bottom
    for n in range(1, 9):
        to = (bottom[0] + s * 0.1 * math.sin(n + turn * 4), bottom[1] + n * s * 0.11)
        d.line((*tail, *to), fill=lit(c, 0.7), width=3)
        tail = to


def _windmill(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    d.polygon(
        [(x - s * 0.17, y), (x - s * 0.1, y - s * 0.66), (x + s * 0.1, y - s * 0.66), (x + s * 0.17, y)],
        fill=c,
    )
    d.polygon(
        [(x - s * 0.13, y - s * 0.64), (x, y - s * 0.8), (x + s * 0.13, y - s * 0.64)],
        fill=lit((120, 66, 50), 0.9),
    )
    d.rectangle((x - s * 0.05, y - s * 0.16, x + s * 0.05, y), fill=(92, 64, 46))
    cy = y - s * 0.68
    for n in range(4):
        angle = turn + n * math.pi / 2
        ux, uy = math.cos(angle), math.sin(angle)
        tip = (x + ux * s * 0.42, cy + uy * s * 0.42)
        d.line((x, cy, *tip), fill=(84, 64, 52), width=max(2, round(s * 0.02)))
        vx, vy = -uy * s * 0.09, ux * s * 0.09
        root = (x + ux * s * 0.12, cy + uy * s * 0.12)
        d.polygon(
            [root, tip, (tip[0] + vx, tip[1] + vy), (root[0] + vx, root[1] + vy)], fill=(240, 234, 220, 230)
        )
    d.ellipse((x - s * 0.03, cy - s * 0.03, x + s * 0.03, cy + s * 0.03), fill=(70, 56, 48))


def _bird(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    lift = math.sin(turn) * s * 0.35
    width = max(3, round(s * 0.13))
    d.line(
        (x, y, x - s * 0.45, y - s * 0.2 - lift, x - s, y + s * 0.1 - lift * 0.6),
        fill=c,
        width=width,
        joint="curve",
    )
    d.line(
        (x, y, x + s * 0.45, y - s * 0.2 - lift, x + s, y + s * 0.1 - lift * 0.6),
        fill=c,
        width=width,
        joint="curve",
    )
    d.ellipse((x - s * 0.2, y - s * 0.1, x + s * 0.2, y + s * 0.12), fill=c)


def _umbrella(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    d.line((x, y, x, y - s * 0.9), fill=(110, 84, 64), width=max(3, round(s * 0.035)))
    r = s * 0.55
    for n, light in ((1.0, 0.85), (0.62, 1.02), (0.24, 1.2)):
        d.pieslice((x - r * n, y - s, x + r * n, y - s + r * 1.3), 180, 360, fill=lit(c, light))


def _lantern(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    for ring in range(8, 0, -1):
        r = s * (0.35 + 0.09 * ring)
        d.ellipse((x - r, y - s * 0.5 - r, x + r, y - s * 0.5 + r), fill=(255, 214, 120, 10))
    d.rounded_rectangle(
        (x - s * 0.3, y - s * 0.86, x + s * 0.3, y - s * 0.12), radius=s * 0.2, fill=lit(c, 1.1)
    )
    d.rounded_rectangle(
        (x - s * 0.14, y - s * 0.8, x + s * 0.14, y - s * 0.18), radius=s * 0.12, fill=(255, 232, 160)
    )
    for cy in (y - s * 0.9, y - s * 0.06):
        d.rectangle((x - s * 0.2, cy - s * 0.04, x + s * 0.2, cy + s * 0.04), fill=(70, 50, 40))


def _mushroom(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    d.rounded_rectangle((x - s * 0.14, y - s * 0.56, x + s * 0.14, y), radius=s * 0.08, fill=(240, 230, 208))
    d.pieslice((x - s * 0.5, y - s, x + s * 0.5, y - s * 0.1), 180, 360, fill=c)
    for dx, dy, r in ((-0.26, 0.68, 0.07), (0.02, 0.86, 0.08), (0.27, 0.7, 0.06)):
        d.ellipse(
            (x + (dx - r) * s, y - (dy + r) * s, x + (dx + r) * s, y - (dy - r) * s), fill=(250, 246, 236)
        )


def _sun(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    r, cy = s / 2, y - s / 2
    for ring in range(10, 0, -1):
        halo = r * (1 + 0.11 * ring)
        d.ellipse((x - halo, cy - halo, x + halo, cy + halo), fill=(*lit(c, 1.2), 14))
    d.ellipse((x - r, cy - r, x + r, cy + r), fill=lit(c, 1.12))


def _moon(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    _sun(d, x, y, s, c, 0)
    r, cy = s / 2, y - s / 2
    for dx, dy, hole in ((-0.3, -0.2, 0.2), (0.25, 0.1, 0.26), (-0.1, 0.45, 0.15), (0.2, -0.5, 0.12)):
        h = r * hole
        d.ellipse((x + dx * r - h, cy + dy * r - h, x + dx * r + h, cy + dy * r + h), fill=lit(c, 0.86))


def _snowman(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    """`turn` 0..1: how far it has melted. The colour is its hat's."""
    left = 1 - 0.75 * turn
    if turn:
        d.ellipse(
            (x - s * 0.5 * turn - s * 0.2, y - s * 0.06, x + s * 0.5 * turn + s * 0.2, y + s * 0.06),
            fill=(200, 218, 236),
        )
    tall, top = s * left, y
    for part in (0.42, 0.32, 0.24):
        _ball(d, x, top, tall * part, (236, 240, 246), 0)
        top -= tall * part * 0.86
    head = top + tall * 0.1
    d.polygon([(x, head), (x + tall * 0.2, head + tall * 0.02), (x, head + tall * 0.05)], fill=(240, 140, 50))
    for dx in (-0.05, 0.05):
        d.ellipse(
            (x + (dx - 0.012) * tall, head - tall * 0.06, x + (dx + 0.012) * tall, head - tall * 0.035),
            fill=(30, 30, 34),
        )
    d.rectangle((x - tall * 0.16, top - tall * 0.02, x + tall * 0.16, top + tall * 0.02), fill=c)
    d.rectangle((x - tall * 0.1, top - tall * 0.16, x + tall * 0.1, top), fill=c)


def _rocket(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    """`turn`: the length of its flame."""
    if turn:
        for w, length, flame in ((0.14, 0.62, (250, 150, 50)), (0.08, 0.4, (255, 232, 150))):
            d.polygon(
                [(x - s * w, y - s * 0.04), (x + s * w, y - s * 0.04), (x, y + s * length * turn)], fill=flame
            )
    for side in (-1, 1):
        d.polygon(
            [
                (x + side * s * 0.14, y - s * 0.36),
                (x + side * s * 0.3, y),
                (x + side * s * 0.12, y - s * 0.06),
            ],
            fill=c,
        )
    d.polygon([(x - s * 0.15, y - s * 0.66), (x, y - s), (x + s * 0.15, y - s * 0.66)], fill=c)
    d.rectangle((x - s * 0.15, y - s * 0.67, x + s * 0.15, y - s * 0.04), fill=(236, 236, 240))
    d.rectangle((x + s * 0.06, y - s * 0.67, x + s * 0.15, y - s * 0.04), fill=(206, 208, 216))
    d.ellipse((x - s * 0.08, y - s * 0.56, x + s * 0.08, y - s * 0.4), fill=(86, 140, 196))


def _clock(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    """`turn`: the angle of the one hand, clockwise from the top."""
    r, cy = s / 2, y - s / 2
    d.ellipse((x - r, cy - r, x + r, cy + r), fill=c)
    d.ellipse((x - r * 0.88, cy - r * 0.88, x + r * 0.88, cy + r * 0.88), fill=(248, 246, 240))
    for n in range(12):
        ux, uy = math.sin(n * math.pi / 6), -math.cos(n * math.pi / 6)
        d.line(
            (x + ux * r * 0.72, cy + uy * r * 0.72, x + ux * r * 0.82, cy + uy * r * 0.82),
            fill=(40, 40, 46),
            width=5,
        )
    d.line((x, cy, x + math.sin(turn) * r * 0.68, cy - math.cos(turn) * r * 0.68), fill=(40, 40, 46), width=8)
    d.ellipse((x - r * 0.07, cy - r * 0.07, x + r * 0.07, cy + r * 0.07), fill=c)


def _traffic_light(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    """The colour is that of the lamp which is lit."""
    d.rectangle((x - s * 0.025, y - s * 0.5, x + s * 0.025, y), fill=(84, 84, 92))
    d.rounded_rectangle((x - s * 0.13, y - s, x + s * 0.13, y - s * 0.4), radius=s * 0.05, fill=(40, 42, 48))
    for n, name in enumerate(("red", "yellow", "green")):
        cy, r = y - s * (0.9 - 0.2 * n), s * 0.075
        on = COLOURS[name] == c
        if on:
            d.ellipse((x - r * 1.9, cy - r * 1.9, x + r * 1.9, cy + r * 1.9), fill=(*c, 60))
        d.ellipse(
            (x - r, cy - r, x + r, cy + r),
            fill=lit(c, 1.2) if on else mixed(COLOURS[name], (40, 42, 48), 0.75),
        )


def _burst(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    """A firework; `turn` 0..1: how far it has opened."""
    fade = round(255 * max(0.0, 1 - turn**2))
    for ring, count in ((1.0, 16), (0.6, 10)):
        for n in range(count):
            angle = n * 2 * math.pi / count
            out = s * 0.5 * ring * math.sqrt(max(turn, 0.02))
            px, py = x + math.cos(angle) * out, y + math.sin(angle) * out + s * 0.16 * turn**2
            r = s * 0.02
            d.line(
                (px, py, px - math.cos(angle) * out * 0.3, py - math.sin(angle) * out * 0.3),
                fill=(*c, fade // 2),
                width=4,
            )
            d.ellipse((px - r, py - r, px + r, py + r), fill=(*lit(c, 1.35), fade))


def _flake(d: ImageDraw.ImageDraw, x: float, y: float, s: float, c: Colour, turn: float) -> None:
    d.ellipse((x - s / 2, y - s, x + s / 2, y), fill=(*c, 220))


DRAWN: dict[str, Draw] = {
    "ball": _ball,
    "circle": _circle,
    "square": _square,
    "house": _house,
    "pine tree": _pine,
    "tree": _tree,
    "sailing boat": _boat,
    "balloon": _balloon,
    "lighthouse": _lighthouse,
    "car": _car,
    "mug": _mug,
    "apple": _apple,
    "flower": _flower,
    "kite": _kite,
    "windmill": _windmill,
    "bird": _bird,
    "umbrella": _umbrella,
    "lantern": _lantern,
    "mushroom": _mushroom,
    "sun": _sun,
    "moon": _moon,
    "snowman": _snowman,
    "rocket": _rocket,
    "clock": _clock,
    "traffic light": _traffic_light,
    "firework": _burst,
    "flake": _flake,
}
_IN_SKY = {"sun", "moon", "balloon", "kite", "bird", "firework"}
_GLOWS = {"sun", "moon", "firework", "lantern", "traffic light", "flake"}
_NO_SHADOW = {
    "circle",
    "square",
    "clock",
    "rocket",
    "flake",
    "sailing boat",
}
