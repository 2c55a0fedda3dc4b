"""In each modality the criterion decides: of two responses each has another flaw, and who asks for less of the one
calls for the other. Whoever is blind to the criterion can only guess."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass

import av
import numpy as np
import pytest
import trimesh
from PIL import Image, ImageFilter

from tests.media import clips
from workers.reward_models.base import Compared, MediumRef, Side, Verdicts
from workers.reward_models.builtin import BuiltinModel
from workers.reward_models.evaluation import accuracy, blind
from workers.reward_models.features.cache import MemoryCache

TRAINED_ON, TESTED = 12, 5
# How strong a flaw is on the side that has little of it, and on the other.
LITTLE, MUCH = (0.0, 0.3), (0.6, 1.0)


@dataclass(frozen=True)
class Flaws:
    """`make(one, other, rng)`: a response with so much of each flaw. A criterion in words for training, and in others."""

    make: Callable[[float, float, np.random.Generator], Side]
    without_one: tuple[str, str]
    without_other: tuple[str, str]


def medium(modality: str, **files: bytes) -> Side:
    opens = {kind: (lambda data=data: io.BytesIO(data)) for kind, data in files.items()}
    return Side(medium=MediumRef(hashlib.sha256(b"".join(files.values())).digest(), modality, opens))


def scenery(rng: np.random.Generator, size: tuple[int, int] = (96, 72)) -> Image.Image:
    coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.NEAREST)


def spoilt(picture: Image.Image, noise: float, blur: float, rng: np.random.Generator) -> Image.Image:
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(3 * blur)), dtype=float)
    return Image.fromarray(np.clip(soft + rng.normal(0, 30 * noise, soft.shape), 0, 255).astype(np.uint8))


def text(long: float, listed: float, rng: np.random.Generator) -> Side:
    words = "river stone lamp garden winter engine paper market window song bridge cloud".split()
    lines = [" ".join(rng.choice(words, 8)) + "." for _ in range(3 + round(9 * long))]
    marks = ["- " if n < listed * len(lines) else "" for n in range(len(lines))]
    return Side("\n".join(mark + line for mark, line in zip(marks, lines, strict=True)))


def image(noise: float, blur: float, rng: np.random.Generator) -> Side:
    target = io.BytesIO()
    spoilt(scenery(rng), noise, blur, rng).save(target, "PNG")
    return medium("image", web=target.getvalue())


def sound(noise: float, clipping: float, rng: np.random.Generator) -> Side:
    at = np.arange(8_000) / 16_000
    tune = sum(0.2 * np.sin(2 * np.pi * hertz * at) for hertz in rng.uniform(150, 900, 3))
    limit = 0.5 * (1 - 0.9 * clipping)
    heard = np.clip(tune, -limit, limit) + rng.normal(0, 0.04 * noise, len(at))
    whole = np.clip(heard * 32767, -32768, 32767).astype(np.int16)[:, None]
    return medium(
        "audio", web=clips.sound("audio/flac", codec="flac", rate=16_000, samples=whole, format="s16")
    )


def film(shaking: float, blur: float, rng: np.random.Generator) -> Side:
    ground = spoilt(scenery(rng), 0.2, blur, rng)
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as made:
        stream = made.add_stream("libx264", rate=12, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = *ground.size, "yuv420p"
        for _ in range(12):
            away = np.rint(rng.normal(0, 6 * shaking, 2)).astype(int)
            picture = np.roll(np.asarray(ground), away, axis=(0, 1))
            made.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        made.mux(stream.encode(None))
    return medium("video", web=target.getvalue())


def solid(bumps: float, holes: float, rng: np.random.Generator) -> Side:
    ball = trimesh.creation.icosphere(subdivisions=2)
    ball.vertices = ball.vertices * (1 + rng.normal(0, 0.06 * bumps, (len(ball.vertices), 1)))
    ball.update_faces(rng.random(len(ball.faces)) > 0.3 * holes)
    sheet = io.BytesIO()
    Image.new("RGB", (32, 16), "grey").save(sheet, "PNG")
    glb = ball.export(file_type="glb")
    assert isinstance(glb, bytes)
    return medium("mesh", web=glb, sheet=sheet.getvalue())


FLAWS = {
    "text": Flaws(
        text,
        ("The answer is brief", "The response is short"),
        ("It avoids bullet points", "It is not written as a bulleted list"),
    ),
    "image": Flaws(
        image,
        ("The image has no noise", "The picture is free of noise and grain"),
        ("The image is sharp", "The picture is in sharp focus"),
    ),
    "audio": Flaws(
        sound,
        ("There is no hiss in the background", "The background is free of hiss"),
        ("The sound is not distorted", "It is free of distortion"),
    ),
    "video": Flaws(
        film,
        ("The camera is steady", "The camera stays steady and does not shake"),
        ("The video is sharp", "The clip is in sharp focus"),
    ),
    "mesh": Flaws(
        solid,
        ("The surface is smooth", "Its surface is smooth and even"),
        ("The mesh has no holes", "The model is free of holes"),
    ),
}


def contest(
    flaws: Flaws, pairs: int, words: int, rng: np.random.Generator
) -> tuple[list[Compared], Verdicts, list[int]]:
    """Each pair under both criteria, which call for different sides; and the number of each item's pair."""
    items, verdicts, groups = [], [], []
    for number in range(pairs):
        sides = [
            flaws.make(rng.uniform(*MUCH), rng.uniform(*LITTLE), rng),
            flaws.make(rng.uniform(*LITTLE), rng.uniform(*MUCH), rng),
        ]
        turned = number % 2  # by turns on either side
        for criterion, better in ((flaws.without_one, 1), (flaws.without_other, 0)):
            items.append(Compared("Show it", criterion[words], sides[turned], sides[1 - turned]))
            verdicts.append(1 if better == turned else -1)
            groups.append(number)
    return items, np.array(verdicts, dtype=np.int8), groups


@pytest.mark.parametrize("modality", FLAWS)
def test_the_criterion_decides_in_words_that_were_never_seen(modality: str, cache: MemoryCache) -> None:
    rng = np.random.default_rng(7)
    learnt, verdicts, _ = contest(FLAWS[modality], TRAINED_ON, 0, rng)
    asked, truth, groups = contest(FLAWS[modality], TESTED, 1, rng)
    seeing = BuiltinModel.train(learnt, verdicts, cache=cache).score(asked, cache=cache)
    unseeing = BuiltinModel.train(blind(learnt), verdicts, cache=cache).score(blind(asked), cache=cache)
    sighted, blinded = (accuracy(scored.margin, truth, groups) for scored in (seeing, unseeing))
    assert sighted is not None and blinded is not None
    assert sighted.value >= 0.9
    assert blinded.value == 0.5
