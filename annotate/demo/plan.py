"""What the demo consists of: its pairs with their media, as rows of Evenhand's own layout. docs/import.md tells it."""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from annotate.demo import edits, films, pictures, solids, sounds, texts
from annotate.demo.rules import CRITERIA, GENERATORS, Asked, Generator, Traits, chance
from annotate.models import TaskType

SOURCE = "demo"
MEDIA = "media"
WRITTEN = "written.jsonl"
# What it may cost, from drawing to the last judgment, with all that is made of its files; bench/demo.py says whether.
MAX_BYTES = 20_000_000
MAX_SECONDS = 30
# Questions about a picture, a film and a sound.
_LOOK = (
    "What can be seen in this picture?",
    "Describe this picture to somebody who cannot see it.",
    "What is where here?",
)
_WATCH = ("What happens in this video?", "Describe what you see, from beginning to end.")
_LISTEN = ("What can be heard in this recording?", "Describe this sound.")

# Scenes to be told from notes: without media they cost little, and there are enough of them to learn from.
SCENES = 240
_TELL = (
    "Put these notes into sentences for a picture book: {}.",
    "Tell somebody on the phone what the picture shows. Your notes: {}.",
    "Write the caption of a drawing: {}.",
)

Make = Callable[[Traits, random.Random], bytes]
_TRUE = Traits(full=3)  # of what a question is about


@dataclass(frozen=True)
class Answer:
    """A response: text, or how its file is made."""

    generator: Generator
    traits: Traits
    text: str = ""
    make: Callable[[], bytes] | None = None


@dataclass(frozen=True)
class PlannedPair:
    """A pair before its files are made. `prompt_media`: how the prompt's file is made, and its extension."""

    name: str
    task_type: TaskType
    prompt: str
    answers: tuple[Answer, Answer]
    asked: tuple[Asked, ...]
    extension: str = ""
    prompt_media: tuple[str, Callable[[], bytes]] | None = None
    files: dict[str, Callable[[], bytes]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """`files`: by name below the media folder."""
        if self.prompt_media:
            name, make = self.prompt_media
            self.files[name] = make
        for number, answer in enumerate(self.answers, 1):
            if answer.make:
                self.files[f"{self.name}-{number}.{self.extension}"] = answer.make

    def row(self) -> dict[str, Any]:
        """The pair in Evenhand's own layout. The traits go along as metadata: nobody who judges sees them."""
        row: dict[str, Any] = {
            "id": self.name,
            "source": SOURCE,
            "task_type": self.task_type.value,
            "prompt": self.prompt,
        }
        if self.prompt_media:
            row["media"] = [self.prompt_media[0]]
        for number, answer in enumerate(self.answers, 1):
            given = (
                {"media": f"{self.name}-{number}.{self.extension}"} if answer.make else {"text": answer.text}
            )
            metadata = {"traits": answer.traits.as_json()}
            row[f"response{number}"] = {**given, "model": answer.generator.name, "metadata": metadata}
        row["criteria"] = [one.text for one in self.asked]
        return row


def pairs() -> list[PlannedPair]:
    """Every pair of the demo: the task types mixed, so that all are seen soon, and at the end the told scenes."""
    by_task = [
        list(_texts()),
        list(_descriptions()),
        list(_retellings()),
        list(_recognitions()),
        list(_drawings()),
        list(_films()),
        list(_sounds()),
        list(_solids()),
        list(_edits()),
    ]
    longest = max(map(len, by_task))
    mixed = [some[n] for n in range(longest) for some in by_task if n < len(some)]
    return mixed + list(scenes(SCENES))


def parts() -> dict[str, list[PlannedPair]]:
    """The pairs in files, by name, in the order in which they are imported; none is empty.

    `WRITTEN` are the told scenes: they are judged to the end before the others come, which so remain to be judged by
    visitors. Of the others first those that must be prepared after their import: in one file, what can be asked at
    once would take all judgments.
    """
    found: dict[str, list[PlannedPair]] = {WRITTEN: [], "moving.jsonl": [], "still.jsonl": []}
    for pair in pairs():
        if pair.name.startswith("scene"):
            found[WRITTEN].append(pair)
        elif any(not name.endswith(".jpg") for name in pair.files):
            found["moving.jsonl"].append(pair)
        else:
            found["still.jsonl"].append(pair)
    return {name: some for name, some in found.items() if some}


def files_of(some: Iterable[PlannedPair]) -> dict[str, Callable[[], bytes]]:
    """How each media file of the pairs is made, by its name."""
    return {name: make for pair in some for name, make in pair.files.items()}


def write(rows: Path, some: list[PlannedPair], progress: Callable[[int], None] = lambda done: None) -> None:
    """Write the rows of some pairs, and make their files below MEDIA beside it. `progress` is told the files done."""
    media = rows.parent / MEDIA
    media.mkdir(parents=True)
    wanted = files_of(some)
    # Most of the time is spent in encoders, which leave the interpreter to the other thread.
    pool = ThreadPoolExecutor(2)
    try:
        made = pool.map(lambda make: make(), wanted.values())
        for done, (name, content) in enumerate(zip(wanted, made, strict=True), 1):
            (media / name).write_bytes(content)
            progress(done)
    finally:
        pool.shutdown(cancel_futures=True)
    rows.write_text("".join(json.dumps(pair.row(), ensure_ascii=False) + "\n" for pair in some))


def _two(name: str) -> tuple[Generator, Generator]:
    first, second = chance("generators", name).sample(GENERATORS, 2)
    return first, second


def _asked(name: str, task_type: TaskType) -> tuple[Asked, ...]:
    """Mostly whether the prompt was followed, and one or two others, which may contradict each other."""
    rng = chance("asked", name)
    following, *others = CRITERIA[task_type]
    some = rng.sample(others, rng.choice((1, 2, 2)))
    return (following, *some) if rng.random() < 0.85 else tuple(rng.sample(others, 2))


def _made(
    name: str, task_type: TaskType, prompt: str, extension: str, make: Make, **more: Any
) -> PlannedPair:
    """A pair whose responses are files."""
    answers = []
    for number, generator in enumerate(_two(name), 1):
        traits = generator.traits(chance("traits", name, number))
        answers.append(Answer(generator, traits, make=partial(_drawn, make, traits, name, number)))
    return PlannedPair(
        name, task_type, prompt, (answers[0], answers[1]), _asked(name, task_type), extension, **more
    )


def _drawn(make: Make, traits: Traits, name: str, number: int) -> bytes:
    return make(traits, chance("drawing", name, number))


def _told(name: str, task_type: TaskType, prompt: str, facts: texts.Facts, **more: Any) -> PlannedPair:
    """A pair whose responses are texts."""
    answers = []
    for number, generator in enumerate(_two(name), 1):
        traits = generator.traits(chance("traits", name, number))
        text = texts.answered(facts, traits, chance("writing", name, number))
        answers.append(Answer(generator, traits, text))
    return PlannedPair(name, task_type, prompt, (answers[0], answers[1]), _asked(name, task_type), **more)


def _texts() -> Iterator[PlannedPair]:
    for number, topic in enumerate(texts.TOPICS, 1):
        yield _told(f"text-{number:02}", TaskType.TEXT_TO_TEXT, topic.question, topic.facts)


def scenes(count: int) -> Iterator[PlannedPair]:
    """Pairs of texts that tell a scene from notes. Numbered after those that are asked about as pictures: no scene is both."""
    for number in range(101, 101 + count):
        name, scene = f"scene-{number}", pictures.composed(number)
        facts = pictures.said_of(scene, chance("said", number))
        prompt = _TELL[number % 3].format(pictures.notes_of(scene))
        yield _told(name, TaskType.TEXT_TO_TEXT, prompt, facts)


def _descriptions() -> Iterator[PlannedPair]:
    for number in range(1, 13):
        name, scene = f"look-{number:02}", pictures.composed(number)
        facts = pictures.said_of(scene, chance("said", number))
        shown = (f"{name}.jpg", partial(pictures.draw, scene, _TRUE))
        yield _told(name, TaskType.TEXT_IMAGE_TO_TEXT, _LOOK[number % 3], facts, prompt_media=shown)


def _retellings() -> Iterator[PlannedPair]:
    for number, film in enumerate(films.FILMS[:12], 1):
        name = f"watch-{number:02}"
        shown = (f"{name}.mp4", partial(_once, films.filmed, film, name))
        yield _told(name, TaskType.TEXT_VIDEO_TO_TEXT, _WATCH[number % 2], film.facts, prompt_media=shown)


def _recognitions() -> Iterator[PlannedPair]:
    for number, sound in enumerate(sounds.SOUNDS, 1):
        name = f"listen-{number:02}"
        shown = (f"{name}.flac", partial(_once, sounds.sounded, sound, name))
        yield _told(name, TaskType.TEXT_AUDIO_TO_TEXT, _LISTEN[number % 2], sound.facts, prompt_media=shown)


def _once(make: Callable[[Any, Traits, random.Random], bytes], idea: Any, name: str) -> bytes:
    """A film or sound to ask about: all as it should be."""
    return make(idea, _TRUE, chance("shown", name))


def _drawings() -> Iterator[PlannedPair]:
    for number, picture in enumerate(pictures.PICTURES, 1):
        make = partial(pictures.drawn_from, picture)
        yield _made(f"image-{number:02}", TaskType.TEXT_TO_IMAGE, picture.prompt, "jpg", make)


def _films() -> Iterator[PlannedPair]:
    for number, film in enumerate(films.FILMS, 1):
        make = partial(films.filmed, film)
        yield _made(f"video-{number:02}", TaskType.TEXT_TO_VIDEO, film.prompt, "mp4", make)


def _sounds() -> Iterator[PlannedPair]:
    for number, sound in enumerate(sounds.SOUNDS, 1):
        make = partial(sounds.sounded, sound)
        yield _made(f"audio-{number:02}", TaskType.TEXT_TO_AUDIO, sound.prompt, "flac", make)


def _solids() -> Iterator[PlannedPair]:
    for number, solid in enumerate(solids.SOLIDS, 1):
        make = partial(solids.modelled, solid)
        yield _made(f"solid-{number:02}", TaskType.TEXT_TO_3D, solid.prompt, "glb", make)


def _edits() -> Iterator[PlannedPair]:
    scenes = list(dict.fromkeys(edit.scene for edit in edits.EDITS))
    for number, edit in enumerate(edits.EDITS, 1):
        # Edits of one picture share its file.
        shown = (f"source-{scenes.index(edit.scene) + 1}.jpg", partial(edits.source_of, edit))
        make = partial(edits.edited, edit)
        task_type = TaskType.TEXT_IMAGE_TO_IMAGE
        yield _made(f"edit-{number:02}", task_type, edit.prompt, "jpg", make, prompt_media=shown)
