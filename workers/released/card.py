"""The folder that a trained reward model is handed on in, and its README.md: what it learned from, how, and how it does."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workers.released.curves import ACCURACY, LOSS, write_curves
from workers.released.mix import Mix
from workers.released.reward_model import LARGE, Lesson, Tested
from workers.released.rows import Release
from workers.reward_models.base import RewardModel
from workers.reward_models.large.looks import best_of

if TYPE_CHECKING:
    from workers.reward_models.large.model import TransformersModel

MODEL, TRAINING, CARD = "model.safetensors", "training.json", "README.md"
FORMAT = "evenhand-reward-model/1"


class FolderError(Exception):
    """The folder cannot be written to; the message says why."""


@dataclass(frozen=True)
class Learned:
    """A model, and all that its card says of it."""

    model: RewardModel
    release: Release
    mix: Mix
    lesson: Lesson
    tested: Tested | None
    seed: int
    seconds: float

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.large.settings.kept() if self.large else {}

    @property
    def large(self) -> "TransformersModel | None":
        """The model, where it is one that has curves and a backbone."""
        return cast("TransformersModel", self.model) if self.model.name == LARGE else None


def check_out(folder: Path) -> None:
    """
    Raises:
        FolderError: it is a file, or holds something. Asked before anything is trained.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderError(f"{folder} is there already and is not an empty folder: name another.")


def write(folder: Path, learned: Learned) -> None:
    """The model as this project loads it, as other programs read it, its curves, what it was trained with, and the card."""
    folder.mkdir(parents=True, exist_ok=True)
    learned.model.save(folder / MODEL)
    written: list[str] = []
    if large := learned.large:
        large.save_folder(folder)
        written = write_curves(folder, large.losses, large.looks)
    (folder / TRAINING).write_text(json.dumps(_told(learned), indent=2, ensure_ascii=False) + "\n")
    (folder / CARD).write_text(_card(learned, written), encoding="utf-8")


def _told(learned: Learned) -> dict[str, Any]:
    tested = learned.tested
    return {
        "format": FORMAT,
        "backend": learned.model.name,
        "release": {
            "project": learned.release.project,
            "manifest_sha256": learned.release.digest,
            "rows": len(learned.lesson.rows),
            "validation_rows": len(learned.lesson.watched_rows),
            "left_out": dict(learned.lesson.left_out),
        },
        "mix": learned.mix.as_json(),
        "settings": dict(learned.settings),
        "seed": learned.seed,
        "seconds": round(learned.seconds, 1),
        "validation": None
        if tested is None
        else {
            "accuracy": asdict(tested.accuracy),
            "longer_text": asdict(tested.longer),
            "log_loss": tested.log_loss,
            "calibration": tested.calibration.as_json(),
            "without": dict(tested.without),
        },
    }


def _card(learned: Learned, written: Sequence[str]) -> str:
    parts = [
        f"# A reward model of {learned.release.project}",
        "It is asked about two responses to one prompt under one criterion, and gives the log-odds that the first is better.",
        _data(learned),
        _hyperparameters(learned),
        _accuracy(learned, written),
        _calibration(learned),
        _limits(learned),
        _use(learned),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    # What stands in a cell must not end it.
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _data(learned: Learned) -> str:
    found, release = learned.lesson, learned.release
    counts: Counter[tuple[str, str, str]] = Counter()
    for split, rows in (("train", found.rows), ("validation", found.watched_rows)):
        for one in rows:
            kind = "general" if one.general else "by a criterion"
            counts[one.row.task, f"{one.subset or '(unnamed)'}, {kind}", split] += 1
    names = sorted({(task, subset) for task, subset, _ in counts})
    table = _table(
        ("task", "subset", "trained on", "validation"),
        [(*name, f"{counts[*name, 'train']:,}", f"{counts[*name, 'validation']:,}") for name in names],
    )
    said = [
        "## Data",
        f"A release of the project {release.project}; SHA-256 of its manifest `{release.digest}`. A row that the recipe"
        " repeats counts as often. Ties are in no training row of a release.",
        table,
    ]
    if learned.mix.weights or learned.mix.most:
        said.append(f"Recipe: `{json.dumps(learned.mix.as_json())}`.")
    said += [f"Left out, {count:,}: {why}." for why, count in found.left_out.items()]
    return "\n\n".join(said)


def _hyperparameters(learned: Learned) -> str:
    rows = [(f"`{name}`", value) for name, value in learned.settings.items() if value != ""]
    return "\n\n".join(
        [
            "## Hyperparameters",
            f"Backend `{learned.model.name}`, seed {learned.seed}, {learned.seconds:,.0f} s.",
            _table(("field", "value"), rows) if rows else "The embedded model has nothing to set.",
        ]
    )


def _accuracy(learned: Learned, written: Sequence[str]) -> str:
    tested, large = learned.tested, learned.large
    if tested is None:
        return (
            "## Accuracy\n\nThe release has no validation row that this model can judge: nothing was tested, and no"
            " training was stopped early."
        )
    said = [
        "## Accuracy",
        _table(
            ("on the validation split", "accuracy", "95 % interval"),
            [
                (name, f"{one.value:.3f}", f"{one.low:.3f} to {one.high:.3f}")
                for name, one in (("this model", tested.accuracy), ("the longer text", tested.longer))
            ],
        ),
        f"{tested.accuracy.n:,} rows of {tested.accuracy.groups:,} prompts, which the intervals are bootstrapped by.",
    ]
    said += [f"Cannot be judged and not counted, {count:,}: {why}." for why, count in tested.without.items()]
    if large and large.looks:
        best = best_of(large.looks)
        said.append(
            f"These weights are those after step {best.step} of {len(large.losses)} taken, where the loss on this very"
            " split was least: the accuracy flatters. No benchmark had a part in it; test it on one with `eval_bench`."
        )
    if LOSS in written:
        said.append(f"![Loss by step]({LOSS})")
    if ACCURACY in written:
        said.append(f"![Accuracy on the validation split by step]({ACCURACY})")
    return "\n\n".join(said)


def _calibration(learned: Learned) -> str:
    tested, said = learned.tested, ["## Calibration"]
    if learned.large:
        fitted = learned.large.calibration
        on = "of training itself, so it flatters" if fitted.seen else "kept from training"
        said.append(
            f"The margin is the difference of values times {fitted.scale:.4g}; ties have the threshold"
            f" {fitted.threshold:.4g} (Rao and Kupper). Fitted on {fitted.labels:,} verdicts {on}."
        )
    if tested is not None:
        said.append(
            f"Expected calibration error on the validation split {tested.calibration.error:.3f}, log loss"
            f" {tested.log_loss:.3f} nats a row (0.693 is chance)."
        )
        said.append(
            _table(
                ("how sure", "how often right", "rows"),
                [(f"{one.confidence:.2f}", f"{one.right:.2f}", one.n) for one in tested.calibration.bins],
            )
        )
    return "\n\n".join(said) if len(said) > 1 else ""


def _limits(learned: Learned) -> str:
    said = [
        "It knows the prompts, criteria and annotators of this one release; whoever uses it elsewhere tests it there.",
        "It learned no tie from rows: a release's training rows hold none. Its probability of a tie is what the threshold"
        " alone makes of a margin.",
        "It is a preference of people, not truth: what they overlook, it overlooks.",
    ]
    if large := learned.large:
        sees = ", ".join(sorted(large.modalities)) or "nothing"
        said.append(f"Beside text it looks at: {sees}. A comparison that holds anything else has no score.")
        said.append(
            "The backbone is not in this folder. It is pinned by its digest"
            f" `{large.backbone.revision}`: another one is refused."
        )
    return "\n".join(["## Limits", "", *(f"- {line}" for line in said)])


def _use(learned: Learned) -> str:
    return (
        "## Use\n\n"
        f"`manage.py eval_bench --bench DIR --judge rm:THIS_FOLDER --out OUT` evaluates it. `{MODEL}` is what this"
        f" project loads; `{TRAINING}` tells the same as this page to programs."
    )
