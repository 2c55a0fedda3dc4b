"""Videos: scenes that move, and shake, flicker, freeze, are blurred or noisy. AVI of raw pixels."""

import math
import struct
from random import Random

from planting import pictures
from planting.asked import Asked, Kinds, Modality, Traits, strength

WIDTH, HEIGHT, FRAMES, RATE = 48, 36, 20, 10


def _make(source: int, traits: Traits, rng: Random) -> bytes:
    seed = rng.random()
    shown, last = [], b""
    for number in range(FRAMES):
        if last and _frozen(number, traits, Random(f"{seed} {number}")):
            shown.append(last)
            continue
        drift = (0.3 + 3 * strength(traits, "drift")) * number
        picture = pictures.scene(source, Random(seed), WIDTH, HEIGHT, drift)
        if much := strength(traits, "pans"):  # the whole picture moves, shapes and ground
            picture = _moved(picture, round(3 * much * number), 0)
        picture = _shaken(picture, number, traits, rng)
        picture = pictures.softened(picture, strength(traits, "soft"))
        picture = pictures.softened(picture, strength(traits, "moved"), down=False)
        picture = pictures.lit(picture, _light(number, traits, rng))
        picture = pictures.noisy(picture, traits["noise"][1], rng, traits["noise"][0])
        last = _dib(picture)
        shown.append(last)
    return _avi(shown)


def _frozen(number: int, traits: Traits, rng: Random) -> bool:
    """Whether the picture before stays: now and then, or for most of every second."""
    if much := strength(traits, "stalls"):
        return rng.random() < 0.85 * much
    return number % (1 + round(7 * strength(traits, "few a second"))) != 0


def _shaken(picture: pictures.Picture, number: int, traits: Traits, rng: Random) -> pictures.Picture:
    if much := strength(traits, "jitter"):
        return _moved(picture, round(rng.gauss(0, 3 * much)), round(rng.gauss(0, 3 * much)))
    if much := strength(traits, "bounce"):
        return _moved(picture, 0, round(6 * much * math.sin(2.4 * number)))
    return picture


def _moved(picture: pictures.Picture, right: int, down: int) -> pictures.Picture:
    width, height = len(picture[0]), len(picture)
    rows = [picture[(y - down) % height] for y in range(height)]
    return [[row[(x - right) % width] for x in range(width)] for row in rows]


def _light(number: int, traits: Traits, rng: Random) -> float:
    if much := strength(traits, "random light"):
        return max(1 + 0.3 * much * rng.uniform(-1, 1), 0.1)
    return 1 - 0.35 * strength(traits, "pulse") * (number % 4 < 2)


def _dib(picture: pictures.Picture) -> bytes:
    """Blue, green, red; the lowest row first."""
    rgb = pictures.eight_bits(picture)
    rgb[0::3], rgb[2::3] = rgb[2::3], rgb[0::3]
    rows = [rgb[start : start + 3 * WIDTH] for start in range(0, len(rgb), 3 * WIDTH)]
    return b"".join(rows[::-1])


def _avi(frames: list[bytes]) -> bytes:
    """The container as Microsoft's RIFF describes it: one track of uncompressed pictures, with its index."""
    size = len(frames[0])
    main = struct.pack(
        "<14I", 10**6 // RATE, size * RATE, 0, 0x10, len(frames), 0, 1, size, WIDTH, HEIGHT, 0, 0, 0, 0
    )
    head = struct.pack(
        "<4s4s3I8I4h",
        b"vids",
        b"DIB ",
        0,
        0,
        0,
        1,
        RATE,
        0,
        len(frames),
        size,
        0xFFFFFFFF,
        0,
        0,
        0,
        0,
        WIDTH,
        HEIGHT,
    )
    form = struct.pack("<3I2H6I", 40, WIDTH, HEIGHT, 1, 24, 0, size, 0, 0, 0, 0)
    track = _list(b"strl", _chunk(b"strh", head) + _chunk(b"strf", form))
    pictures_ = b"".join(_chunk(b"00db", frame) for frame in frames)
    index = b"".join(
        struct.pack("<4s3I", b"00db", 0x10, 4 + n * (size + 8), size) for n in range(len(frames))
    )
    whole = _list(b"hdrl", _chunk(b"avih", main) + track) + _list(b"movi", pictures_) + _chunk(b"idx1", index)
    return _chunk(b"RIFF", b"AVI " + whole)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _list(name: bytes, content: bytes) -> bytes:
    return _chunk(b"LIST", name + content)


VIDEO = Modality(
    "video",
    "video/x-msvideo",
    lambda source: f"Film scene {source}",
    {
        "shaking": Kinds(("jitter",), ("bounce",)),
        "flicker": Kinds(("random light",), ("pulse",)),
        "freezing": Kinds(("stalls",), ("few a second",)),
        "blur": Kinds(("soft",), ("moved",)),
        "noise": Kinds(("grain", "salt"), ("speckle", "streaks")),
        "motion": Kinds(("drift",), ("pans",)),
    },
    (
        Asked(
            "steady",
            "shaking",
            -1,
            ("The camera is steady", "The video does not shake", "Prefer the clip without camera shake"),
            ("The more stable footage wins", "It looks as if filmed from a tripod"),
            bend=0.7,
            masked_by="freezing",
        ),
        Asked(
            "even",
            "flicker",
            -1,
            (
                "The brightness does not flicker",
                "The video has even lighting over time",
                "Prefer the clip without flicker",
            ),
            ("The footage with less flickering wins", "Its light stays constant from frame to frame"),
            bend=0.7,
        ),
        Asked(
            "fluent",
            "freezing",
            -1,
            (
                "The video plays fluently",
                "The clip has no frozen frames",
                "Prefer the video that does not freeze",
            ),
            ("The footage with fewer stalls wins", "It runs smoothly and never gets stuck"),
            bend=0.8,
        ),
        Asked(
            "sharp",
            "blur",
            -1,
            ("The video is sharp", "The footage is in focus", "Prefer the crisper clip"),
            ("The less blurry video wins", "Edges in it are crisp"),
            bend=0.7,
        ),
        Asked(
            "clean",
            "noise",
            -1,
            ("The video is free of noise", "The footage has no grain", "Prefer the cleaner clip"),
            ("The less noisy video wins", "Its surfaces are free of speckles and grain"),
            bend=0.6,
        ),
        Asked(
            "moving",
            "motion",
            1,
            (
                "There is a lot of motion in the video",
                "Things move quickly in the clip",
                "Prefer the more dynamic video",
            ),
            ("The video with more movement wins", "The action in it is fast"),
            masked_by="freezing",
        ),
        Asked(
            "calm",
            "motion",
            -1,
            ("The video is calm", "Things move slowly in the clip", "Prefer the slower, quieter scene"),
            ("The video with less movement wins", "It is a tranquil shot in which little happens"),
            bend=1.3,
        ),
    ),
    _make,
)
