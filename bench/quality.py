"""How well labels, annotators and their habits are told from judgments alone, where the truth is known.

5,000 comparisons, five verdicts each, of 20 simulated annotators: experts, ordinary ones, careless ones, some who mostly
say left, and two who mean the opposite. Prints JSON: how often the labels of the majority and of Dawid and Skene's model
are right, by how much the reliabilities and the shares of "left" that are told of annotators are off, and how often
their intervals hold the truth. Each figure is a mean over several simulations, with the worst of them where it matters.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from numpy.typing import NDArray

from annotate.stats.dawid_skene import Aggregated, dawid_skene
from annotate.stats.estimates import Estimate, share
from annotate.stats.patterns import counted

# Verdicts: 0 response 1, 1 response 2, 2 tie.
TRUTHS = (0.45, 0.45, 0.1)
TIE = 2


@dataclass(frozen=True)
class Kind:
    """How an annotator judges: first comes what is said without looking, then a look that may err."""

    skill: float  # of finding the true verdict, having looked; else one of the two others
    blind: float = 0.0  # share of verdicts that are given without looking, each as likely as the others
    left: float = 0.0  # share of verdicts that say left, without looking
    opposite: float = 0.0  # share of preferences that are meant the other way round


KINDS = {
    "expert": Kind(skill=0.93),
    "ordinary": Kind(skill=0.78),
    "careless": Kind(skill=0.78, blind=0.6),
    "left": Kind(skill=0.78, left=0.5),
    "adversarial": Kind(skill=0.93, opposite=0.9),
}
CROWD = {"expert": 4, "ordinary": 6, "careless": 4, "left": 4, "adversarial": 2}


@dataclass(frozen=True)
class World:
    truth: NDArray[np.int64]  # (comparisons,)
    names: list[str]  # (annotators,) of their kinds
    units: NDArray[np.int64]
    raters: NDArray[np.int64]
    values: NDArray[np.int64]
    exchanged: NDArray[np.bool_]


def simulate(comparisons: int, k: int, seed: int, crowd: dict[str, int] | None = None) -> World:
    """Judgments by the annotators of `crowd` of each kind, k to a comparison, the sides exchanged by chance."""
    rng = np.random.default_rng(seed)
    names = [name for name, many in (crowd or CROWD).items() for _ in range(many)]
    truth = rng.choice(3, comparisons, p=TRUTHS)
    raters = np.argsort(rng.random((comparisons, len(names))), axis=1)[:, :k].ravel()
    units = np.repeat(np.arange(comparisons), k)
    exchanged = rng.random(len(units)) < 0.5
    trait = {
        field: np.array([getattr(KINDS[name], field) for name in names])[raters]
        for field in ("skill", "blind", "left", "opposite")
    }
    true = truth[units]
    found = np.where(
        rng.random(len(units)) < trait["skill"], true, (true + rng.integers(1, 3, len(units))) % 3
    )
    turn = (rng.random(len(units)) < trait["opposite"]) & (found != TIE)
    found = np.where(turn, 1 - found, found)
    unseen = rng.random(len(units))
    left = np.where(exchanged, 1, 0)
    values = np.where(unseen < trait["left"], left, found)
    values = np.where(unseen >= 1 - trait["blind"], rng.integers(0, 3, len(units)), values)
    return World(truth, names, units, raters, values, exchanged)


def aggregate(world: World, *, sides: bool = True) -> Aggregated:
    return dawid_skene(
        world.units,
        world.raters,
        world.values,
        n_units=len(world.truth),
        n_raters=len(world.names),
        exchanged=world.exchanged if sides else None,
    )


def majority_right(world: World) -> float:
    """How often the most frequent verdict is true; where several are, each as likely as the others."""
    votes = counted(world.units, world.values, len(world.truth), 3)
    most = votes == votes.max(axis=1, keepdims=True)
    return float((most[np.arange(len(votes)), world.truth] / most.sum(axis=1)).mean())


def left_share(world: World, rater: int) -> Estimate:
    """How often a rater's preferences name what stood left."""
    mine = (world.raters == rater) & (world.values != TIE)
    left = world.values[mine] == world.exchanged[mine]
    return share(int(left.sum()), int(mine.sum()))


def true_left(kind: Kind) -> float:
    """What `left_share` is in truth: chance puts either response left, so all but the habit is even."""
    looks = 1 - kind.left - kind.blind
    tied = looks * (TRUTHS[TIE] * kind.skill + (1 - TRUTHS[TIE]) * (1 - kind.skill) / 2) + kind.blind / 3
    return (kind.left + (1 - kind.left - tied) / 2) / (1 - tied)


def true_reliability(kind: Kind) -> float:
    """How often a verdict of such an annotator is true."""
    decided, tie = 1 - TRUTHS[TIE], TRUTHS[TIE]
    wrong = (1 - kind.skill) / 2  # each of the two other verdicts
    looked = decided * ((1 - kind.opposite) * kind.skill + kind.opposite * wrong) + tie * kind.skill
    return (1 - kind.left - kind.blind) * looked + kind.blind / 3 + kind.left * decided / 2


def measure(comparisons: int, k: int, seed: int) -> dict[str, Any]:
    """One simulation: shares of right labels, and by annotator what is told and what is true."""
    world = simulate(comparisons, k, seed)
    began = time.process_time()
    found = aggregate(world)
    seconds = time.process_time() - began
    unsided = aggregate(world, sides=False)
    labels = found.posterior.argmax(axis=1)
    annotators = []
    for rater, name in enumerate(world.names):
        reliability, left = found.reliability(rater), left_share(world, rater)
        annotators.append(
            {
                "kind": name,
                "reliability": _against(reliability, true_reliability(KINDS[name])),
                "left": _against(left, true_left(KINDS[name])),
            }
        )
    sure = found.posterior.max(axis=1)
    return {
        "majority": majority_right(world),
        "dawid_skene": float((labels == world.truth).mean()),
        "dawid_skene_blind_to_sides": float((unsided.posterior.argmax(axis=1) == world.truth).mean()),
        "said_of_itself": float(sure.mean()),
        "iterations": found.iterations,
        "cpu_seconds": seconds,
        "annotators": annotators,
    }


def _against(found: Estimate, truth: float) -> dict[str, float]:
    assert found.value is not None and found.low is not None and found.high is not None
    return {"told": found.value, "true": truth, "held": float(found.low <= truth <= found.high)}


def summed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of several simulations in one."""
    labels = {
        name: round(float(np.mean([run[name] for run in runs])), 4)
        for name in ("majority", "dawid_skene", "dawid_skene_blind_to_sides", "said_of_itself")
    }
    gains = [run["dawid_skene"] - run["majority"] for run in runs]
    kinds = {}
    for name in dict.fromkeys(one["kind"] for one in runs[0]["annotators"]):
        kinds[name] = {
            what: _summed([one[what] for run in runs for one in run["annotators"] if one["kind"] == name])
            for what in ("reliability", "left")
        }
    return {
        "labels right": labels,
        "better than majority": {"mean": round(float(np.mean(gains)), 4), "least": round(min(gains), 4)},
        "annotators": kinds,
        "iterations": max(run["iterations"] for run in runs),
        "cpu_seconds": round(max(run["cpu_seconds"] for run in runs), 3),
    }


def _summed(found: list[dict[str, float]]) -> dict[str, float]:
    errors = [abs(one["told"] - one["true"]) for one in found]
    return {
        "true": round(found[0]["true"], 4),
        "told": round(float(np.mean([one["told"] for one in found])), 4),
        "off by": round(float(np.mean(errors)), 4),
        "off by at most": round(max(errors), 4),
        "interval held": round(float(np.mean([one["held"] for one in found])), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--comparisons", type=int, default=5_000)
    parser.add_argument("--k", type=int, default=5, help="verdicts a comparison")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    runs = [measure(options.comparisons, options.k, seed) for seed in range(options.runs)]
    told = {"bench": "quality", "comparisons": options.comparisons, "k": options.k, "runs": options.runs}
    print(json.dumps(told | summed(runs), indent=2))


if __name__ == "__main__":
    main()
