"""A campaign in memory: it draws what the queue draws for the same seed, in a hundredth of the time.

`tests/learning/test_simulation.py` holds the two side by side.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from annotate.actions.queue import BY_CHANCE, ChosenPair
from annotate.learning import COMPARISON, KNOWN, Pool, pool_of
from annotate.models import Route
from workers.loop import choose
from workers.reward_models.builtin import BuiltinModel
from workers.simulation.world import World, part_of

# What is compared with policies: draws by chance alone, as the queue makes them without a model.
CHANCE = "chance"


@dataclass(frozen=True)
class Plan:
    """How a campaign goes: `batch` pairs are drawn and judged by one person, then the model is trained again."""

    batch: int = 50
    labels: int = 1000
    uniform_share: float = 0.2


@dataclass
class Played:
    """What came of a campaign: after each refit the labels so far and the accuracy on what is kept for testing."""

    labels: list[int] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    draws: list[list[ChosenPair]] = field(default_factory=list)


def play(
    world: World,
    policy: str,
    seed: int,
    plan: Plan,
    tell: Callable[[int], None] = lambda labels: None,
) -> Played:
    """Until so many labels are there, or the pool is used up. `tell` is called with the labels so far."""
    played, rng = Played(), np.random.default_rng(seed)
    open_ = ~world.tested
    labelled = np.zeros(len(world), dtype=bool)
    tests = np.flatnonzero(world.tested & (world.verdict != 0))
    held_out, answers = part_of(world.described, tests), world.verdict[tests]
    model: BuiltinModel | None = None
    while open_.any() and labelled.sum() < plan.labels:
        if model is None or policy == CHANCE:
            drawn = _by_chance(world, open_, plan.batch)
        else:
            pool = _pool(world, model, open_, labelled, revision=len(played.labels))
            drawn = choose(pool, plan.batch, plan.uniform_share, rng, policy)
        played.draws.append(drawn)
        chosen = np.isin(world.pair, [one.pair_id for one in drawn])
        labelled, open_ = labelled | chosen, open_ & ~chosen
        rows = np.flatnonzero(labelled)
        model = BuiltinModel.fit(part_of(world.described, rows), world.verdict[rows])
        margins = model.score_described(held_out).margin
        played.labels.append(len(rows))
        played.accuracy.append(float(((np.sign(margins) * answers + 1) / 2).mean()))
        tell(len(rows))
    return played


def _by_chance(world: World, open_: np.ndarray, want: int) -> list[ChosenPair]:
    """In the order of their shuffle, as `fill_queue` takes them."""
    rows = np.flatnonzero(open_)
    pairs, first = np.unique(world.pair[rows], return_index=True)
    order = np.argsort(world.shuffle[rows[first]], kind="stable")[:want]
    sizes: Iterator[int] = iter(range(len(pairs), 0, -1))
    return [
        ChosenPair(Route.UNIFORM, pair, 1 / size, size, BY_CHANCE)
        for pair, size in zip(pairs[order].tolist(), sizes, strict=False)
    ]


def _pool(
    world: World, model: BuiltinModel, open_: np.ndarray, labelled: np.ndarray, *, revision: int
) -> Pool:
    """As `freeze_pool` reads it when the model has scored what is open."""
    rows = np.flatnonzero(open_)
    scored = model.score_described(part_of(world.described, rows))
    table = np.zeros(len(rows), dtype=COMPARISON)
    table["pair"], table["criterion"], table["comparison"] = world.pair[rows], world.criterion[rows], rows
    table["task"] = world.task[rows]
    table["margin"], table["p_tie"], table["bald"] = scored.margin, scored.p_tie, scored.bald
    table["cell"] = scored.cell
    judged, times = np.unique(world.criterion[labelled], return_counts=True)
    unknown = frozenset(np.setdiff1d(world.criterion[rows], judged[times >= KNOWN]).tolist())
    return pool_of(table, unknown, drawn=0, revision=revision)
