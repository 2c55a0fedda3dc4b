"""Means over a pool from pairs that were chosen, put right by the probabilities that they were chosen with.

LURE, the levelled unbiased risk estimator of Farquhar, Gal and Rainforth, On Statistical Bias in Active Learning: How and
When to Fix It (ICLR 2021, arXiv 2101.11665), section 3.3: of M draws without replacement from N, the m-th with probability
q_m among what was left, sum(v_m y_m) / M is an unbiased estimate of the pool's mean, whatever q looked back at, with

    v_m = 1 + (N - M) / (N - m) * (1 / ((N - m + 1) q_m) - 1).

Here N - m + 1, which is what was `left`, stands beside each draw. Draws without a label count as draws, with nothing to add.

The same sum is that of the paper's appendix B.1, sum(c_m a_m) / M with

    a_m = (y_m / q_m + sum over s < m of y_s) / N,    c_m = N (N - M) / ((N - m) (N - m + 1)):

each a_m alone is an unbiased estimate given all draws before it, so that what they are off by are martingale differences. Their
variances add up, whatever q looked back at and however much of the pool is drawn: sum(c_m^2 (a_m - mean)^2) / M^2 estimates that
of the whole without bias. Independent draws with a finite population's correction, which it nearly is where little of the pool
is drawn, would be too sure of it where much is: the last draws from a small rest weigh as much as its neglect.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from annotate.stats.estimates import Estimate, Floats, Ints, share, undefined

_Z = 1.959963984540054  # of a two-sided 95 % interval


@dataclass(frozen=True)
class Drawn:
    """Draws by chance of a project, one a row: when each came, what it was drawn from, what came of it.

    `hits` are summed over the pair's labels and `counts` is how many these are, 0 where the pair has none: what is
    estimated is a mean over labels. `pool` is how many pairs the epoch began with.
    """

    epoch: Ints
    place: Ints  # among the draws by chance of its epoch, from 1
    pool: Ints
    left: Ints
    q: Floats
    hits: Floats
    counts: Floats

    def __len__(self) -> int:
        return len(self.epoch)

    def rows(self, chosen: Ints) -> "Drawn":
        return Drawn(**{name: column[chosen] for name, column in vars(self).items()})


def weights(q: Floats, left: Ints, size: int) -> Floats:
    """v of each draw of one chain, in their order: from a pool of `size`, with nothing coming to it.

    Draws that are missing in between have drawn, too: what the last one left over is all that was not drawn.
    """
    if not len(q):
        return np.ones(0)
    over = float(left[-1] - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.where(left > 1, over / (left - 1), 0.0)
    v: Floats = 1 + factor * (1 / (left * q) - 1)
    return v


def pulls(q: Floats, left: Ints, size: int) -> tuple[Floats, Floats]:
    """c_m / q_m and c_m of each draw of one chain: how much a draw's own value, and the sum of those before it, move
    M times the estimate of a sum over the pool. 0 where all is drawn."""
    over = float(left[-1] - 1)
    before: Floats = size * over / np.maximum(left * (left - 1), 1)
    own: Floats = before / q
    return own, before


def chains(drawn: Drawn) -> list[Ints]:
    """Rows of the epochs that went on drawing from one pool, in the order of their draws: as long as it never grew."""
    order = np.lexsort((drawn.place, drawn.epoch))
    found: list[list[int]] = []
    last_epoch, left = None, 0
    for row in order.tolist():
        if drawn.epoch[row] != last_epoch:
            if last_epoch is None or drawn.pool[row] > left:
                found.append([])
            last_epoch = drawn.epoch[row]
        found[-1].append(row)
        left = int(drawn.left[row]) - 1
    return [np.array(rows, dtype=np.int64) for rows in found]


def reweighted(drawn: Drawn) -> Estimate:
    """The mean of hits over counts in all that was drawn or could have been, with its 95 % interval.

    Each chain estimates it for what was drawn before, which is known, together with the pool that the chain began with;
    chains are averaged by how many draws of theirs have a label. Where the pool grew between chains they are about pools of
    different sizes, and the average is about those. As a ratio of two unbiased estimates it is biased by what vanishes
    with the number of draws. The variance is that of the module's martingale, linearised, which goes on from chain to chain;
    the interval is Wilson's for as many independent draws as have this variance (Korn and Graubard, 1998), as few heavy draws
    say little of what is rare. It is about this pool with the labels that it has: that others could have been shown, or have
    judged otherwise, is no part of it.
    """
    if not len(drawn) or not drawn.counts.sum():
        return undefined("No pair that was drawn by chance has a label.")
    if (drawn.left != drawn.pool - drawn.place + 1).any():
        return undefined(
            "Where nothing is left to chance some pairs could not be drawn, and no mean over all can be told."
        )
    value = variance = total = pulled = squares = 0.0
    known_hits = known_counts = 0.0
    for rows in chains(drawn):
        chain = drawn.rows(rows)
        size, labelled = int(chain.pool[0]), int((chain.counts > 0).sum())
        taken = size - int(chain.left[-1]) + 1
        if labelled:
            v = weights(chain.q, chain.left, size) * size / taken
            of = known_counts + float(v @ chain.counts)
            mean = (known_hits + float(v @ chain.hits)) / of
            own, before = pulls(chain.q, chain.left, size)
            # Linearised: what each draw is off by sums to 0 over the pool and what is known.
            e = chain.hits - mean * chain.counts
            off = own * e + before * (known_hits - mean * known_counts + np.cumsum(e) - e)
            share_of = labelled / (taken * of)
            value += labelled * mean
            variance += share_of**2 * float((off**2).sum())
            pulled += share_of * float(own @ chain.counts)
            squares += share_of**2 * float((own * chain.counts) @ (own * chain.counts))
            total += labelled
        known_hits += float(chain.hits.sum())
        known_counts += float(chain.counts.sum())
    mean = min(max(value / total, 0.0), 1.0)
    if total < 2:
        return Estimate(mean, why="A single pair has no interval.")
    if not squares:  # all is drawn: nothing is left to be wrong about
        return Estimate(mean, mean, mean)
    effective = pulled**2 / squares  # draws that weighed alike and were as uncertain (Kish, 1965)
    variance *= effective / max(effective - 1, 1) / total**2
    return share(mean * (n := mean * (1 - mean) / variance if variance else effective), n)


def unweighted(drawn: Drawn) -> Estimate:
    """The mean of hits over counts as they came, as if pairs had not been chosen; by pairs, with its 95 % interval."""
    there = drawn.counts > 0
    if not there.any():
        return undefined("No pair that was drawn by chance has a label.")
    hits, counts = drawn.hits[there], drawn.counts[there]
    mean, n = float(hits.sum() / counts.sum()), len(hits)
    if n < 2:
        return Estimate(mean, why="A single pair has no interval.")
    half = _Z * sqrt(float(((hits - mean * counts) ** 2).sum()) * n / (n - 1)) / float(counts.sum())
    return Estimate(mean, mean - half, mean + half)
