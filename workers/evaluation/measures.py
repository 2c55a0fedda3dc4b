"""From answers to figures: every accuracy by task, over tasks and over rows, what is counted beside, two judges compared.

Accuracies are over the tasks that a judge supports: of which it can see every row. What it gave no verdict on is
wrong there, and counted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workers.evaluation.answers import Answer, Answers
from workers.evaluation.benches import BenchRow
from workers.evaluation.calibration import calibration
from workers.evaluation.intervals import Figures, figures, paired
from workers.evaluation.protocols import (
    FAILED,
    UNSUPPORTED,
    Floats,
    Verdicts,
    both_orders,
    by_sign,
    halves,
    joined,
    supported_tasks,
    with_ties,
    without_ties,
)
from workers.evaluation.thresholds import best_threshold, call, crosswise, crosswise_ties
from workers.reward_models.base import Without

# What each way to call verdicts is, as reports say it; those of the two protocols in the order of preference: the
# first that a judge has is its headline.
WITH_TIES = {
    "own_ties": "the judge's own probability of a tie",
    "calibrated": "threshold on |margin| from the other half of the prompts",
    "tie_model": "Rao-Kupper model fitted to the other half of the prompts",
    "orders_mean": "mean of both orders",
    "orders_joined": "both orders joined: where they disagree it is a tie",
    "published_order": "response 1 shown first, as published",
    "no_ties": "nothing is called a tie",
    "test_set_optimum": "threshold chosen on the test set itself, task by task: the published way, which flatters",
}
WITHOUT_TIES = {
    "sign": "sign of the margin",
    "orders_mean": "mean of both orders",
    "published_order": "response 1 shown first, as published",
}


@dataclass(frozen=True)
class Measured:
    """`results`: figures as JSON. `hits`: of each row, under each protocol's headline; NaN: not counted."""

    results: dict[str, Any]
    hits: dict[str, Floats]


def measure(rows: Sequence[BenchRow], answers: Answers) -> Measured:
    """All figures of one judge on one benchmark."""
    tasks, groups = [row.task for row in rows], [row.group for row in rows]
    labels = np.array([row.label for row in rows], dtype=np.int8)
    problems = [answer.problem() for answer in answers.rows]
    unseen = np.array([bool(one and one[0] == Without.UNSUPPORTED) for one in problems])
    supported = supported_tasks(tasks, np.where(unseen, UNSUPPORTED, 0).astype(np.int8))
    counted = np.array([task in set(supported) for task in tasks])
    ways = (
        _of_scores(answers.rows, labels, tasks, groups)
        if answers.kind == "scores"
        else _of_words(answers.rows, labels)
    )
    # In order: where they are kept, mappings lose theirs.
    results: dict[str, Any] = {"tasks": list(dict.fromkeys(tasks)), "supported": supported, "accuracy": {}}
    headline: dict[str, Floats] = {}
    for protocol, hits_by_way in ways.hits.items():
        said = {}
        for name in WITH_TIES if protocol == "with_ties" else WITHOUT_TIES:
            if name in hits_by_way:
                hits = np.where(counted, hits_by_way[name], np.nan)
                headline.setdefault(protocol, hits)
                said[name] = _json(figures(hits, tasks, groups))
        results["accuracy"][protocol] = {"headline": next(iter(said), None), "ways": said}
    for name, values in ways.beside.items():
        results.setdefault("orders", {})[name] = _json(
            figures(np.where(counted, values, np.nan), tasks, groups)
        )
    if ways.first_wins:
        results["calibration"] = {}
        for name, first_wins in ways.first_wins.items():
            known = counted & ~np.isnan(first_wins)
            found = calibration(first_wins[known], labels[known])
            results["calibration"][name] = found.as_json() if found else None
    results["thresholds"] = ways.thresholds
    results["counts"] = _counts(tasks, labels, groups, problems, answers.rows)
    return Measured(results, headline)


@dataclass
class _Ways:
    """Hits by protocol and way; what is measured beside; probabilities that response 1 wins; thresholds by task."""

    hits: dict[str, dict[str, Floats]]
    beside: dict[str, Floats]
    first_wins: dict[str, Floats]
    thresholds: dict[str, float | None]


def _of_words(rows: Sequence[Answer], labels: Verdicts) -> _Ways:
    ways = _Ways({"without_ties": {}, "with_ties": {}}, {}, {}, {})

    def codes(name: str, order: int) -> Verdicts | None:
        """None where no row was asked so. A row that was not asked (a tie, without ties) counts nowhere."""
        said = [getattr(row, name) for row in rows]
        if not any(len(one) > order for one in said):
            return None
        return np.array([one[order].code if len(one) > order else FAILED for one in said], dtype=np.int8)

    for protocol, hit in (("with_ties", with_ties), ("without_ties", without_ties)):
        forward, backward = codes(protocol, 0), codes(protocol, 1)
        if forward is None and protocol == "without_ties":  # it was never made to choose
            forward, backward = codes("with_ties", 0), codes("with_ties", 1)
        if forward is None:
            continue
        ways.hits[protocol]["published_order"] = hit(forward, labels)
        if backward is not None:
            ways.hits[protocol]["orders_mean"] = (hit(forward, labels) + hit(backward, labels)) / 2
            if protocol == "with_ties":
                ways.hits[protocol]["orders_joined"] = hit(joined(forward, backward), labels)
            decided = np.ones(len(labels), dtype=bool) if protocol == "with_ties" else labels != 0
            both = both_orders(forward, backward, labels)
            for name in ("consistent", "both_correct", "leaning"):
                ways.beside[f"{name}_{protocol}"] = np.where(decided, getattr(both, name), np.nan)
    return ways


def _of_scores(
    rows: Sequence[Answer], labels: Verdicts, tasks: Sequence[str], groups: Sequence[str]
) -> _Ways:
    margins = np.array([np.nan if row.margin is None else row.margin for row in rows], dtype=np.float64)
    given = ~np.isnan(margins)
    first = halves(groups)
    calibrated, modelled, optimal = (np.full(len(rows), FAILED, dtype=np.int8) for _ in range(3))
    scaled = np.full(len(rows), np.nan)
    thresholds: dict[str, float | None] = {}
    for task in dict.fromkeys(tasks):
        of = given & (np.array(tasks) == task)
        calibrated[of] = crosswise(margins[of], labels[of], first[of])
        modelled[of], scaled[of] = crosswise_ties(margins[of], labels[of], first[of])
        best = best_threshold(margins[of], labels[of])
        thresholds[task] = best.epsilon
        optimal[of] = call(margins[of], best)
    signs = np.where(given, by_sign(np.nan_to_num(margins)), FAILED).astype(np.int8)
    hits = {
        "with_ties": {
            "calibrated": with_ties(calibrated, labels),
            "tie_model": with_ties(modelled, labels),
            "no_ties": with_ties(signs, labels),
            "test_set_optimum": with_ties(optimal, labels),
        },
        "without_ties": {"sign": without_ties(signs, labels)},
    }
    p_tie = np.array([np.nan if row.p_tie is None else row.p_tie for row in rows], dtype=np.float64)
    if not np.isnan(p_tie).all():
        hits["with_ties"]["own_ties"] = with_ties(likeliest(margins, p_tie), labels)
    as_given = np.where(given, 1 / (1 + np.exp(-np.clip(margins, -700, 700))), np.nan)
    return _Ways(hits, {}, {"margin as log-odds": as_given, "scaled by the tie model": scaled}, thresholds)


def likeliest(margins: Floats, p_tie: Floats) -> Verdicts:
    """The likeliest of the three, where the margin is the log-odds of those that do not tie."""
    winner = (1 - p_tie) / (1 + np.exp(-np.clip(np.abs(margins), 0, 700)))
    called = np.where(p_tie > winner, 0, np.sign(margins))
    return np.where(np.isnan(margins) | np.isnan(p_tie), FAILED, called).astype(np.int8)


def _json(found: Figures) -> dict[str, Any]:
    return {
        "tasks": {task: figure.as_json() for task, figure in found.tasks.items()},
        "macro": found.macro.as_json() if found.macro else None,
        "micro": found.micro.as_json() if found.micro else None,
    }


def _counts(
    tasks: Sequence[str],
    labels: Verdicts,
    groups: Sequence[str],
    problems: Sequence[tuple[Without, str] | None],
    rows: Sequence[Answer],
) -> dict[str, Any]:
    """By task: rows, ties among the labels, prompt groups, and rows with something that has no verdict, by why.

    `asked` and `unreadable_replies` count verdicts that were asked for: several a row of a judge in words.
    """
    found: dict[str, dict[str, Any]] = {}
    of_groups: dict[str, set[str]] = {}
    details: Counter[str] = Counter()
    for task, label, group, problem, row in zip(tasks, labels.tolist(), groups, problems, rows, strict=True):
        one = found.setdefault(
            task,
            {"rows": 0, "ties": 0, "groups": 0, "asked": 0, "unreadable_verdicts": 0}
            | {str(why): 0 for why in Without},
        )
        of_groups.setdefault(task, set()).add(group)
        one["rows"] += 1
        one["ties"] += label == 0
        said = [*row.with_ties, *row.without_ties]
        one["asked"] += len(said) or 1
        unreadable = (
            sum(each.without == Without.UNREADABLE for each in said)
            if said
            else row.without == Without.UNREADABLE
        )
        one["unreadable_verdicts"] += int(unreadable)
        if problem:
            one[str(problem[0])] += 1
            details[f"{problem[0]}: {problem[1]}"[:300]] += 1
    for task, names in of_groups.items():
        found[task]["groups"] = len(names)
    whole: Counter[str] = Counter()
    for one in found.values():
        whole.update(one)
    return {"tasks": found, "all": dict(whole), "why": dict(details.most_common(20))}


def compare(rows: Sequence[BenchRow], hits: dict[str, Floats], others: dict[str, Floats]) -> dict[str, Any]:
    """By how much the judge is better than another, under each protocol that both have: on the rows of both."""
    tasks, groups = [row.task for row in rows], [row.group for row in rows]
    found = {}
    for protocol in hits.keys() & others.keys():
        one = paired(hits[protocol], others[protocol], tasks, groups)
        found[protocol] = _json(one.differences) | {"p_macro": one.p_macro, "p_micro": one.p_micro}
    return dict(sorted(found.items()))
