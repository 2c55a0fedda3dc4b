"""What the statistics say of a project, gathered for pages, commands and files: plain values that JSON can hold.

Everything is made from one snapshot of the counted verdicts, as arrays; nothing here asks the database for each
criterion or annotator.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.costs import cost_of, read_done
from annotate.group_reports import group_section
from annotate.models import Annotator, Criterion, KnownKind, Project, TaskType
from annotate.quality import Known, Repeats, read_known, read_repeats
from annotate.stats.agreement import agreement, cohen, ordinal_agreement
from annotate.stats.annotators import accuracy, agreement_with_others, left_again, pair_tables, same_again
from annotate.stats.bradley_terry import Leaderboard, leaderboard
from annotate.stats.dawid_skene import Aggregated, dawid_skene
from annotate.stats.estimates import ROUNDS, Ints, share
from annotate.stats.labels import USABLE, Label
from annotate.stats.patterns import Patterns, counted, gathered
from annotate.verdicts import (
    LEVELS,
    NO_OPINION,
    USABLE_OF_LEVEL,
    PairModels,
    Verdicts,
    Wanted,
    day_of,
    read_pair_models,
    read_used,
    read_verdicts,
    read_wanted,
)

# Of what there may be thousands, so many are told, those with the most verdicts; the rest is counted.
CRITERIA = 500
ANNOTATORS = 200
PAIRED = 12  # annotators whose agreement is told two by two
RANKED_CRITERIA = 20  # that have a leaderboard of their own
SPANS = 30  # that the agreement over time is cut into
_ROUNDS = 400  # of intervals that there are many of
_RATE_DAYS = 7

_TIE = USABLE.index(Label.TIE)
Json = dict[str, Any]


class Judged:
    """A project's usable counted verdicts with the units they are about, numbered from 0."""

    def __init__(self, verdicts: Verdicts) -> None:
        self.everything = verdicts
        self.verdicts = used = verdicts.where(verdicts.level != NO_OPINION)
        self.value = USABLE_OF_LEVEL[used.level]
        self.criteria, criterion = np.unique(used.criterion, return_inverse=True)
        self.pairs, pair = np.unique(used.pair, return_inverse=True)
        keys, first, self.unit = np.unique(
            pair * max(len(self.criteria), 1) + criterion, return_index=True, return_inverse=True
        )
        self.annotators, self.rater = np.unique(used.annotator, return_inverse=True)
        self.n = len(keys)
        # Steps of the scale that nobody ever took, as those of a project that asks for no strength, are none.
        present = np.unique(used.level)
        self.scale = present if len(present) > 1 else np.arange(LEVELS)
        # Of each unit:
        self.levels = counted(self.unit, used.level, self.n, LEVELS)[:, self.scale]
        self.votes = counted(self.unit, self.value, self.n, len(USABLE))
        self.pair = pair[first]
        self.criterion = criterion[first]
        self.task = used.task[first]
        self.last_day = np.full(self.n, np.iinfo(np.int64).min)
        np.maximum.at(self.last_day, self.unit, used.day)
        # -1 no label: nothing is more frequent than anything else.
        ordered = np.sort(self.votes, axis=1)
        self.majority = np.where(ordered[:, -1] > ordered[:, -2], self.votes.argmax(axis=1), -1)

    def entry(self, units: NDArray[np.bool_] | Ints | None = None, rounds: int = _ROUNDS) -> Json:
        """Agreement on these units, with the labels of the majority."""
        chosen = np.ones(self.n, dtype=bool) if units is None else units
        by_level = gathered(self.levels[chosen])
        found = agreement(by_level.merged(USABLE_OF_LEVEL[self.scale], len(USABLE)), rounds=rounds)
        ordinal = ordinal_agreement(by_level, rounds=rounds)
        return found.as_json() | {
            "ordinal_alpha": ordinal.alpha.as_json(),
            "ac2": ordinal.ac2.as_json(),
            "labels": _labels(self.majority[chosen]),
            "ties": self.ties(chosen),
        }

    def ties(self, units: NDArray[np.bool_] | Ints) -> Json:
        """The share of ties among the verdicts on these units."""
        return _share(self.votes[units, _TIE].sum(), self.votes[units].sum())


def _labels(majority: Ints) -> dict[str, int]:
    names = [*map(str, USABLE), str(Label.NO_CONSENSUS)]
    counts = np.bincount(np.where(majority < 0, len(USABLE), majority), minlength=len(names)).tolist()
    return {name: count for name, count in sorted(zip(names, counts, strict=True)) if count}


def _share(hits: float, of: float, why: str = "Nothing was counted.") -> Json:
    return share(float(hits), int(of), why).as_json()


def agreement_report(project: Project) -> Json:
    """How far the project's annotators agree on counted verdicts, as it stands now.

    {"project", "overall", "by_task_type": {name: ...}, "by_criterion": [{"criterion", ...}]}.
    """
    judged = Judged(read_verdicts(project))
    texts = _texts(judged)
    return {
        "project": project.slug,
        "overall": judged.entry(rounds=ROUNDS),
        "by_task_type": {name: judged.entry(units, ROUNDS) for name, units in _by_task_type(judged)},
        "by_criterion": [
            {"criterion": texts[place]} | judged.entry(judged.criterion == place)
            for place in _most_judged(judged.criterion, len(judged.criteria))
        ],
    }


def _texts(judged: Judged) -> list[str]:
    found = dict(Criterion.objects.filter(pk__in=judged.criteria.tolist()).values_list("pk", "text"))
    return [found[key] for key in judged.criteria.tolist()]


def _pseudonyms(judged: Judged) -> list[str]:
    found = dict(Annotator.objects.filter(pk__in=judged.annotators.tolist()).values_list("pk", "pseudonym"))
    return [found[key] for key in judged.annotators.tolist()]


def _by_task_type(judged: Judged) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for place in np.unique(judged.task).tolist():
        yield TaskType.values[place], judged.task == place


def _most_judged(places: Ints, n: int, most: int | None = None) -> list[int]:
    """Places by how often they occur, the most frequent first."""
    times = np.bincount(places, minlength=n)
    order: list[int] = np.argsort(-times, kind="stable")[:most].tolist()
    return [place for place in order if times[place]]


def full_report(project: Project, today: date, tell: Callable[[str], None] = lambda step: None) -> Json:
    """All that the dashboard shows. `tell` is called with what comes next."""
    tell("reading verdicts")
    verdicts, wanted, models = read_verdicts(project), read_wanted(project), read_pair_models(project)
    used = read_used(project)
    repeats, known = read_repeats(project), read_known(project)
    checks = read_known(project, KnownKind.ATTENTION)
    tell("labels and annotators")
    judged = Judged(verdicts)
    fitted = dawid_skene(
        judged.unit,
        judged.rater,
        judged.value,
        n_units=judged.n,
        n_raters=len(judged.annotators),
        exchanged=judged.verdicts.flip == 1,
        tolerance=1e-4,
    )
    texts = _texts(judged)
    report: Json = {
        "progress": _progress(wanted, verdicts, today),
        "labels": _label_section(judged, fitted),
        "annotators": _annotators(judged, fitted, repeats, known, checks),
    }
    tell("agreement")
    report["agreement"] = _agreement(judged)
    tell("criteria")
    report["criteria"] = _criteria(judged, used)
    report["cost"] = _cost(project, report["progress"])
    report["revisions"] = _revisions(project)
    tell("groups of annotators")
    report["groups"] = group_section(project, judged, texts)
    tell("leaderboards")
    return report | {"leaderboards": _leaderboards(judged, models, texts)}


def _progress(wanted: list[Wanted], verdicts: Verdicts, today: date) -> Json:
    labels, judged = sum(row.labels for row in wanted), sum(row.judged for row in wanted)
    days, place, counts = np.unique(verdicts.day, return_inverse=True, return_counts=True)
    _, annotator = np.unique(verdicts.annotator, return_inverse=True)
    width = int(annotator.max(initial=0)) + 1
    people = np.bincount(np.unique(place * width + annotator) // width, minlength=len(days))
    since = (today - timedelta(days=_RATE_DAYS) - date(1970, 1, 1)).days
    rate = float((verdicts.day > since).sum() / _RATE_DAYS)
    left = labels - judged
    forecast = {"left": left, "rate": round(rate, 2), "done": "", "why": ""}
    if not labels:
        forecast["why"] = "There is nothing to judge yet."
    elif not left:
        forecast["why"] = "Every wanted label is there."
    elif not rate:
        forecast["why"] = f"Nobody judged in the last {_RATE_DAYS} days."
    elif left / rate > 36_500:
        forecast["why"] = "At this rate, not in a hundred years."
    else:
        forecast["done"] = (today + timedelta(days=int(np.ceil(left / rate)))).isoformat()
    opinions = verdicts.level != NO_OPINION
    return {
        "comparisons": sum(row.comparisons for row in wanted),
        "labels": labels,
        "judged": judged,
        "begun": sum(row.begun for row in wanted),
        "full": sum(row.full for row in wanted),
        "no_opinion": _share((~opinions).sum(), len(verdicts)),
        "by_task_type": [
            {name: getattr(row, name) for name in ("task_type", "comparisons", "labels", "judged", "full")}
            for row in wanted
        ],
        "days": [
            {"day": day_of(day).isoformat(), "verdicts": count, "annotators": n}
            for day, count, n in zip(days.tolist(), counts.tolist(), people.tolist(), strict=True)
        ],
        "forecast": forecast,
    }


def _cost(project: Project, progress: Json) -> Json:
    rates = {"per_verdict": project.pay_per_verdict, "per_hour": project.pay_per_hour}
    cost = cost_of(read_done(project), progress["labels"] - progress["judged"], **rates)
    return cost | rates | {"currency": project.currency}


def _revisions(project: Project) -> list[Json]:
    """How often each of the last revisions of the reward model agreed with the people's labels of the reserve."""
    tested = project.revisions.filter(held_out__gt=0).order_by("-number")[:SPANS]
    return [
        {
            "revision": one.number,
            "day": one.created_at.date().isoformat(),
            "judgments": one.judgments,
            "held_out": one.held_out,
            "accuracy": {
                "value": one.accuracy,
                "low": one.accuracy_low,
                "high": one.accuracy_high,
                "why": "",
            },
            "blind": one.blind_accuracy,
        }
        for one in reversed(tested)
    ]


def _label_section(judged: Judged, fitted: Aggregated) -> Json:
    """What the majority says and what Dawid and Skene's model says, and how far they differ."""
    best = fitted.posterior.argmax(axis=1) if judged.n else np.empty(0, dtype=np.int64)
    decided = judged.majority >= 0
    return {
        "majority": _labels(judged.majority),
        "dawid_skene": _labels(best),
        "differ": _share((best != judged.majority)[decided].sum(), decided.sum()),
        "settled": int((~decided).sum()),
        "certainty": float(fitted.posterior.max(axis=1).mean()) if judged.n else None,
        "iterations": fitted.iterations,
        "converged": fitted.converged,
    }


_NO_SIDES = "Nobody knows which response stood left: imported verdicts do not tell."


def _leaning(judged: Judged) -> tuple[Ints, Ints]:
    """(annotators,) preferences for what stood left, and preferences of which that is known.

    The sides are drawn by chance: without a habit half of them are for the left.
    """
    flip, n = judged.verdicts.flip, len(judged.annotators)
    known = (flip >= 0) & (judged.value != _TIE)
    left = np.bincount(judged.rater[known & (judged.value == flip)], minlength=n)
    return left, np.bincount(judged.rater[known], minlength=n)


_HASTY = 4  # a verdict that took less than this part of what is usual


def _hasty(judged: Judged) -> NDArray[np.bool_]:
    """(verdicts,) those that took less than a quarter of the median of their task type. Where none was told: False."""
    seconds, task = judged.verdicts.seconds, judged.verdicts.task
    hasty = np.zeros(len(seconds), dtype=bool)
    for kind in np.unique(task):
        of_kind = (task == kind) & ~np.isnan(seconds)
        if of_kind.any():
            hasty[of_kind] = seconds[of_kind] < np.median(seconds[of_kind]) / _HASTY
    return hasty


def _annotators(judged: Judged, fitted: Aggregated, repeats: Repeats, known: Known, checks: Known) -> Json:
    names = _pseudonyms(judged)
    votes = judged.votes[judged.unit]
    said, of = votes[np.arange(len(votes)), judged.value], votes.sum(axis=1)
    left, of_left = _leaning(judged)
    hasty = _hasty(judged)
    order = np.argsort(judged.rater, kind="stable")
    ends = np.searchsorted(judged.rater[order], np.arange(len(judged.annotators) + 1))
    rows = []
    for rater in _most_judged(judged.rater, len(judged.annotators), ANNOTATORS):
        mine = order[ends[rater] : ends[rater + 1]]
        seconds = judged.verdicts.seconds[mine]
        told = seconds[~np.isnan(seconds)]
        right = known.right[known.annotator == judged.annotators[rater]]
        passed = checks.right[checks.annotator == judged.annotators[rater]]
        asked = repeats.annotator == judged.annotators[rater]
        first, again, flip = repeats.first[asked], repeats.again[asked], repeats.flip[asked]
        rows.append(
            {
                "annotator": names[rater],
                "verdicts": len(mine),
                "reliability": fitted.reliability(rater).as_json(),
                "agreement": agreement_with_others(said[mine], of[mine]).as_json(),
                "ties": _share((judged.value[mine] == _TIE).sum(), len(mine)),
                "left": _share(left[rater], of_left[rater], _NO_SIDES),
                "known": len(right),
                "accuracy": accuracy(right).as_json(),
                "checked": len(passed),
                "passed": accuracy(passed).as_json(),
                "repeated": len(first),
                "same_again": same_again(first, again).as_json(),
                "left_again": left_again(first, again, flip).as_json(),
                "seconds": round(float(np.median(told)), 1) if len(told) else None,
                "hasty": _share(hasty[mine].sum(), len(told), "Nobody told how long it took."),
            }
        )
    return {
        "rows": rows,
        "more": len(judged.annotators) - len(rows),
        "left": _share(left.sum(), of_left.sum(), _NO_SIDES),
    }


def _agreement(judged: Judged) -> Json:
    pseudonyms = _pseudonyms(judged)
    busiest = _most_judged(judged.rater, len(judged.annotators), PAIRED)
    tables = pair_tables(judged.unit, judged.rater, judged.value, busiest, len(USABLE))
    return {
        "overall": judged.entry(rounds=ROUNDS),
        "by_task_type": [{"task_type": name} | judged.entry(units) for name, units in _by_task_type(judged)],
        "by_pair": [
            {
                "annotators": [pseudonyms[one] for one in pair],
                "comparisons": int(table.sum()),
                "percent": _share(np.trace(table), table.sum()),
                "kappa": cohen(table, rounds=_ROUNDS).as_json(),
            }
            for pair, table in tables.items()
        ],
        "over_time": _over_time(judged),
    }


def _over_time(judged: Judged) -> list[Json]:
    """Agreement on comparisons by when they got their last verdict, in spans of a day, or as long as it must be."""
    if not judged.n:
        return []
    first, last = int(judged.last_day.min()), int(judged.last_day.max())
    length = -(-(last - first + 1) // SPANS)
    spans = (judged.last_day - first) // length
    rows = []
    for span in np.unique(spans).tolist():
        units = spans == span
        found = agreement(gathered(judged.votes[units]), rounds=_ROUNDS)
        begin = first + span * length
        rows.append(
            {
                "from": day_of(begin).isoformat(),
                "to": day_of(min(begin + length - 1, last)).isoformat(),
                "comparisons": found.comparisons,
                "alpha": found.alpha.as_json(),
                "percent": found.percent.as_json(),
                "ties": judged.ties(units),
            }
        )
    return rows


def _criteria(judged: Judged, used: dict[int, int]) -> Json:
    """What each criterion is like, and how often its label is the opposite of what the pair's others say together.

    Those with most verdicts first; of the rest that nobody judged by, how many there are.
    """
    sign = np.array([1, -1, 0, 0])[judged.majority]  # no label is the last place
    together = np.bincount(judged.pair, weights=sign, minlength=len(judged.pairs))
    others = np.sign(together[judged.pair] - sign)
    comparable = (sign != 0) & (others != 0)
    opposed = comparable & (sign != others)

    made = judged.everything
    criteria, place = np.unique(made.criterion, return_inverse=True)
    verdicts = np.bincount(place, minlength=len(criteria))
    unsure = np.bincount(place, weights=made.unsure, minlength=len(criteria))
    silent = np.bincount(place, weights=made.level == NO_OPINION, minlength=len(criteria))
    # The units of each criterion, side by side.
    order = np.argsort(judged.criterion, kind="stable")
    ends = np.searchsorted(judged.criterion[order], np.arange(len(judged.criteria) + 1))
    places = {key: n for n, key in enumerate(judged.criteria.tolist())}
    named = Criterion.objects.in_bulk(criteria.tolist())
    rows = []
    for n in np.argsort(-verdicts, kind="stable")[:CRITERIA].tolist():
        key = int(criteria[n])
        at = places.get(key)
        units = order[:0] if at is None else order[ends[at] : ends[at + 1]]
        criterion = named[key]
        rows.append(
            {
                "criterion": criterion.text,
                "id": key,
                "state": criterion.state,
                "in_library": criterion.in_library,
                "used": used.get(key, 0),
            }
            | judged.entry(units)
            | {
                "cannot_tell": _share(unsure[n], verdicts[n]),
                "no_opinion": _share(silent[n], verdicts[n]),
                "overturns": _share(
                    opposed[units].sum(),
                    comparable[units].sum(),
                    "No pair has a preference under this criterion and one under its others.",
                ),
            }
        )
    return {
        "rows": rows,
        "more": len(criteria) - len(rows),
        "unjudged": len(used.keys() - set(criteria.tolist())),
    }


def _leaderboards(judged: Judged, models: PairModels, texts: list[str]) -> list[Json]:
    """Of the whole project, of each task type where there are several, of each often used criterion likewise."""
    model1, model2 = models.of(judged.pairs[judged.pair])
    named = (model1 >= 0) & (model2 >= 0)

    def ranked(title: str, kind: str, units: NDArray[np.bool_]) -> Json:
        kept = units & named
        rows = np.column_stack([model1, model2, judged.votes])[kept]
        patterns = gathered(rows) if len(rows) else Patterns(rows, np.empty(0, dtype=np.int64))
        first, second, *_ = patterns.counts.T
        board = leaderboard(first, second, patterns.counts[:, 2:], patterns.times, models=len(models.names))
        return {"title": title, "kind": kind} | _board(board, models.names)

    boards = [ranked("All comparisons", "project", np.ones(judged.n, dtype=bool))]
    tasks = list(_by_task_type(judged))
    if len(tasks) > 1:
        boards += [ranked(str(TaskType(name).label), "task type", units) for name, units in tasks]
    if len(texts) > 1:
        boards += [
            ranked(texts[place], "criterion", judged.criterion == place)
            for place in _most_judged(judged.criterion, len(judged.criteria), RANKED_CRITERIA)
        ]
    return boards


def _board(board: Leaderboard, names: list[str]) -> Json:
    return {
        "comparisons": board.comparisons,
        "why": board.why,
        "rows": [
            {
                "model": names[one.model],
                "part": one.part + 1,
                "rank": one.rank,
                "rank_low": one.rank_low,
                "rank_high": one.rank_high,
                "strength": one.strength.as_json(),
                "wins": one.wins,
                "losses": one.losses,
                "ties": one.ties,
            }
            for one in board.standings
        ],
    }
