"""Which frozen comparisons a release's rows are made of: by a recipe's filters first, then by what its mix has room for.

What the filters say follows from a comparison alone. What the mix says does too, once its limits are known: of the
comparisons of a source, task type or criterion that are too many those stay whose hash is among the smallest. The hash is
one of the row's name, the step and the recipe's seed: it knows nothing of verdicts, and the same rows stay in every release
of the same seed.
"""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from annotate.exports.formats import format_named
from annotate.exports.recipe import Deal, Mix, Recipe, Splits, Ties, Whose
from annotate.models import KeptOut, Partition, Release, TaskType
from annotate.stats.labels import LEFT_OUT, NO_LABEL, USABLE, Label, Origin, Settled, final_label, label_of

# In the order in which they are looked at: a comparison is counted by the first.
REASONS = {
    "task_type": "its task type is not in the recipe",
    "language": "its language is not in the recipe",
    "criterion": "its criterion is not in the recipe",
    "of_a_model": "the model that wrote its criterion says its label, and only people's are taken here",
    "of_people": "its label is people's, and only models' are taken here",
    LEFT_OUT: "settled by reviewers, and such are left out here",
    NO_LABEL: "reviewers decided that nobody can tell",
    Label.TOO_FEW: "fewer usable verdicts than min_judgments",
    Label.NO_CONSENSUS: "the most frequent verdicts are equally frequent",
    "disagreement": "fewer than min_agreement of its usable verdicts say its label",
    KeptOut.LEAKS: "its prompt, prompt group or media also stand in reserve (or, for train, in validation)",
    KeptOut.NEAR: "its prompt or one of its pictures is nearly the same as one there",
    KeptOut.HELD_OUT: "a model or the criterion is held out, and stands in reserve alone",
    KeptOut.CONTAMINATED: "another benchmark that it was compared with holds it too",
    "no_format": "no format of the recipe has a place for its task type in this part",
    "no_side": "a tie, and such are dropped here",
    "weights": "more rows of its source than the weights leave room for",
    "quotas": "more rows of its task type than its quota",
    "cap_source": "more rows of its source than its cap",
    "cap_criterion": "more rows of its criterion than its cap",
}
STEPS = ("weights", "quotas", "cap_source", "cap_criterion")


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the filters go by. `tally`: usable counted verdicts, in the order of USABLE; `kept_out`: why it stands on no
    side of the splits, empty if it does; `written`: what the model says that wrote its criterion, empty if people have."""

    task_type: str
    partition: str
    language: str
    criterion_key: bytes
    kept_out: str
    tally: tuple[int, int, int]
    settled: str
    written: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The label, or why there is none or why it is in no row; `people`: what people's verdicts alone come to."""

    label: Label | str
    people: Label
    origin: Origin
    reason: str


class Filters:
    """The filters of one release's recipe. `by_language`, `by_criterion`: whether it goes by these."""

    def __init__(self, release: Release) -> None:
        recipe = recipe_in(release)
        self._recipe = recipe
        self._settled = settled_of(release)
        self._min_labels: dict[str, int] = release.recipe["min_labels"]
        self._criteria = {bytes.fromhex(key) for key in release.recipe.get("criteria", ())}
        self.by_language, self.by_criterion = bool(recipe.languages), bool(self._criteria)
        formats = [format_named(name) for name in recipe.formats]
        self._placed = {
            (partition, task_type, of_model)
            for partition in Partition.values
            for task_type in TaskType.values
            for of_model in (False, True)
            if any(one.takes(task_type, partition) and (one.of_models or not of_model) for one in formats)
        }

    def decide(self, candidate: Candidate) -> Decision:
        people = label_of(candidate.tally, self._min_labels[candidate.partition])
        label, origin = final_label(people, candidate.settled, self._settled, candidate.written)
        return Decision(label, people, origin, self._reason(candidate, label, origin))

    def _reason(self, candidate: Candidate, label: Label | str, origin: Origin) -> str:
        recipe, mix = self._recipe, self._recipe.mix(candidate.partition)
        if recipe.task_types and candidate.task_type not in recipe.task_types:
            return "task_type"
        if recipe.languages and candidate.language.casefold() not in map(str.casefold, recipe.languages):
            return "language"
        if self._criteria and candidate.criterion_key not in self._criteria:
            return "criterion"
        of_model = origin == Origin.MODEL
        if mix.labels != Whose.ALL and of_model != (mix.labels == Whose.MODELS):
            return "of_a_model" if of_model else "of_people"
        if label not in USABLE:
            return str(label)
        if origin == Origin.PEOPLE and max(candidate.tally) + 1e-9 < mix.min_agreement * sum(candidate.tally):
            return "disagreement"
        if candidate.kept_out:
            return candidate.kept_out
        if (candidate.partition, candidate.task_type, of_model) not in self._placed:
            return "no_format"
        if label == Label.TIE and mix.ties == Ties.DROP:
            return "no_side"
        return ""


def settled_of(release: Release) -> Settled:
    """What becomes of settled comparisons. Releases that were begun before there were any ignore them."""
    return Settled(release.recipe.get("settled", Settled.IGNORE))


def recipe_in(release: Release) -> Recipe:
    """The recipe of a release. Those that were begun before there were any go by the default.

    What is on which side has not always stood in the recipe: then it stands beside it.
    """
    stored = release.recipe.get("recipe")
    if stored and "splits" in stored:
        return Recipe.from_json(stored)
    beside = release.recipe
    held = beside.get("hold_out") or {"models": [], "criteria": []}
    splits = Splits(
        near_duplicates=tuple(beside.get("near_duplicates") or ()),
        deal=Deal(**beside["split"]) if beside.get("split") else None,
        hold_out_models=tuple(held["models"]),
        hold_out_criteria=tuple(held["criteria"]),
    )
    if not stored:
        return Recipe(splits=splits)
    return replace(Recipe.from_json({**stored, "splits": Recipe().as_json()["splits"]}), splits=splits)


@dataclass(frozen=True)
class Taken:
    """What the limits of one part make of each of its rows.

    `left_out`: (rows,) by which of STEPS it is left out, from 1; 0: it is taken. `inclusion`: (rows,) the probability with
    which it was: the product of the shares that its steps left, each a draw by chance of what the steps before it left; 0
    where it was not.
    """

    left_out: NDArray[np.int8]
    inclusion: NDArray[np.float64]


def take(mix: Mix, rows: "Rows") -> Taken:
    """Of a part's rows those that its mix has room for."""
    left_out, inclusion = np.zeros(len(rows), dtype=np.int8), np.ones(len(rows))
    for step in steps_of(mix):
        hashes, values = np.array(rows.hashes[step], dtype=np.uint64), np.array(rows.values[step])
        there = left_out == 0
        codes, counted = np.unique(values[there], return_counts=True)
        counts = dict(zip(codes.tolist(), counted.tolist(), strict=True))
        for code, most in _most(mix, step, counts, rows.names).items():
            if counts[code] <= most:
                continue
            at = np.flatnonzero(there & (values == code))
            kept = at[np.argsort(hashes[at], kind="stable")[:most]]
            inclusion[kept] *= most / len(at)
            left_out[np.setdiff1d(at, kept)] = STEPS.index(step) + 1
    inclusion[left_out > 0] = 0
    return Taken(left_out, inclusion)


def _most(mix: Mix, step: str, counts: Mapping[int, int], names: list[str]) -> dict[int, int]:
    """The most rows of each value that a step limits; `counts`: how many there are of each."""
    by_name = {names[code]: code for code in counts}
    if step == "weights":
        # As many of each as keep the proportion, until the first is used up.
        there = {name: weight for name, weight in mix.weights.items() if name in by_name}
        whole = min((counts[by_name[name]] / weight for name, weight in there.items() if weight), default=0.0)
        return {by_name[name]: int(whole * weight + 1e-9) for name, weight in there.items()}
    if step == "quotas":
        return {by_name[name]: most for name, most in mix.quotas.items() if name in by_name}
    most = mix.cap_source if step == "cap_source" else mix.cap_criterion
    assert most is not None
    return dict.fromkeys(counts, most)


def steps_of(mix: Mix) -> tuple[str, ...]:
    """The steps that limit anything."""
    limiting = {
        "weights": any(mix.weights.values()),
        "quotas": bool(mix.quotas),
        "cap_source": mix.cap_source is not None,
        "cap_criterion": mix.cap_criterion is not None,
    }
    return tuple(step for step in STEPS if limiting[step])


def limited_by(steps: Iterable[str], source: str, task_type: str, criterion_key: bytes) -> dict[str, str]:
    """What of a row each step limits."""
    told = {
        "weights": source,
        "quotas": task_type,
        "cap_source": source,
        "cap_criterion": criterion_key.hex(),
    }
    return {step: told[step] for step in steps}


def hash_of(seed: int, step: str, name: str) -> int:
    """A number of 64 bits, as good as drawn by chance."""
    return int.from_bytes(blake2b(f"{seed} {step} {name}".encode(), digest_size=8).digest())


class Rows:
    """What the limits of one part are found from: of every row that the filters left its hash and what it counts as."""

    def __init__(self, steps: tuple[str, ...], seed: int) -> None:
        self.hashes = {step: array("Q") for step in steps}
        self.values = {step: array("q") for step in steps}  # places in names
        self.names: list[str] = []
        self._seed, self._codes, self._rows = seed, dict[str, int](), 0

    def __len__(self) -> int:
        return self._rows

    def add(self, name: str, limited: Mapping[str, str]) -> None:
        self._rows += 1
        for step, value in limited.items():
            if (code := self._codes.get(value)) is None:
                code = self._codes[value] = len(self.names)
                self.names.append(value)
            self.hashes[step].append(hash_of(self._seed, step, name))
            self.values[step].append(code)
