"""Which model's responses are preferred: strengths from pairwise verdicts, ties among them.

Rao and Kupper (1967), the likelihood that the reward models here are trained by: with margin m, the difference of two
strengths, and a threshold t >= 0 that a preference must pass, P(first) = sigmoid(m - t), P(second) = sigmoid(-m - t),
and what is left is a tie. Without ties it is Bradley and Terry's model. Only differences of strengths mean anything,
and only between models that a chain of comparisons connects; within such a part their mean is 0.
"""

from dataclasses import dataclass

import numpy as np

from annotate.stats.estimates import Estimate, Floats, Ints
from annotate.stats.patterns import gathered

ROUNDS = 200
# A strength's prior is normal with this standard deviation, in log-odds: it keeps a model that never lost, whose most
# likely strength is infinite, on the list, and moves one that was compared often by next to nothing.
PRIOR_SD = 3.0
_STEPS = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """How one model did. Ranks run over the models of its part; their interval is that of the resamples."""

    model: int
    part: int  # models of different parts were never compared, not even by way of others
    strength: Estimate
    rank: int
    rank_low: int
    rank_high: int
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True, slots=True)
class Leaderboard:
    standings: list[Standing]  # by part, the strongest first
    threshold: float
    parts: int
    comparisons: int
    why: str = ""  # there is nobody on it, or not all can be ranked against each other


def leaderboard(
    first: Ints, second: Ints, counts: Ints, times: Ints, *, models: int, rounds: int = ROUNDS, seed: int = 0
) -> Leaderboard:
    """Rank models by the verdicts of comparisons.

    Args:
        first, second: (n,) whose responses were compared, counted from 0; rows of a model with itself tell nothing.
        counts: (n, 3) how many verdicts say first, second, tie.
        times: (n,) how many comparisons are like that.

    Intervals are those of a percentile bootstrap over comparisons, whose verdicts stay together.
    """
    rows, of = _usable(first, second, counts, times)
    if not len(rows):
        return Leaderboard([], 0.0, 0, 0, "No verdict compares the responses of two different named models.")
    edges, edge = np.unique(rows[:, :2], axis=0, return_inverse=True)
    begins = np.searchsorted(edge.ravel(), np.arange(len(edges)))
    part = _parts(edges, models)

    def summed(weights: Floats) -> Floats:
        """(rounds, edges, 3) verdicts by pair of models, of (rounds, rows)."""
        each = [np.add.reduceat(weights * rows[:, 2 + v], begins, axis=1) for v in range(3)]
        return np.stack(each, axis=2)

    seen = summed(of[None, :].astype(np.float64))
    strengths, thresholds = fit(edges, seen, part)
    total = int(of.sum())
    drawn = np.random.default_rng(seed).multinomial(total, of / total, size=rounds).astype(np.float64)
    resampled, _ = fit(edges, summed(drawn), part, start=(strengths[0], thresholds[0]))
    met = np.flatnonzero(part >= 0)
    standings = _standings(strengths[0], resampled, part, met, _records(edges, seen[0], models))
    parts = int(part.max()) + 1
    why = (
        "" if parts == 1 else f"The models fall into {parts} parts that were never compared with each other."
    )
    return Leaderboard(standings, float(thresholds[0]), parts, total, why)


def fit(
    edges: Ints,
    seen: Floats,
    part: Ints,
    *,
    prior_sd: float = PRIOR_SD,
    start: tuple[Floats, float] | None = None,
) -> tuple[Floats, Floats]:
    """Most probable strengths (rounds, models) and thresholds (rounds,), by Newton's method on all rounds at once.

    Args:
        edges: (edges, 2) pairs of models that were compared.
        seen: (rounds, edges, 3) verdicts for the first, the second, neither.
        part: (models,) which connected part each belongs to, -1 for none.

    The posterior is concave in strengths and threshold together. Where nothing was a tie the threshold is 0.
    """
    rounds, models = len(seen), len(part)
    strengths = np.zeros((rounds, models)) if start is None else np.repeat(start[0][None], rounds, axis=0)
    tied = seen[:, :, 2].sum(axis=1)
    thresholds = np.where(tied > 0, max(start[1] if start else 0.5, 0.05), 0.0)
    # The mean of each part is free, and held at 0; a model that was never compared stays at 0, too.
    held = np.equal.outer(part, part) & (part >= 0)[:, None] | np.eye(models, dtype=bool)
    ridge = held + np.eye(models) / prior_sd**2
    now = _posterior(edges, seen, strengths, thresholds, ridge)
    for _ in range(_STEPS):
        slope, bend = _derivatives(edges, seen, strengths, thresholds, ridge)
        step = np.linalg.solve(bend, slope[..., None])[..., 0]
        size = np.ones(rounds)
        # No step leads below 0, nor downhill.
        falls = step[:, -1] < 0
        size[falls] = np.minimum(1, -0.9 * thresholds[falls] / np.minimum(step[falls, -1], -1e-300))
        for _ in range(40):
            moved = strengths + size[:, None] * step[:, :-1], thresholds + size * step[:, -1]
            then = _posterior(edges, seen, *moved, ridge)
            worse = then < now - 1e-9 * np.abs(now)
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        strengths, thresholds, now = *moved, then
        if float(np.abs(size[:, None] * step).max()) < 1e-9:
            break
    return strengths, thresholds


def _log_sigmoid(x: Floats) -> Floats:
    result: Floats = -np.logaddexp(0.0, -x)
    return result


def _posterior(edges: Ints, seen: Floats, strengths: Floats, thresholds: Floats, ridge: Floats) -> Floats:
    m = strengths[:, edges[:, 0]] - strengths[:, edges[:, 1]]
    t = thresholds[:, None]
    # A tie passes neither threshold: it counts as half of both, and for what is between them.
    likelihood = (seen[:, :, 0] + seen[:, :, 2]) * _log_sigmoid(m - t)
    likelihood += (seen[:, :, 1] + seen[:, :, 2]) * _log_sigmoid(-m - t)
    ties = seen[:, :, 2].sum(axis=1)
    between = np.log(np.expm1(2 * np.where(ties > 0, thresholds, 1.0)))
    penalty = np.einsum("bi,ij,bj->b", strengths, ridge, strengths) / 2
    total: Floats = likelihood.sum(axis=1) + np.where(ties > 0, ties * between, 0.0) - penalty
    return total


def _derivatives(
    edges: Ints, seen: Floats, strengths: Floats, thresholds: Floats, ridge: Floats
) -> tuple[Floats, Floats]:
    """The slope (rounds, models + 1) and minus the second derivatives; the last place is the threshold's."""
    rounds, models = strengths.shape
    a, b = edges[:, 0], edges[:, 1]
    m, t = strengths[:, a] - strengths[:, b], thresholds[:, None]
    first, second = seen[:, :, 0] + seen[:, :, 2], seen[:, :, 1] + seen[:, :, 2]
    p, q = np.exp(_log_sigmoid(m - t)), np.exp(_log_sigmoid(-m - t))
    up, down = first * (1 - p), second * (1 - q)
    bend_up, bend_down = up * p, down * q
    slope = np.zeros((rounds, models + 1))
    bend = np.zeros((rounds, models + 1, models + 1))
    for edge, (i, j) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
        pull, curve = up[:, edge] - down[:, edge], bend_up[:, edge] + bend_down[:, edge]
        skew = bend_down[:, edge] - bend_up[:, edge]
        slope[:, i] += pull
        slope[:, j] -= pull
        bend[:, i, i] += curve
        bend[:, j, j] += curve
        bend[:, i, j] -= curve
        bend[:, j, i] -= curve
        bend[:, i, -1] += skew
        bend[:, j, -1] -= skew
    slope[:, :-1] -= strengths @ ridge
    bend[:, :-1, :-1] += ridge
    bend[:, -1, :-1] = bend[:, :-1, -1]
    ties = seen[:, :, 2].sum(axis=1)
    free = ties > 0
    shrink = -np.expm1(-2 * np.where(free, thresholds, 1.0))
    slope[:, -1] = np.where(free, -(up + down).sum(axis=1) + 2 * ties / shrink, 0.0)
    bend[:, -1, -1] = (bend_up + bend_down).sum(axis=1) + ties * 4 * np.exp(-2 * thresholds) / shrink**2
    bend[~free, -1, :] = bend[~free, :, -1] = 0.0
    bend[~free, -1, -1] = 1.0
    return slope, bend


def _usable(first: Ints, second: Ints, counts: Ints, times: Ints) -> tuple[Ints, Ints]:
    """Patterns as rows (lower model, higher model, for lower, for higher, ties), by their models, and how often each."""
    turned = first > second
    rows = np.column_stack(
        [
            np.minimum(first, second),
            np.maximum(first, second),
            np.where(turned, counts[:, 1], counts[:, 0]),
            np.where(turned, counts[:, 0], counts[:, 1]),
            counts[:, 2],
        ]
    )
    kept = (first != second) & (counts.sum(axis=1) > 0) & (times > 0)
    rows, of = gathered(rows[kept], times[kept])
    order = np.lexsort(rows.T[::-1]) if len(rows) else np.empty(0, dtype=np.int64)
    return rows[order], of[order]


def _parts(edges: Ints, models: int) -> Ints:
    """Which connected part each model belongs to, the largest first; -1 for one that was never compared."""
    root = np.arange(models)

    def top(model: int) -> int:
        while root[model] != model:
            root[model] = root[root[model]]
            model = int(root[model])
        return model

    for a, b in edges.tolist():
        root[top(a)] = top(b)
    roots = np.array([top(model) for model in range(models)])
    met = np.isin(np.arange(models), edges)
    found, sizes = np.unique(roots[met], return_counts=True)
    number = {int(one): n for n, one in enumerate(found[np.argsort(-sizes, kind="stable")])}
    return np.array([number[int(one)] if known else -1 for one, known in zip(roots, met, strict=True)])


def _records(edges: Ints, seen: Floats, models: int) -> Ints:
    """(models, 3) verdicts won, lost and tied."""
    record = np.zeros((models, 3))
    for side in (0, 1):
        np.add.at(record, edges[:, side], seen[:, [side, 1 - side, 2]])
    return record.astype(np.int64)


def _standings(strengths: Floats, resampled: Floats, part: Ints, met: Ints, records: Ints) -> list[Standing]:
    standings: list[Standing] = []
    for number in range(int(part.max()) + 1):
        mine = met[part[met] == number]
        mine = mine[np.argsort(-strengths[mine], kind="stable")]
        ranks = 1 + np.argsort(np.argsort(-resampled[:, mine], axis=1, kind="stable"), axis=1)
        rank_low, rank_high = np.quantile(ranks, (0.025, 0.975), axis=0)
        low, high = np.quantile(resampled[:, mine], (0.025, 0.975), axis=0)
        for place, model in enumerate(mine.tolist()):
            wins, losses, ties = records[model].tolist()
            why = "" if wins + ties and losses + ties else _ENDLESS[bool(wins)]
            standings.append(
                Standing(
                    model=model,
                    part=number,
                    strength=Estimate(float(strengths[model]), float(low[place]), float(high[place]), why),
                    rank=place + 1,
                    rank_low=int(np.floor(rank_low[place])),
                    rank_high=int(np.ceil(rank_high[place])),
                    wins=wins,
                    losses=losses,
                    ties=ties,
                )
            )
    return standings


_ENDLESS = {
    True: "It never lost: only the prior keeps its strength finite.",
    False: "It never won: only the prior keeps its strength finite.",
}
