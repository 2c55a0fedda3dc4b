"""Still pictures: scenes to draw from a prompt, to describe, and to edit, and how they go wrong."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

from PIL import Image

from annotate.demo.canvas import COLOURS, Scene, Thing, enlivened, render, roughened
from annotate.demo.rules import TOP, Traits, chance

SIZE = (512, 384)
_QUALITY = (18, 40, 78, 86, 90)  # of JPEG, by finish

SKY_WORDS = {
    "dawn": "at dawn",
    "noon": "in bright daylight",
    "dusk": "at dusk",
    "night": "on a starry night",
    "storm": "under a stormy sky",
}
GROUND_WORDS = {
    "meadow": "on a green meadow",
    "sea": "on the sea",
    "snow": "in the snow",
    "desert": "in the desert",
    "street": "on a city street",
    "table": "on a wooden table",
}

Change = Callable[[Scene], Scene]


@dataclass(frozen=True)
class Picture:
    """A prompt and the scene that it asks for. Its first things are those that the prompt names."""

    prompt: str
    scene: Scene


def _at(kind: str, colour: str, x: float, y: float, size: float, turn: float = 0) -> Thing:
    return Thing(kind, x, y, size, colour, turn)


def _picture(prompt: str, sky: str, ground: str, *things: Thing) -> Picture:
    return Picture(prompt, Scene(sky, ground, things, seed=chance("scene", prompt).randrange(10**6)))


PICTURES = (
    _picture(
        "A red circle to the left of a blue square at dusk.",
        *("dusk", "meadow"),
        _at("circle", "red", 0.3, 0.84, 0.36),
        _at("square", "blue", 0.7, 0.84, 0.34),
    ),
    _picture(
        "Three sailing boats with white, yellow and red sails on a calm sea under a full moon.",
        *("night", "sea"),
        _at("sailing boat", "white", 0.22, 0.84, 0.34),
        _at("sailing boat", "yellow", 0.52, 0.74, 0.24),
        _at("sailing boat", "red", 0.78, 0.9, 0.38),
        _at("moon", "white", 0.7, 0.3, 0.2),
    ),
    _picture(
        "A small white house between two tall pine trees in the snow at dawn.",
        *("dawn", "snow"),
        _at("house", "white", 0.5, 0.8, 0.32),
        _at("pine tree", "green", 0.24, 0.86, 0.58),
        _at("pine tree", "green", 0.78, 0.87, 0.6),
    ),
    _picture(
        "Still life: a blue mug on a wooden table, a red apple to its right and a green one to its left.",
        *("noon", "table"),
        _at("mug", "blue", 0.48, 0.88, 0.36),
        _at("apple", "red", 0.76, 0.9, 0.2),
        _at("apple", "green", 0.22, 0.9, 0.2),
    ),
    _picture(
        "Two hot-air balloons over the desert at dawn, the larger one orange, the smaller one purple.",
        *("dawn", "desert"),
        _at("balloon", "orange", 0.34, 0.66, 0.5),
        _at("balloon", "purple", 0.74, 0.46, 0.26),
    ),
    _picture(
        "A lighthouse with red bands on the right, a storm coming, one small boat far out at sea.",
        *("storm", "sea"),
        _at("lighthouse", "red", 0.8, 0.86, 0.66),
        _at("sailing boat", "white", 0.28, 0.68, 0.16),
    ),
    _picture(
        "A yellow car on a city street at night, four white birds in an arc above it.",
        *("night", "street"),
        _at("car", "yellow", 0.48, 0.88, 0.24),
        _at("bird", "white", 0.2, 0.3, 0.035, 0.6),
        _at("bird", "white", 0.38, 0.2, 0.035, 1.4),
        _at("bird", "white", 0.58, 0.2, 0.035, 0.2),
        _at("bird", "white", 0.76, 0.3, 0.035, 2.4),
    ),
    _picture(
        "A pink flower, a yellow flower and a white flower in a row, from left to right, on a meadow at noon.",
        *("noon", "meadow"),
        _at("flower", "pink", 0.25, 0.9, 0.5),
        _at("flower", "yellow", 0.5, 0.9, 0.5),
        _at("flower", "white", 0.75, 0.9, 0.5),
    ),
    _picture(
        "A snowman with a black hat beside a snow-covered house, stars above.",
        *("night", "snow"),
        _at("snowman", "black", 0.3, 0.9, 0.5),
        _at("house", "brown", 0.68, 0.84, 0.36),
    ),
    _picture(
        "An old windmill on a meadow, the sun going down behind it, one tree to the right.",
        *("dusk", "meadow"),
        _at("windmill", "white", 0.42, 0.86, 0.62, 0.5),
        _at("tree", "green", 0.78, 0.84, 0.38),
        _at("sun", "orange", 0.62, 0.56, 0.22),
    ),
    _picture(
        "A rocket with red fins taking off from the desert at night, its flame lighting the ground.",
        *("night", "desert"),
        _at("rocket", "red", 0.5, 0.66, 0.5, 1.0),
    ),
    _picture(
        "A red and a green kite in the sky above the beach, the red one higher.",
        *("noon", "sea"),
        _at("kite", "red", 0.34, 0.32, 0.22, 0.4),
        _at("kite", "green", 0.66, 0.5, 0.22, -0.3),
    ),
    _picture(
        "Under a purple umbrella in the desert: one orange ball and one turquoise ball.",
        *("noon", "desert"),
        _at("umbrella", "purple", 0.5, 0.86, 0.6),
        _at("ball", "orange", 0.36, 0.9, 0.14),
        _at("ball", "turquoise", 0.64, 0.9, 0.14),
    ),
    _picture(
        "Five red mushrooms with white dots in the forest grass, an evergreen behind them.",
        *("dawn", "meadow"),
        _at("mushroom", "red", 0.16, 0.9, 0.22),
        _at("mushroom", "red", 0.34, 0.94, 0.3),
        _at("mushroom", "red", 0.52, 0.9, 0.2),
        _at("mushroom", "red", 0.68, 0.95, 0.28),
        _at("mushroom", "red", 0.86, 0.91, 0.2),
        _at("pine tree", "green", 0.6, 0.76, 0.6),
    ),
    _picture(
        "A glowing lantern on a wooden table at night, a blue mug beside it.",
        *("night", "table"),
        _at("lantern", "red", 0.4, 0.9, 0.46),
        _at("mug", "blue", 0.72, 0.9, 0.26),
    ),
    _picture(
        "Fireworks in red, yellow and turquoise over the sea at night.",
        *("night", "sea"),
        _at("firework", "red", 0.24, 0.36, 0.5, 0.45),
        _at("firework", "yellow", 0.54, 0.24, 0.46, 0.55),
        _at("firework", "turquoise", 0.8, 0.42, 0.5, 0.4),
    ),
)


def mistakes_of(scene: Scene, rng: random.Random) -> list[Change]:
    """Four ways to get the scene wrong, each of which contradicts what was asked, in some order."""
    named = len(scene.things)
    first = rng.randrange(named)
    second = (first + 1) % named
    changes = [recoloured(first, _other_colour(scene.things[first], rng)), _other_sky(scene, rng)]
    if named > 1:
        changes += [_swapped(first, second), without(second)]
    else:
        changes += [_doubled(0), _shrunk(0)]
    rng.shuffle(changes)
    return changes


def with_mistakes(scene: Scene, faithful: int, changes: Sequence[Change]) -> Scene:
    """As many of the mistakes as the level says: none at 4, all four at 0."""
    for change in changes[: TOP - faithful]:
        scene = change(scene)
    return scene


def draw(scene: Scene, traits: Traits) -> bytes:
    """A JPEG of the scene with what the traits make of it, but for its mistakes."""
    image = enlivened(render(replace(scene, detail=traits.full), SIZE), traits.lively)
    image = roughened(image, traits.finish, scene.seed + 11 * traits.lively + traits.full)
    return jpeg(image, _QUALITY[traits.finish])


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def drawn_from(picture: Picture, traits: Traits, rng: random.Random) -> bytes:
    """The response to the picture's prompt by a generator of these traits."""
    scene = replace(picture.scene, seed=rng.randrange(10**6))
    return draw(with_mistakes(scene, traits.faithful, mistakes_of(picture.scene, rng)), traits)


# Changes of a scene: the edits that are asked for, and mistakes.


def recoloured(index: int, colour: str) -> Change:
    return lambda scene: _put(scene, index, replace(scene.things[index], colour=colour))


def without(index: int) -> Change:
    """Too small to be seen: the numbers of the other things stay."""
    return lambda scene: _put(scene, index, replace(scene.things[index], size=0.0001))


def under(sky: str) -> Change:
    return lambda scene: replace(scene, sky=sky)


def standing_on(ground: str) -> Change:
    return lambda scene: replace(scene, ground=ground)


def adding(thing: Thing) -> Change:
    return lambda scene: replace(scene, things=(*scene.things, thing))


def resized(index: int, factor: float) -> Change:
    return lambda scene: _put(
        scene, index, replace(scene.things[index], size=scene.things[index].size * factor)
    )


def replaced(index: int, kind: str, colour: str) -> Change:
    return lambda scene: _put(scene, index, replace(scene.things[index], kind=kind, colour=colour))


def mirrored(scene: Scene) -> Scene:
    return replace(scene, things=tuple(replace(thing, x=1 - thing.x) for thing in scene.things))


def _put(scene: Scene, index: int, thing: Thing) -> Scene:
    return replace(scene, things=(*scene.things[:index], thing, *scene.things[index + 1 :]))


def _swapped(one: int, other: int) -> Change:
    """They change places, each on its own ground or sky where they stand side by side."""

    def change(scene: Scene) -> Scene:
        first, second = scene.things[one], scene.things[other]
        axis = "x" if abs(first.x - second.x) > 0.1 else "y"
        scene = _put(scene, one, replace(first, **{axis: getattr(second, axis)}))
        return _put(scene, other, replace(second, **{axis: getattr(first, axis)}))

    return change


def _doubled(index: int) -> Change:
    def change(scene: Scene) -> Scene:
        thing = scene.things[index]
        return adding(replace(thing, x=(thing.x + 0.36) % 1, size=thing.size * 0.8))(scene)

    return change


def _shrunk(index: int) -> Change:
    return resized(index, 0.4)


def _other_sky(scene: Scene, rng: random.Random) -> Change:
    return under(rng.choice([sky for sky in SKY_WORDS if sky != scene.sky]))


def _other_colour(thing: Thing, rng: random.Random) -> str:
    if thing.kind == "traffic light":
        return rng.choice([name for name in ("red", "yellow", "green") if name != thing.colour])
    return rng.choice([name for name in COLOURS if name not in (thing.colour, "black", "grey", "brown")])


# Pictures to ask about: composed by chance, so that what can be said of them is known.

_KINDS = {
    # kind -> (grounds it may stand on, height)
    "house": (("meadow", "snow", "street"), 0.34),
    "pine tree": (("meadow", "snow"), 0.5),
    "tree": (("meadow", "street"), 0.46),
    "sailing boat": (("sea",), 0.36),
    "lighthouse": (("sea", "meadow"), 0.6),
    "car": (("street", "desert"), 0.2),
    "mug": (("table",), 0.36),
    "apple": (("table",), 0.22),
    "lantern": (("table", "snow"), 0.36),
    "flower": (("meadow",), 0.42),
    "windmill": (("meadow", "desert"), 0.56),
    "umbrella": (("desert", "street"), 0.44),
    "mushroom": (("meadow",), 0.3),
    "snowman": (("snow",), 0.44),
    "rocket": (("desert",), 0.5),
    "ball": (("meadow", "desert", "table", "snow"), 0.2),
}
_ABOVE = {"balloon": 0.3, "moon": 0.16, "kite": 0.2, "bird": 0.05}
_PLACES = (("on the left", 0.22), ("in the middle", 0.5), ("on the right", 0.78))


def composed(number: int) -> Scene:
    """A scene of two or three things and something in the sky, for a question about it."""
    rng = chance("composed", number)
    ground = rng.choice([ground for ground in GROUND_WORDS if ground != "sea"] if number % 4 else ["sea"])
    kinds = [kind for kind, (grounds, _) in _KINDS.items() if ground in grounds]
    places = rng.sample(_PLACES, 2 if len(kinds) < 3 else rng.choice([2, 3]))
    colours = rng.sample(("red", "orange", "yellow", "blue", "purple", "pink", "white", "turquoise"), 4)
    things = []
    for (_, x), colour in zip(places, colours, strict=False):
        kind = rng.choice(kinds)
        things.append(
            _at(kind, "green" if kind == "pine tree" else colour, x, rng.uniform(0.84, 0.92), _KINDS[kind][1])
        )
    above = rng.choice(list(_ABOVE))
    things.append(
        _at(
            above,
            "white" if above == "moon" else colours[3],
            rng.choice((0.3, 0.62)),
            rng.uniform(0.34, 0.42),
            _ABOVE[above],
        )
    )
    return Scene(rng.choice(list(SKY_WORDS)), ground, tuple(things), 3, number)


def said_of(scene: Scene, rng: random.Random) -> list[tuple[str, str]]:
    """(true, false) sentences about a composed scene, the most important ones first."""
    *standing, above = scene.things
    facts = []
    for thing in standing:
        place = min(_PLACES, key=lambda one: abs(one[1] - thing.x))[0]
        wrong_place = rng.choice([name for name, _ in _PLACES if name != place])
        wrong = rng.choice(
            [
                f"There is {_a(_other_colour(thing, rng))} {_noun(thing.kind)} {place}.",
                f"There is {_a(thing.colour)} {_noun(thing.kind)} {wrong_place}.",
                f"There is {_a(thing.colour)} {_noun(rng.choice([kind for kind in _KINDS if kind != thing.kind]))} {place}.",
            ]
        )
        facts.append((f"There is {_a(thing.colour)} {_noun(thing.kind)} {place}.", wrong))
    sky = rng.choice([sky for sky in SKY_WORDS if sky != scene.sky])
    ground = rng.choice([ground for ground in GROUND_WORDS if ground != scene.ground])
    facts.append(
        (
            f"All this is {GROUND_WORDS[scene.ground]}, {SKY_WORDS[scene.sky]}.",
            f"All this is {GROUND_WORDS[ground]}, {SKY_WORDS[sky]}.",
        )
    )
    other = rng.choice([kind for kind in _ABOVE if kind != above.kind])
    facts.append(
        (
            f"Above, {_a(above.colour)} {_noun(above.kind)} can be seen.",
            f"Above, {_a(above.colour)} {_noun(other)} can be seen.",
        )
    )
    count = ("one thing", "two things", "three things", "four things")
    facts.append(
        (f"On the ground stand {count[len(standing) - 1]}.", f"On the ground stand {count[len(standing)]}.")
    )
    return facts


def notes_of(scene: Scene) -> str:
    """What is in a composed scene, in few words: all that `said_of` says of it follows from them."""
    *standing, above = scene.things
    notes = [
        f"{thing.colour} {_noun(thing.kind)} {min(_PLACES, key=lambda one: abs(one[1] - thing.x))[0]}"
        for thing in standing
    ]
    notes.append(f"above them {_a(above.colour)} {_noun(above.kind)}")
    return "; ".join([*notes, f"{GROUND_WORDS[scene.ground]}, {SKY_WORDS[scene.sky]}"])


def _a(colour: str) -> str:
    return f"{'an' if colour[0] in 'aeiou' else 'a'} {colour}"


def _noun(kind: str) -> str:
    return {"balloon": "hot-air balloon", "tree": "leafy tree", "house": "house"}.get(kind, kind)
