"""An epoch's draws: without replacement from a frozen pool, each with its exact probability.

Each draw is uniform with probability `uniform_share`, else it follows the policy: a candidate's chance is its weight over
the weights of all that the policy may draw next. The weights are acquisition ** (1 / temperature) (PowerBALD:
Kirsch et al., 2021, arXiv 2106.12059), of which three rules, all known before the draw, make what may come next:

* quotas close the groups that have had their share;
* every `EXPLORE_EVERY`-th policy draw is for groups that nobody knows yet, while there is one that was not drawn;
* each draw from a cell of near-duplicates makes the others of it `alike` times as likely.

Since they look back and never ahead, every q is exact, and whatever is stopped early is a prefix of what would have
followed: nothing depends on how many draws are wanted.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
# Of each candidate its group, whatever names it; of very many, by number.
Groups = Sequence[Hashable] | npt.NDArray[np.integer]

# An acquisition counts at least as this part of the mean: nothing in the pool is impossible.
_FLOOR = 1e-6
# ... and no weight is so small that sums lose it altogether.
_TINY = 1e-290
# Of the policy's draws, every so manieth explores.
EXPLORE_EVERY = 4
# By how much a draw makes the others of its cell less likely, and so many times at most.
ALIKE = 0.1
_ALIKE_MOST = 6
# Weights are summed up by blocks of so many: a draw reads the sums, then one block.
_BLOCK = 1024


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
    groups: Groups,
    want: int,
    rng: np.random.Generator,
    *,
    uniform_share: float = 0.2,
    temperature: float = 1.0,
    quotas: Mapping[Any, float] | None = None,
    unknown: Collection[Hashable] = (),
    cells: Sequence[int] | npt.NDArray[np.integer] | None = None,
    alike: float = ALIKE,
) -> list[Chosen]:
    """Draw up to `want` of the candidates, in order; fewer only when the pool is empty.

    `quotas` bounds the share of the policy's draws that a group may take, in every prefix of them (a group may always
    take one); a group that is not named may take all. When every group left is at its bound, the bounds rest.
    `unknown` groups are explored first. Candidates with the same number in `cells` are near-duplicates of each other.
    The order of the candidates in the input changes nothing: randomness is dealt out by id.

    Raises:
        ValueError: the pool makes no sense.
    """
    values = _weights(ids, acquisition, groups, uniform_share, temperature)
    if cells is not None and len(cells) != len(values):
        raise ValueError(f"{len(values)} candidates have {len(cells)} cells: each has one.")
    if not 0 < alike <= 1:
        raise ValueError("A near-duplicate becomes less likely, not impossible: alike lies above 0, up to 1.")
    coins, picks, throws = rng.spawn(3)
    # From here on candidates are numbered in the order of ids, and groups by their smallest id.
    by_id = np.argsort(np.asarray(ids), kind="stable")
    names, group = _numbered(groups, by_id)
    pool = _Left(len(values))
    alikes = _Cells(np.asarray(cells)[by_id], alike) if cells is not None and alike < 1 else None
    policy = _Policy(values[by_id], names, group, quotas or {}, unknown, throws)

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
        policy.remove(place, by_policy=route == "policy")
        if alikes:
            policy.scale(*alikes.after(place))
    return chosen


def fair_quotas(groups: Groups, slack: float = 1.0) -> dict[Any, float]:
    """Quotas by which no group takes more than `slack` times an equal share, of those that are there."""
    distinct = np.unique(groups).tolist() if isinstance(groups, np.ndarray) else set(groups)
    return {group: min(slack / len(distinct), 1.0) for group in distinct}


def _weights(
    ids: Sequence[int] | npt.NDArray[np.integer],
    acquisition: npt.ArrayLike,
    groups: Groups,
    uniform_share: float,
    temperature: float,
) -> Floats:
    """What the policy's probabilities are proportional to; ValueError for a pool that makes no sense."""
    values = np.asarray(acquisition, dtype=np.float64)
    if not len(ids) == len(values) == len(groups):
        raise ValueError(
            f"{len(ids)} ids, {len(values)} acquisitions, {len(groups)} groups: each candidate has one of each."
        )
    in_order = np.sort(ids)
    if (in_order[1:] == in_order[:-1]).any():
        raise ValueError("An id stands twice in the pool.")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("An acquisition is a finite number of 0 or more.")
    if not 0 <= uniform_share <= 1 or temperature <= 0:
        raise ValueError("The uniform share lies between 0 and 1, the temperature above 0.")
    if not values.any():
        return np.ones_like(values)
    floored: Floats = np.maximum(np.maximum(values / values.mean(), _FLOOR) ** (1 / temperature), _TINY)
    return floored


def _numbered(groups: Groups, by_id: Ints) -> tuple[list[Any], Ints]:
    """The groups' names in the order in which they come up by id, and of each candidate by id its group's number."""
    if isinstance(groups, np.ndarray):
        found, first, place = np.unique(groups[by_id], return_index=True, return_inverse=True)
        order = np.argsort(first)
        return found[order].tolist(), np.argsort(order)[place]
    number: dict[Hashable, int] = {}
    places = [number.setdefault(groups[index], len(number)) for index in by_id.tolist()]
    return list(number), np.array(places, dtype=np.intp)


class _Left:
    """The candidates left, any of which is found and removed at once."""

    def __init__(self, size: int) -> None:
        self._left, self._places, self._size = np.arange(size), np.arange(size), size

    def __len__(self) -> int:
        return self._size

    def at(self, place: int) -> int:
        return int(self._left[place])

    def remove(self, index: int) -> None:
        self._size -= 1
        last, place = self._left[self._size], self._places[index]
        self._left[place], self._places[last] = last, place


class _Cells:
    """Who is a near-duplicate of whom."""

    def __init__(self, cells: npt.NDArray[np.integer], alike: float) -> None:
        self._cells, self._alike = cells, alike
        self._order = np.argsort(cells, kind="stable")
        self._sorted = cells[self._order]
        self._drawn: dict[int, int] = {}

    def after(self, index: int) -> tuple[Ints, float]:
        """Whose weights change now that this one is drawn, and by what factor."""
        cell = int(self._cells[index])
        drawn = self._drawn[cell] = self._drawn.get(cell, 0) + 1
        start, end = np.searchsorted(self._sorted, cell), np.searchsorted(self._sorted, cell, side="right")
        return self._order[start:end], self._alike if drawn <= _ALIKE_MOST else 1.0


@dataclass(frozen=True, slots=True)
class _Turn:
    """Which groups the policy may draw from, the sums of their blocks added up one after the other, how many are in them."""

    open: npt.NDArray[np.bool_]
    summed: Floats
    size: int


class _Policy:
    """The weights of the candidates left. They lie in blocks, each of one group, whose sums are kept."""

    def __init__(
        self,
        weights: Floats,
        names: Sequence[Hashable],
        group: Ints,
        quotas: Mapping[Any, float],
        unknown: Collection[Hashable],
        throws: np.random.Generator,
    ) -> None:
        self._group = group
        self._shares = np.array([quotas.get(name, 1.0) for name in names])
        self._unknown = np.array([name in unknown for name in names], dtype=bool)
        self._counts = np.bincount(group, minlength=len(names))
        self._taken = np.zeros(len(names), dtype=np.int64)
        self._throws = throws
        # Where each candidate lies: its group begins at a block of its own.
        blocks = -(-self._counts // _BLOCK)
        first = np.concatenate([[0], np.cumsum(blocks)])
        self._block_group = np.repeat(np.arange(len(names)), blocks)
        order = np.argsort(group, kind="stable")
        within = np.arange(len(group)) - np.concatenate([[0], np.cumsum(self._counts)])[:-1][group[order]]
        self._place = np.empty(len(group), dtype=np.intp)
        self._place[order] = first[:-1][group[order]] * _BLOCK + within
        self._who = np.full(first[-1] * _BLOCK, -1, dtype=np.intp)
        self._who[self._place] = np.arange(len(group))
        self._weights = np.zeros((first[-1], _BLOCK))
        self._weights.ravel()[self._place] = weights
        self._sums = self._weights.sum(axis=1)

    def turn(self) -> _Turn:
        """What the policy may draw next."""
        left, number = self._counts > 0, int(self._taken.sum())
        open_ = left & self._unknown
        if number % EXPLORE_EVERY or not open_.any():
            open_ = left & (self._taken < np.maximum(1, np.ceil(self._shares * (number + 1))))
        if not open_.any():
            open_ = left
        summed = np.where(open_[self._block_group], self._sums, 0.0).cumsum()
        return _Turn(open_, summed, int(self._counts[open_].sum()))

    def draw(self, turn: _Turn) -> int:
        """One of those open, each as likely as its weight says: a block is thrown for, then one in it."""
        throw = self._throws.random() * turn.summed[-1]
        block = int(np.searchsorted(turn.summed, throw, side="right"))
        block = min(block, int(np.flatnonzero(np.diff(turn.summed, prepend=0.0))[-1]))
        weights = self._weights[block]
        throw -= turn.summed[block - 1] if block else 0.0
        place = int(np.searchsorted(weights.cumsum(), throw, side="right"))
        if place >= _BLOCK or not weights[place]:  # rounding led past the last one
            place = int(np.flatnonzero(weights)[-1])
        return int(self._who[block * _BLOCK + place])

    def chance(self, turn: _Turn, index: int) -> float:
        """The probability that `draw` gives this one."""
        if not turn.open[self._group[index]]:
            return 0.0
        return float(self._weights.ravel()[self._place[index]] / turn.summed[-1])

    def remove(self, index: int, *, by_policy: bool) -> None:
        group = self._group[index]
        self._counts[group] -= 1
        self._taken[group] += by_policy
        self._unknown[group] = False
        self._set(self._place[index : index + 1], 0.0)

    def scale(self, indices: Ints, factor: float) -> None:
        """Make some as much more or less likely."""
        if factor != 1:
            self._set(self._place[indices], factor)

    def _set(self, places: Ints, factor: float) -> None:
        """Blocks are summed up anew, so that no rounding is carried on."""
        self._weights.ravel()[places] *= factor
        blocks = np.unique(places // _BLOCK)
        self._sums[blocks] = self._weights[blocks].sum(axis=1)
