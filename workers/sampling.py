"""Which candidates are asked next, in which order and with what probability: pure numpy, no model, no database.

An epoch draws without replacement from a frozen pool. Each draw is uniform with probability `uniform_share`, else it
follows the policy: PowerBALD, probability proportional to acquisition ** (1 / temperature) among what is left in groups
whose quota is not full. A policy draw throws for the group first, in proportion to what its items weigh together, then
takes the group's next. Within a group that is the Gumbel top-k order, whose conditional probabilities are those of
Plackett and Luce: an item that a uniform draw takes leaves the others' order as it was. Across groups keys are never
compared: a group that was closed for a while would come back with the large keys of what was passed over meanwhile.
So every q is exact.

Whatever is stopped early is a prefix of what would have followed: nothing depends on how many draws are wanted.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# An acquisition counts at least as this part of the mean: nothing in the pool is impossible.
_FLOOR = 1e-6


@dataclass(frozen=True, slots=True)
class Chosen:
    """One draw: the candidate's place in the pool that was given, and by which route it was drawn.

    `q` is the probability that this candidate comes at this place given all draws before it, whichever route takes it:
    where the uniform share is above 0 every candidate left has one, also in a group whose quota is full. `pool_size` is
    how many could have come.
    """

    index: int
    route: Literal["uniform", "policy"]
    q: float
    pool_size: int


def epoch(
    ids: Sequence[int] | npt.NDArray[np.integer],
    acquisition: npt.ArrayLike,
    groups: Sequence[Hashable],
    want: int,
    rng: np.random.Generator,
    *,
    uniform_share: float = 0.2,
    temperature: float = 1.0,
    quotas: Mapping[Any, float] | None = None,
) -> list[Chosen]:
    """Draw up to `want` of the candidates, in order; fewer only when the pool is empty.

    `quotas` bounds the share of the policy's draws that a group may take, in every prefix of them (a group may always
    take one); a group that is not named may take all. When every group left is at its bound, the bounds rest. The
    order of the candidates in the input changes nothing: randomness is dealt out by id.
    """
    values = _weights(ids, acquisition, groups, uniform_share, temperature)
    gumbels, coins, picks, throws = rng.spawn(4)
    # From here on candidates are numbered in the order of ids, and groups by their smallest id.
    by_id = np.argsort(np.asarray(ids), kind="stable")
    values = values[by_id]
    keys = np.log(values) + gumbels.gumbel(size=len(values))
    pool = _Pool(len(values))
    policy = _Policy(keys, values, [groups[index] for index in by_id], quotas or {}, throws)

    chosen: list[Chosen] = []
    route: Literal["uniform", "policy"]
    while len(chosen) < want and len(pool):
        left, turn = len(pool), policy.turn()
        if coins.random() < uniform_share:
            route, place = "uniform", pool.at(int(picks.integers(left)))
        else:
            route, place = "policy", policy.draw(turn)
        q = uniform_share / left + (1 - uniform_share) * policy.chance(turn, place)
        chosen.append(Chosen(int(by_id[place]), route, min(q, 1.0), left if uniform_share else turn.size))
        pool.remove(place)
        policy.remove(place)
    return chosen


def fair_quotas(groups: Sequence[Hashable], slack: float = 2.0) -> dict[Any, float]:
    """Quotas by which no group takes more than `slack` times an equal share."""
    distinct = set(groups)
    return {group: min(slack / len(distinct), 1.0) for group in distinct}


def _weights(
    ids: Sequence[int] | npt.NDArray[np.integer],
    acquisition: npt.ArrayLike,
    groups: Sequence[Hashable],
    uniform_share: float,
    temperature: float,
) -> Floats:
    """What the policy's probabilities are proportional to; ValueError for a pool that makes no sense."""
    values = np.asarray(acquisition, dtype=np.float64)
    if not len(ids) == len(values) == len(groups):
        raise ValueError(
            f"{len(ids)} ids, {len(values)} acquisitions, {len(groups)} groups: each candidate has one of each."
        )
    if len(np.unique(ids)) != len(ids):
        raise ValueError("An id stands twice in the pool.")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("An acquisition is a finite number of 0 or more.")
    if not 0 <= uniform_share <= 1 or temperature <= 0:
        raise ValueError("The uniform share lies between 0 and 1, the temperature above 0.")
    if not values.any():
        return np.ones_like(values)
    floored: Floats = np.maximum(values / values.mean(), _FLOOR) ** (1 / temperature)
    return floored


class _Pool:
    """The candidates left, any of which is found and removed at once."""

    def __init__(self, size: int) -> None:
        self._left = list(range(size))
        self._places = {index: place for place, index in enumerate(self._left)}

    def __len__(self) -> int:
        return len(self._left)

    def at(self, place: int) -> int:
        return self._left[place]

    def remove(self, index: int) -> None:
        last, place = self._left.pop(), self._places.pop(index)
        if last != index:
            self._left[place] = last
            self._places[last] = place


@dataclass(frozen=True, slots=True)
class _Turn:
    """Which groups the policy may draw from, their weights added up one after the other, and how many are in them."""

    open: npt.NDArray[np.bool_]
    weighed: Floats
    size: int


class _Policy:
    """The candidates left by group, in each the highest key first."""

    def __init__(
        self,
        keys: Floats,
        values: Floats,
        groups: Sequence[Hashable],
        quotas: Mapping[Any, float],
        throws: np.random.Generator,
    ) -> None:
        names = list(dict.fromkeys(groups))
        number = {name: n for n, name in enumerate(names)}
        self._group = np.array([number[group] for group in groups], dtype=np.intp)
        self._values = values
        self._gone = np.zeros(len(values), dtype=bool)
        self._shares = np.array([quotas.get(name, 1.0) for name in names])
        best_first = np.lexsort((-keys, self._group))
        edges = np.searchsorted(self._group[best_first], np.arange(len(names) + 1))
        self._orders = [best_first[a:b] for a, b in pairwise(edges)]
        self._heads = [0] * len(names)  # places in the orders
        self._counts = np.array([len(order) for order in self._orders])
        self._sums = np.array([values[order].sum() for order in self._orders])
        self._summed = self._sums.copy()  # what each sum was when it was last added up
        self._taken = np.zeros(len(names), dtype=np.int64)
        self._throws = throws

    def turn(self) -> _Turn:
        """What the policy may draw next."""
        left = self._counts > 0
        bounds = np.maximum(1, np.ceil(self._shares * (self._taken.sum() + 1)))
        open_ = left & (self._taken < bounds)
        if not open_.any():
            open_ = left
        return _Turn(open_, np.where(open_, self._sums, 0.0).cumsum(), int(self._counts[open_].sum()))

    def draw(self, turn: _Turn) -> int:
        """The next of a group thrown for."""
        group = int(np.searchsorted(turn.weighed, self._throws.random() * turn.weighed[-1], side="right"))
        self._taken[group] += 1
        return int(self._orders[group][self._heads[group]])

    def chance(self, turn: _Turn, index: int) -> float:
        """The probability that `draw` gives this one."""
        return float(self._values[index] / turn.weighed[-1]) if turn.open[self._group[index]] else 0.0

    def remove(self, index: int) -> None:
        group = int(self._group[index])
        order, head = self._orders[group], self._heads[group]
        self._gone[index] = True
        self._counts[group] -= 1
        self._sums[group] -= self._values[index]
        while head < len(order) and self._gone[order[head]]:
            head += 1
        self._heads[group] = head
        # Taking away rounds; where little is left of a sum, what is left is added up anew.
        if self._sums[group] < 1e-3 * self._summed[group]:
            rest = order[head:]
            self._sums[group] = self._summed[group] = self._values[rest[~self._gone[rest]]].sum()
