"""What a release will consist of: which files hold which rows, what is left out and why, and the agreement.

Made of what was decided of every frozen comparison, whenever a release is begun, resumed or helped with. It follows from
that alone, so a resumed release is cut into the same files.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from annotate.exports.choice import STEPS, recipe_in
from annotate.exports.chosen import Case, Chosen
from annotate.exports.figures import Figures
from annotate.exports.recipe import Recipe
from annotate.exports.records import Part
from annotate.models import Partition, Release
from annotate.stats.agreement import Agreement, agreement
from annotate.stats.labels import Origin
from annotate.stats.patterns import gathered

ROWS_A_FILE = 50_000
MEDIA_A_FILE = 256 * 2**20  # bytes of media embedded in one Parquet file
JUDGMENTS_A_FILE = 100_000


@dataclass
class Plan:
    """Parts are in the order of their files. Counters count comparisons.

    `figures` are put in by whoever leads: who helps needs none. `there`: what the filters left, before the mix took of it what it has room for.
    """

    recipe: Recipe = field(default_factory=Recipe)
    bench: list[Part] = field(default_factory=list)
    train: list[Part] = field(default_factory=list)  # validation too
    raw: list[Part] = field(default_factory=list)
    labelled: list[Part] = field(default_factory=list)  # of labels with where they come from
    labels: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # partition, task type, label
    excluded: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # partition, task type, reason
    there: Counter[tuple[str, str]] = field(default_factory=Counter)  # partition, task type
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)  # of those labels
    settled: Counter[tuple[str, str]] = field(default_factory=Counter)  # of those labels, by reviewers
    overruled: Counter[tuple[str, str]] = field(default_factory=Counter)  # and other than people's
    written: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # of those labels, by models
    tallies: Counter[tuple[str, str, tuple[int, ...]]] = field(default_factory=Counter)
    figures: Figures = field(default_factory=Figures)

    def agreements(self, partition: str | None = None) -> dict[str, Agreement]:
        """Agreement by task type, and of "all", over every frozen comparison whether or not it has a label."""
        tasks: dict[str, list[tuple[tuple[int, ...], int]]] = {}
        for (part, task_type, tally), times in sorted(self.tallies.items()):
            if partition in (None, part):
                tasks.setdefault(task_type, []).append((tally, times))
        if tasks:
            tasks["all"] = [entry for entries in tasks.values() for entry in entries]
        return {
            task: agreement(gathered([tally for tally, _ in entries], [times for _, times in entries]))
            for task, entries in tasks.items()
        }


def make_plan(release: Release, chosen: Chosen) -> Plan:
    """The plan of a release, but for its figures."""
    plan = Plan(recipe_in(release))
    labelled = chosen.where(lambda case: bool(case.settled or case.written))
    judged = chosen.judgments > 0
    plan.raw = _cut("", "", chosen.number[judged], chosen.judgments[judged], JUDGMENTS_A_FILE)
    told = chosen.number[judged | labelled]
    plan.labelled = _cut("", "", told, np.ones(len(told), np.int64), ROWS_A_FILE)
    _count(plan, chosen)
    places: dict[tuple[str, str], list[int]] = {}
    for place, case in enumerate(chosen.cases):
        if not case.reason:
            places.setdefault((case.partition, case.task_type), []).append(place)
    taken = chosen.inclusion > 0
    for (partition, task_type), cases in sorted(places.items()):
        at = np.flatnonzero(taken & np.isin(chosen.case, cases))
        parts = plan.bench if partition == Partition.RESERVE else plan.train
        rows = np.ones(len(at), np.int64)
        parts += _cut(task_type, partition, chosen.number[at], rows, ROWS_A_FILE, chosen.media[at])
        plan.pairs[partition, task_type] = len(np.unique(chosen.pair[at]))
    return plan


def _cut(
    task_type: str,
    partition: str,
    number: NDArray[np.int64],
    rows: NDArray[np.integer],
    most: int,
    media: NDArray[np.int64] | None = None,
) -> list[Part]:
    """Parts that are not too large: of `most` rows, where one comparison alone has not more, and of MEDIA_A_FILE."""
    counted = np.concatenate(([0], np.cumsum(rows, dtype=np.int64)))
    weighed = np.concatenate(([0], np.cumsum(media, dtype=np.int64))) if media is not None else None
    parts, begin = list[Part](), 0
    while begin < len(number):
        end = int(np.searchsorted(counted, counted[begin] + most, side="right")) - 1
        if weighed is not None:
            end = min(end, int(np.searchsorted(weighed, weighed[begin] + MEDIA_A_FILE, side="right")) - 1)
        end = max(end, begin + 1)
        first, last = int(number[begin]), int(number[end - 1])
        parts.append(Part(task_type, partition, first, last, int(counted[end] - counted[begin])))
        begin = end
    return parts


def _count(plan: Plan, chosen: Chosen) -> None:
    """Count what many comparisons have in common once for all of them."""
    steps = len(STEPS) + 1
    places, counts = np.unique(chosen.case.astype(np.int64) * steps + chosen.left_out, return_counts=True)
    for place, count in zip(places.tolist(), counts.tolist(), strict=True):
        case, step = chosen.cases[place // steps], place % steps
        key = (case.partition, case.task_type)
        plan.tallies[*key, case.tally] += count
        if case.reason:
            plan.excluded[*key, case.reason] += count
            continue
        plan.there[key] += count
        if step:
            plan.excluded[*key, STEPS[step - 1]] += count
            continue
        _count_label(plan, case, count)


def _count_label(plan: Plan, case: Case, count: int) -> None:
    key = (case.partition, case.task_type)
    plan.labels[*key, case.label] += count
    if case.origin == Origin.MODEL:
        plan.written[*key, case.label] += count
    if case.origin == Origin.SETTLED:
        plan.settled[key] += count
        plan.overruled[key] += count * case.overruled
