"""Pictures as rows of (red, green, blue) between 0 and 1: scenes of shapes, and what is done to them."""

from random import Random

Pixel = tuple[float, float, float]
Picture = list[list[Pixel]]


def scene(source: int, rng: Random, width: int, height: int, drift: float = 0.0) -> Picture:
    """Shapes on a gradient, as the source has them, each a little displaced; `drift` moves them to the right."""
    of_source = Random(f"scene {source}")
    top, bottom = ([of_source.uniform(0.15, 0.95) for _ in range(3)] for _ in range(2))
    fine = of_source.uniform(0.01, 0.08)
    picture = [
        [_mixed(top, bottom, y / height, of_source.uniform(-fine, fine)) for _ in range(width)]
        for y in range(height)
    ]
    for _ in range(of_source.randrange(6, 16)):
        wide, high = (round(of_source.uniform(0.08, 0.4) * side) for side in (width, height))
        left = of_source.randrange(width) + rng.randrange(-2, 3) + round(drift)
        upper = of_source.randrange(height - high + 1) + rng.randrange(-2, 3)
        colour = (of_source.random(), of_source.random(), of_source.random())
        round_ = of_source.random() < 0.5
        for y in range(max(upper, 0), min(upper + high, height)):
            for x in range(left, left + wide):
                if not round_ or ((x - left) / wide - 0.5) ** 2 + ((y - upper) / high - 0.5) ** 2 < 0.25:
                    picture[y][x % width] = colour
    return picture


def _mixed(a: list[float], b: list[float], share: float, off: float) -> Pixel:
    r, g, b_ = (min(max(p + share * (q - p) + off, 0.0), 1.0) for p, q in zip(a, b, strict=True))
    return r, g, b_


def averaged(picture: Picture, radius: int, *, across: bool = True, down: bool = True) -> Picture:
    """Each pixel the mean of those up to `radius` away, along rows, columns or both."""
    if across:
        picture = [_line(row, radius) for row in picture]
    if down:
        columns = [_line(list(column), radius) for column in zip(*picture, strict=True)]
        picture = [list(row) for row in zip(*columns, strict=True)]
    return picture


def _line(line: list[Pixel], radius: int) -> list[Pixel]:
    last = len(line) - 1
    reach = range(-radius, radius + 1)
    count = len(reach)
    channels = []
    for channel in zip(*line, strict=True):
        padded = [channel[min(max(at, 0), last)] for at in range(-radius, last + radius + 1)]
        total = sum(padded[: count - 1])
        means = []
        for at in range(last + 1):
            total += padded[at + count - 1]
            means.append(total / count)
            total -= padded[at]
        channels.append(means)
    return list(zip(*channels, strict=True))


def blended(a: Picture, b: Picture, share: float) -> Picture:
    """`share` of b in a."""
    return [
        [
            (p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1]), p[2] + share * (q[2] - p[2]))
            for p, q in zip(row, other, strict=True)
        ]
        for row, other in zip(a, b, strict=True)
    ]


def softened(picture: Picture, much: float, *, across: bool = True, down: bool = True) -> Picture:
    """Blurred: `much` from 0 to 1 is a radius from 0 to 3, by blending between whole ones."""
    radius = 3 * much
    whole = int(radius)
    less = averaged(picture, whole, across=across, down=down) if whole else picture
    return blended(less, averaged(picture, whole + 1, across=across, down=down), radius - whole)


def blocky(picture: Picture, much: float, side: int = 8) -> Picture:
    """Blended with the means of blocks, as strong compression leaves them."""
    height, width = len(picture), len(picture[0])
    blocks = [list(row) for row in picture]
    for top in range(0, height, side):
        for left in range(0, width, side):
            cells = [
                (y, x)
                for y in range(top, min(top + side, height))
                for x in range(left, min(left + side, width))
            ]
            r, g, b = (sum(picture[y][x][c] for y, x in cells) / len(cells) for c in range(3))
            for y, x in cells:
                blocks[y][x] = (r, g, b)
    return blended(picture, blocks, 0.9 * much)


def noisy(picture: Picture, much: float, rng: Random, kind: str) -> Picture:
    """ "grain" is added everywhere, "salt" sets single pixels white or black, "speckle" multiplies, "streaks" go over rows."""
    made: Picture = []
    for row in picture:
        streak = rng.gauss(0, 0.14 * much) if kind == "streaks" else 0.0
        if kind == "salt":
            made.append([_salted(rng) if rng.random() < 0.12 * much else pixel for pixel in row])
        elif kind == "speckle":
            made.append([_times(pixel, 1 + rng.gauss(0, 0.3 * much)) for pixel in row])
        elif kind == "streaks":
            made.append([(r + streak, g + streak, b + streak) for r, g, b in row])
        else:
            deviation = 0.14 * much
            made.append(
                [
                    (r + rng.gauss(0, deviation), g + rng.gauss(0, deviation), b + rng.gauss(0, deviation))
                    for r, g, b in row
                ]
            )
    return made


def _salted(rng: Random) -> Pixel:
    return (1.0, 1.0, 1.0) if rng.random() < 0.5 else (0.0, 0.0, 0.0)


def _times(pixel: Pixel, factor: float) -> Pixel:
    return pixel[0] * factor, pixel[1] * factor, pixel[2] * factor


def lit(picture: Picture, factor: float) -> Picture:
    return [[_times(pixel, factor) for pixel in row] for row in picture]


def curved(picture: Picture, power: float) -> Picture:
    return [[(r**power, g**power, b**power) for r, g, b in row] for row in picture]


def greyed(picture: Picture, much: float) -> Picture:
    grey = [[(mean, mean, mean) for mean in (sum(pixel) / 3 for pixel in row)] for row in picture]
    return blended(picture, grey, much)


def veiled(picture: Picture, much: float, veil: Pixel = (0.72, 0.74, 0.76)) -> Picture:
    """As through haze."""
    return blended(picture, [[veil] * len(row) for row in picture], much)


def banded(picture: Picture, much: float) -> Picture:
    """In few steps of light."""
    steps = 24 - 20 * much
    return [
        [(round(r * steps) / steps, round(g * steps) / steps, round(b * steps) / steps) for r, g, b in row]
        for row in picture
    ]


def eight_bits(picture: Picture) -> bytearray:
    """Row after row."""
    return bytearray(
        min(max(round(255 * value), 0), 255) for row in picture for pixel in row for value in pixel
    )
