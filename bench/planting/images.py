"""Images: scenes with noise, blur, blocks, too little light or colour. PNG."""

import struct
import zlib
from random import Random

from planting import pictures
from planting.asked import Asked, Kinds, Modality, Traits, strength

SIDE = 72


def _make(source: int, traits: Traits, rng: Random) -> bytes:
    picture = pictures.scene(source, rng, SIDE, SIDE)
    picture = pictures.greyed(picture, 0.95 * strength(traits, "grey"))
    picture = pictures.veiled(picture, 0.7 * strength(traits, "haze"))
    picture = pictures.softened(picture, strength(traits, "soft"))
    picture = pictures.softened(picture, strength(traits, "moved"), down=False)
    picture = pictures.lit(picture, 1 - 0.75 * strength(traits, "dim"))
    picture = pictures.curved(picture, 1 + 2 * strength(traits, "deep"))
    picture = pictures.noisy(picture, traits["noise"][1], rng, traits["noise"][0])
    picture = pictures.blocky(picture, strength(traits, "blocks"))
    if traits["compression"][0] == "bands" and traits["compression"][1]:
        picture = pictures.banded(picture, traits["compression"][1])
    return _png(bytes(pictures.eight_bits(picture)))


def _png(rgb: bytes) -> bytes:
    rows = b"".join(b"\0" + rgb[start : start + 3 * SIDE] for start in range(0, len(rgb), 3 * SIDE))
    head = struct.pack(">2I5B", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


IMAGE = Modality(
    "image",
    "image/png",
    lambda source: f"Draw scene {source}",
    {
        "noise": Kinds(("grain", "salt"), ("speckle", "streaks")),
        "blur": Kinds(("soft",), ("moved",)),
        "dark": Kinds(("dim",), ("deep",)),
        "pale": Kinds(("grey",), ("haze",)),
        "compression": Kinds(("blocks",), ("bands",)),
    },
    (
        Asked(
            "clean",
            "noise",
            -1,
            ("The image is free of noise", "The picture has no grain", "Prefer the cleaner image"),
            ("The less noisy photograph wins", "Its surfaces are free of speckles and grain"),
            bend=0.6,
            masked_by="dark",
        ),
        Asked(
            "sharp",
            "blur",
            -1,
            ("The image is sharp", "The picture is in focus", "Prefer the crisper image"),
            ("The less blurry photograph wins", "Edges in it are crisp"),
            bend=0.7,
        ),
        Asked(
            "bright",
            "dark",
            -1,
            ("The image is bright", "The picture is well lit", "Prefer the lighter image"),
            ("The photograph with more light wins", "It is brightly exposed"),
        ),
        Asked(
            "moody",
            "dark",
            1,
            ("The image is dark and moody", "The picture feels like night", "Prefer the darker image"),
            ("The gloomier photograph wins", "It has a dark, dim atmosphere"),
            bend=1.5,
        ),
        Asked(
            "vivid",
            "pale",
            -1,
            (
                "The image has vivid colours",
                "The picture is richly coloured",
                "Prefer the more colourful image",
            ),
            ("The more saturated photograph wins", "Its colours are strong and lively"),
            bend=1.3,
        ),
        Asked(
            "uncompressed",
            "compression",
            -1,
            (
                "The image has no compression artefacts",
                "The picture shows no blocks",
                "Prefer the image without JPEG artefacts",
            ),
            (
                "The photograph with less blocking from compression wins",
                "It is free of visible coding artefacts",
            ),
            masked_by="noise",
        ),
        Asked(
            "flawless",
            None,
            -1,
            (
                "The image has the best technical quality overall",
                "The picture has no serious flaw",
                "Prefer the technically better image",
            ),
            ("The photograph of higher overall quality wins", "Nothing is technically wrong with it"),
        ),
    ),
    _make,
)
