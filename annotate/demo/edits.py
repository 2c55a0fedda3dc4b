"""Edits of a picture: what is asked, the picture to start from, and what comes out."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from PIL import Image, ImageFilter, ImageOps

from annotate.demo import pictures
from annotate.demo.canvas import Scene, Thing, enlivened, render, roughened
from annotate.demo.pictures import (
    SIZE,
    Change,
    adding,
    mirrored,
    recoloured,
    replaced,
    resized,
    standing_on,
    under,
    without,
)
from annotate.demo.rules import TOP, Traits, chance

Filter = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Edit:
    """`change` the scene, or draw it through a `filter`. `wrong`: what who misreads the prompt does instead."""

    prompt: str
    scene: Scene
    change: Change | None = None
    filter: Filter | None = None
    wrong: Change = field(kw_only=True)


def _scene(sky: str, ground: str, *things: Thing) -> Scene:
    return Scene(sky, ground, things, 3, chance("edit", sky, ground, len(things)).randrange(10**6))


def _at(kind: str, colour: str, x: float, y: float, size: float, turn: float = 0) -> Thing:
    return Thing(kind, x, y, size, colour, turn)


def _sketch(image: Image.Image) -> Image.Image:
    """A pencil drawing: what differs from its own blur is a line."""
    grey = ImageOps.grayscale(image)
    blurred = grey.filter(ImageFilter.GaussianBlur(7))
    lines = Image.eval(
        Image.blend(grey, ImageOps.invert(blurred), 0.5), lambda v: min(255, max(0, (v - 96) * 8))
    )
    return ImageOps.colorize(lines, (52, 50, 56), (250, 248, 240))


def _pixels(image: Image.Image) -> Image.Image:
    small = image.resize((SIZE[0] // 12, SIZE[1] // 12), Image.Resampling.BOX).quantize(24)
    return small.convert("RGB").resize(SIZE, Image.Resampling.NEAREST)


_HARBOUR = _scene(
    *("noon", "sea"),
    _at("lighthouse", "red", 0.2, 0.86, 0.6),
    _at("sailing boat", "white", 0.6, 0.84, 0.34),
    _at("sailing boat", "orange", 0.84, 0.72, 0.2),
)
_FARM = _scene(
    *("noon", "meadow"),
    _at("house", "white", 0.3, 0.84, 0.34),
    _at("tree", "green", 0.66, 0.86, 0.46),
    _at("flower", "red", 0.86, 0.94, 0.26),
)
_STREET = _scene(
    *("dusk", "street"),
    _at("car", "blue", 0.36, 0.88, 0.22),
    _at("traffic light", "red", 0.76, 0.88, 0.56),
    _at("balloon", "yellow", 0.5, 0.42, 0.26),
)
_WINTER = _scene(
    *("night", "snow"),
    _at("snowman", "black", 0.3, 0.9, 0.48),
    _at("pine tree", "green", 0.62, 0.86, 0.58),
    _at("pine tree", "green", 0.82, 0.84, 0.44),
)
_TABLE = _scene(
    *("noon", "table"),
    _at("mug", "turquoise", 0.34, 0.9, 0.36),
    _at("apple", "green", 0.6, 0.92, 0.2),
    _at("apple", "green", 0.8, 0.9, 0.2),
)
_MILL = _scene(
    *("dawn", "meadow"),
    _at("windmill", "white", 0.38, 0.86, 0.6, 0.5),
    _at("kite", "purple", 0.74, 0.4, 0.22, 0.4),
)

EDITS = (
    Edit("Turn the day into night.", _HARBOUR, under("night"), wrong=under("dusk")),
    Edit(
        "Make the sails of the large boat green.",
        _HARBOUR,
        recoloured(1, "green"),
        wrong=recoloured(2, "green"),
    ),
    Edit("Make it look like pixel art.", _HARBOUR, filter=_pixels, wrong=under("dusk")),
    Edit("Paint the house blue.", _FARM, recoloured(0, "blue"), wrong=recoloured(1, "blue")),
    Edit(
        "Make it autumn: the tree's leaves orange.",
        _FARM,
        recoloured(1, "orange"),
        wrong=recoloured(0, "orange"),
    ),
    Edit(
        "Let it be winter: snow on the ground, everything else as it is.",
        _FARM,
        standing_on("snow"),
        wrong=standing_on("desert"),
    ),
    Edit("Mirror the picture, left to right.", _FARM, mirrored, wrong=under("dawn")),
    Edit("Make it a pencil drawing.", _FARM, filter=_sketch, wrong=under("storm")),
    Edit("The light should be green.", _STREET, recoloured(1, "green"), wrong=recoloured(0, "green")),
    Edit(
        "Paint the car red and leave the balloon alone.",
        _STREET,
        recoloured(0, "red"),
        wrong=recoloured(2, "red"),
    ),
    Edit(
        "Add a full moon at the upper left.",
        _WINTER,
        adding(_at("moon", "white", 0.2, 0.26, 0.16)),
        wrong=adding(_at("sun", "yellow", 0.8, 0.3, 0.2)),
    ),
    Edit(
        "Replace the snowman by a red house.",
        _WINTER,
        replaced(0, "house", "red"),
        wrong=replaced(1, "house", "red"),
    ),
    Edit("Make the mug twice as large.", _TABLE, resized(0, 1.8), wrong=resized(1, 1.8)),
    Edit(
        "Turn the right apple red, only that one.", _TABLE, recoloured(2, "red"), wrong=recoloured(1, "red")
    ),
    Edit(
        "Remove the kite, and make it a stormy day.",
        _MILL,
        lambda scene: under("storm")(without(1)(scene)),
        wrong=without(0),
    ),
    Edit(
        "Put the mill into the desert and make the kite yellow.",
        _MILL,
        lambda scene: standing_on("desert")(recoloured(1, "yellow")(scene)),
        wrong=standing_on("snow"),
    ),
)


def source_of(edit: Edit) -> bytes:
    """The picture that is to be edited."""
    return pictures.jpeg(render(edit.scene, SIZE), 92)


def edited(edit: Edit, traits: Traits, rng: random.Random) -> bytes:
    """The edit as a generator of these traits does it.

    Faithful 4: as asked, all else untouched. 3 and 2: done, with one or two things changed besides. 1: something else
    was done instead. 0: that, and more besides.
    """
    scene = edit.scene
    done = traits.faithful >= 2
    change = edit.change if done else edit.wrong
    if change:
        scene = change(scene)
    besides = [
        change
        for change in pictures.mistakes_of(scene, rng)
        if change(scene).sky == scene.sky  # another sky could be taken for the edit itself
    ]
    for change in besides[: (3, 0, 2, 1, 0)[traits.faithful]]:
        scene = change(scene)
    image = render(replace(scene, detail=edit.scene.detail), SIZE)
    if edit.filter and done:
        image = edit.filter(image)
    image = roughened(enlivened(image, traits.lively), traits.finish, scene.seed)
    return pictures.jpeg(image, (30, 50, 80, 88, 92)[traits.finish] if traits.finish < TOP else 92)
