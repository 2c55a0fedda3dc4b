"""Group relative policy optimization (DeepSeekMath, arXiv 2402.03300, section 4.1.1).

Of each prompt G replies are drawn. A reply's advantage is its reward less the group's mean, by the group's deviation:
no model of values is needed. What is minimized is

    - 1/G sum_i 1/|o_i| sum_t [ min(q A_i, clip(q, 1 - e, 1 + e) A_i) - b KL_t ],

with q the ratio of a token's probability now and when it was drawn, and KL_t = p - log p - 1, p the ratio of its
probability under the reference and now (Schulman's estimator, never negative).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_LEAST = 1e-6


def advantages(rewards: Tensor) -> Tensor:
    """Of replies, (groups, G), from their rewards: mean 0 and deviation 1 in each group; 0 where all are worth the same."""
    centred = rewards - rewards.mean(dim=-1, keepdim=True)
    deviation = rewards.std(dim=-1, keepdim=True, correction=0)
    return torch.where(deviation > _LEAST, centred / deviation.clamp_min(_LEAST), torch.zeros_like(centred))


@dataclass(frozen=True)
class Loss:
    """`each`: of every reply, (n,), to be averaged. `kl`, `clipped`: their mean divergence a token, and the share of
    tokens whose ratio was cut; (n,) and without a gradient."""

    each: Tensor
    kl: Tensor
    clipped: Tensor


def loss(
    now: Tensor,
    drawn: Tensor,
    reference: Tensor | None,
    advantage: Tensor,
    mask: Tensor,
    *,
    clip: float,
    kl: float,
) -> Loss:
    """
    Args:
        now, drawn, reference: log-probabilities of tokens, (n, t): as weights stand, when they were drawn, and by the
            model that training began with (None: its divergence is not asked for).
        advantage: (n,). mask: (n, t), 1 where a reply has a token. Each has one at least.
    """
    lengths = mask.sum(dim=1)
    ratio = torch.exp(now - drawn)
    cut = ratio.clamp(1 - clip, 1 + clip)
    gain = torch.minimum(ratio * advantage[:, None], cut * advantage[:, None])
    apart = torch.zeros_like(now)
    if reference is not None:
        apart = torch.exp(reference - now) - (reference - now) - 1
    each = -((gain - kl * apart) * mask).sum(dim=1) / lengths
    return Loss(
        each,
        (apart.detach() * mask).sum(dim=1) / lengths,
        (((ratio - 1).abs() > clip).detach() * mask).sum(dim=1) / lengths,
    )
