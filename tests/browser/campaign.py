"""A campaign that is planned to the last verdict: what is imported, what three annotators say, and what must come of it."""

import json
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.browser.judging import picture
from tests.browser.playables import encode_video, tone, wav

CALM, CLEAR = "Feels calm and uncluttered.", "Is easy to follow."
ORDER, ORDER_AGAIN = "The steps are in the right order.", "Are the steps in a right order?"
SOURCES, JUNK = "It names its sources.", "asdf asdf"
PEOPLE = ("ada", "bo", "cy")
USABLE = ("response1", "response2", "tie")
RED, BLUE, RATE = (200, 30, 30), (30, 60, 200), Fraction(25)
_SAID = {"1": "response1", "2": "response2", "=": "tie", "?": "cannot_tell"}

# Of each pair and imported criterion what ada, bo and cy say: response 1, response 2, a tie, or that they cannot tell.
# All others are of one mind: response 1 is the calmer one, response 2 the clearer one.
_DIFFERENT = {
    ("text-2", CALM): "112",
    ("text-3", CLEAR): "12=",
    ("text-4", CALM): "11?",
    ("image-1", CALM): "221",
    ("image-2", CALM): "112",
    ("image-2", CLEAR): "===",
    ("audio-1", CLEAR): "2==",
    ("video-1", CALM): "12=",
}
# Of the pair that everybody gets first what they say of criteria that annotators write there.
_OF_WRITTEN = {ORDER: "1=1", SOURCES: "222"}

MAJORITY = ("text-2", CALM)  # the reviewer accepts what most say
THREE_MINDS = ("text-3", CLEAR)  # the reviewer finds it a tie
OVERRULED = ("image-2", CALM)  # the reviewer finds what only cy found
SENT_BACK = ("image-1", CALM)  # cy is asked to look again, and finds what the others found
LEFT_OPEN = ("video-1", CALM)
CONFLICTS = {MAJORITY, THREE_MINDS, OVERRULED, SENT_BACK, LEFT_OPEN}
SETTLED = {MAJORITY: "response1", THREE_MINDS: "tie", OVERRULED: "response2"}

TASKS = {"text": "text_to_text", "image": "text_to_image", "audio": "text_to_audio", "video": "text_to_video"}
_COUNTS = {"text": 4, "image": 2, "audio": 1, "video": 1}
PAIRS = {f"{kind}-{n}": TASKS[kind] for kind, most in _COUNTS.items() for n in range(1, most + 1)}

Unit = tuple[str, str]  # pair, criterion


def _media(name: str, kind: str) -> tuple[bytes, bytes]:
    """The two files of a pair: what one sees or hears tells which is the first (tests.browser.test_nine_tasks)."""
    size = (300 + 10 * int(name[-1]), 240)
    if kind == "image":
        return picture(RED, size), picture(BLUE, size)
    if kind == "audio":
        return wav(tone(440, 2)), wav(tone(660, 1))
    return encode_video(20, RATE, colour=RED), encode_video(24, RATE, colour=BLUE)


def write_pairs(folder: Path) -> tuple[Path, Path]:
    """The rows, and the zip of the media that they name."""
    rows, media = folder / "omni.jsonl", folder / "media.zip"
    with rows.open("w") as lines, zipfile.ZipFile(media, "w") as archive:
        for name, task_type in PAIRS.items():
            kind = name.split("-")[0]
            row: dict[str, Any] = {
                "id": name,
                "task_type": task_type,
                "prompt": f"{name}: show how bread is baked.",
                "criteria": [CALM, CLEAR],
            }
            contents = _media(name, kind) if kind != "text" else (b"", b"")
            for number, content in enumerate(contents, 1):
                response = {"model": f"model-{number}"}
                if kind == "text":
                    response["text"] = f"The {('first', 'second')[number - 1]} answer to {name}."
                else:
                    extension = {"image": "png", "audio": "wav", "video": "mp4"}[kind]
                    response["media"] = f"{name}-{number}.{extension}"
                    archive.writestr(response["media"], content)
                row[f"response{number}"] = response
            lines.write(json.dumps(row) + "\n")
    return rows, media


@dataclass
class Campaign:
    """What each says of what. `first` is the pair that everybody gets first, known once somebody got it."""

    first: str = ""

    def verdict(self, person: str, unit: Unit) -> str:
        """What the person says at first."""
        of_one_mind = "111" if unit[1] == CALM else "222"
        said = _DIFFERENT.get(unit) or _OF_WRITTEN.get(unit[1]) or of_one_mind
        return _SAID[said[PEOPLE.index(person)]]

    def units(self) -> Iterator[Unit]:
        """Every pair with its canonical criteria that were not rejected."""
        for pair in PAIRS:
            yield from ((pair, criterion) for criterion in (CALM, CLEAR))
        yield from ((self.first, criterion) for criterion in _OF_WRITTEN)

    def final(self, unit: Unit) -> dict[str, str]:
        """What each says of it in the end."""
        said = {person: self.verdict(person, unit) for person in PEOPLE}
        return said | ({"cy": "response2"} if unit == SENT_BACK else {})

    def counts(self, unit: Unit) -> dict[str, int]:
        said = Counter(self.final(unit).values())
        return {verdict: said[verdict] for verdict in (*USABLE, "cannot_tell")}

    def of_people(self, unit: Unit) -> str:
        """The label of three verdicts: what more of them say than anything else, or why there is none."""
        counts = [self.counts(unit)[verdict] for verdict in USABLE]
        if sum(counts) < len(PEOPLE):
            return "too_few"
        if counts.count(max(counts)) > 1:
            return "no_consensus"
        return USABLE[counts.index(max(counts))]

    def label(self, unit: Unit) -> str:
        return SETTLED.get(unit) or self.of_people(unit)

    def alpha(self, task_type: str | None = None) -> float:
        """Krippendorff's nominal alpha by its definition: 1 - observed / expected disagreement of usable verdicts."""
        said = [
            [verdict for verdict in self.final(unit).values() if verdict in USABLE]
            for unit in self.units()
            if task_type in (None, PAIRS[unit[0]])
        ]
        return nominal_alpha(verdicts for verdicts in said if len(verdicts) > 1)


def nominal_alpha(units: Iterable[list[str]]) -> float:
    """Krippendorff, Content Analysis (2004), section 11.3.1, pair by pair."""
    units = list(units)
    n = sum(map(len, units))
    every = [verdict for unit in units for verdict in unit]
    observed = sum(
        sum(a != b for i, a in enumerate(unit) for j, b in enumerate(unit) if i != j) / (len(unit) - 1)
        for unit in units
    )
    expected = sum(a != b for i, a in enumerate(every) for j, b in enumerate(every) if i != j) / (n - 1)
    return 1 - observed / expected
