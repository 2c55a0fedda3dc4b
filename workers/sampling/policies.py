"""What a label would teach, by policy: from what models say of comparisons, and what people have said, to a number each.

Of a pair it is the sum over its open comparisons: one look answers them all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Raised with whatever changes what a policy draws from the same scores: it is written beside each draw.
VERSION = 3
ENTROPY = "entropy"  # nobody chooses it: see `in_effect`
# How sharply a policy prefers what is worth more: draws go by worth ** (1 / temperature). In proportion to it, as PowerBALD is
# mostly drawn, a policy hardly differs from chance where comparisons are worth about the same. What is only hard, or only
# disputed, is not preferred any further.
_TEMPERATURES = {"powerbald": 0.5}


@dataclass(frozen=True)
class Candidates:
    """What is known of n open comparisons; `margin` is the log-odds of response 1 ties aside, `bald` in nats.

    `others` are the (margin, p_tie) of further models, NaN where one has not scored the comparison. `people` counts, in
    shape (n, 3), verdicts for response 1, response 2 and tie.
    """

    margin: Floats
    p_tie: Floats
    bald: Floats
    people: npt.NDArray[np.integer] | None = None
    others: Sequence[tuple[Floats, Floats]] = ()

    def __len__(self) -> int:
        return len(self.margin)


def in_effect(policy: str, candidates: Candidates) -> str:
    """PowerBALD needs a model that tells how unsure it is of itself. Of one that does not (a served model, a judge: all
    `bald` are 0) the entropy of its verdicts takes the place: what is uncertain to it, whether labels would help or not."""
    silent = policy == "powerbald" and len(candidates) > 0 and not candidates.bald.any()
    return ENTROPY if silent else policy


def acquisition(policy: str, candidates: Candidates) -> Floats:
    """What a label of each comparison is worth to the policy in effect, 0 or more. LookupError names the policies there
    are."""
    if policy not in POLICIES:
        raise LookupError(f"No policy is called {policy!r}. There are: {', '.join(POLICIES)}.")
    name = in_effect(policy, candidates)
    return _predictive(candidates) if name == ENTROPY else POLICIES[name](candidates)


def temperature(policy: str, candidates: Candidates) -> float:
    """That of the policy in effect."""
    return _TEMPERATURES.get(in_effect(policy, candidates), 1.0)


def name_of(policy: str, revision: int) -> str:
    """As it is written beside a draw."""
    return f"{policy}-{VERSION} r{revision}"


def _random(candidates: Candidates) -> Floats:
    """Chance: all alike. What still tells it from uniform draws are the quotas."""
    return np.ones(len(candidates))


def _margin(candidates: Candidates) -> Floats:
    """How even the odds are: 1 where the model cannot tell, 0 where it is sure."""
    even: Floats = 1 - np.abs(np.tanh(candidates.margin / 2))
    return even


def _powerbald(candidates: Candidates) -> Floats:
    """The mutual information of verdict and weights (Houlsby et al., 2011, arXiv 1112.5745), drawn in proportion to a power
    of it (Kirsch et al., 2021, arXiv 2106.12059)."""
    return candidates.bald


def _predictive(candidates: Candidates) -> Floats:
    """The entropy of the verdict as the model expects it, in nats, from 0 to log 3."""
    return _entropy(_said(candidates.margin, candidates.p_tie))


def _disagreement(candidates: Candidates) -> Floats:
    """The Jensen-Shannon divergence, in nats, of what each model and the people say; 0 where only one says anything.

    People's verdicts are a voice like a model's, with half a verdict added to each of the three: one alone is no
    certainty.
    """
    voices = [_said(candidates.margin, candidates.p_tie)]
    voices += [_said(margin, p_tie) for margin, p_tie in candidates.others]
    if candidates.people is not None:
        counts = np.asarray(candidates.people, dtype=np.float64)
        there = counts.sum(axis=1, keepdims=True)
        voices.append(np.where(there > 0, (counts + 0.5) / (there + 1.5), np.nan))
    said = np.stack(voices)  # (voices, n, 3)
    speaking: npt.NDArray[np.bool_] = np.all(np.isfinite(said), axis=2)
    count = np.maximum(speaking.sum(axis=0), 1)
    mean = np.where(speaking[:, :, None], said, 0.0).sum(axis=0) / count[:, None]
    own = np.where(speaking, _entropy(np.where(speaking[:, :, None], said, 1 / 3)), 0.0).sum(axis=0) / count
    return np.maximum(_entropy(mean) - own, 0.0)


POLICIES: dict[str, Callable[[Candidates], Floats]] = {
    "powerbald": _powerbald,
    "margin": _margin,
    "disagreement": _disagreement,
    "random": _random,
}


def _said(margin: Floats, p_tie: Floats) -> Floats:
    """Probabilities of response 1, response 2 and tie, shape (n, 3)."""
    first = (1 + np.tanh(margin / 2)) / 2
    return np.stack([(1 - p_tie) * first, (1 - p_tie) * (1 - first), p_tie], axis=1)


def _entropy(p: Floats) -> Floats:
    entropy: Floats = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=-1)
    return entropy
