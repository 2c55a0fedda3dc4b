"""The loss of GRPO, held against its formula worked out by hand and against autograd."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.reward_models.generative import grpo
from workers.reward_models.generative.reward import worth


def test_advantages_are_told_within_a_group() -> None:
    found = grpo.advantages(torch.tensor([[1.0, 0.0, 0.0, 1.0], [0.5, 0.5, 0.5, 0.5], [3.0, 0.0, 0.0, 0.0]]))
    assert found[0].tolist() == pytest.approx([1, -1, -1, 1])
    assert found[1].tolist() == [0, 0, 0, 0], "where all are alike there is nothing to learn"
    deviation = math.sqrt(3 * 0.75**2 + 2.25**2) / 2
    assert found[2].tolist() == pytest.approx([2.25 / deviation, *[-0.75 / deviation] * 3])


def test_the_loss_is_the_published_formula() -> None:
    """Two replies, of two tokens and of one. Ratios: 1.5 (cut to 1.2), 0.9; and 0.5 (cut to 0.8)."""
    drawn = torch.log(torch.tensor([[0.2, 0.5], [0.4, 1.0]]))
    now = torch.log(torch.tensor([[0.3, 0.45], [0.2, 1.0]]))
    reference = torch.log(torch.tensor([[0.6, 0.45], [0.1, 1.0]]))
    mask = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    found = grpo.loss(now, drawn, reference, torch.tensor([2.0, -1.0]), mask, clip=0.2, kl=0.1)
    # The reference's divergence: p - log p - 1 with p = 2, 1 and 0.5.
    apart = [2 - math.log(2) - 1, 0.0, 0.5 - math.log(0.5) - 1]
    first = -((min(1.5 * 2, 1.2 * 2) - 0.1 * apart[0]) + (min(0.9 * 2, 0.9 * 2) - 0.1 * apart[1])) / 2
    # Of a bad reply that has become less likely the cut ratio counts: it is the smaller.
    second = -(min(0.5 * -1, 0.8 * -1) - 0.1 * apart[2])
    assert found.each.tolist() == pytest.approx([first, second])
    assert found.kl.tolist() == pytest.approx([(apart[0] + apart[1]) / 2, apart[2]])
    assert found.clipped.tolist() == pytest.approx([0.5, 1.0])


def test_the_slope_is_the_policy_gradient_where_nothing_is_cut() -> None:
    now = torch.tensor([[-1.0, -2.0], [-0.5, 0.0]], requires_grad=True)
    mask = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    found = grpo.loss(now, now.detach(), None, torch.tensor([1.5, -1.0]), mask, clip=0.2, kl=0.5)
    found.each.sum().backward()
    assert now.grad is not None
    assert now.grad.tolist() == [pytest.approx([-0.75, -0.75]), pytest.approx([1.0, 0.0])]
    assert found.kl.tolist() == [0, 0]


def test_what_has_gone_far_enough_pulls_no_more() -> None:
    now = torch.tensor([[math.log(1.5)], [math.log(0.5)], [math.log(0.5)]], requires_grad=True)
    advantage = torch.tensor([1.0, -1.0, 1.0])
    found = grpo.loss(now, torch.zeros(3, 1), None, advantage, torch.ones(3, 1), clip=0.2, kl=0)
    found.each.sum().backward()
    assert now.grad is not None
    # A good reply that is likelier, a bad one that is less likely: cut. A good one that became unlikely is pulled back.
    assert now.grad[:, 0].tolist() == pytest.approx([0, 0, -0.5])


@given(st.floats(-8, 0), st.floats(-8, 0))
def test_divergence_is_never_negative(now: float, reference: float) -> None:
    one = torch.tensor([[now]], dtype=torch.float64)
    other = torch.tensor([[reference]], dtype=torch.float64)
    found = grpo.loss(one, one, other, torch.zeros(1), torch.ones(1, 1), clip=0.2, kl=1)
    assert found.kl.item() >= -1e-12
    assert found.each.item() == pytest.approx(found.kl.item())


@pytest.mark.parametrize(
    ("reply", "ended", "verdict", "formed"),
    [
        ("A is louder. [[A]]", True, 1, True),
        ("Because.\n\\boxed{B}\n", True, -1, True),
        ("[[A]]", True, 1, False),  # no reason
        ("So [[A]] it is.", True, 1, False),  # it goes on
        ("Well [[A]]", False, 1, False),  # it was cut off
        ("[[A]] or [[B]]", True, None, False),
        ("neither [[C]]", True, None, False),  # was not offered
        ("no idea", True, None, False),
    ],
)
def test_a_reply_is_worth_its_verdict_and_its_form(
    reply: str, ended: bool, verdict: int | None, formed: bool
) -> None:
    found = worth(reply, 1, ended=ended)
    assert (found.verdict, found.formed, found.right) == (verdict, formed, verdict == 1)
    assert found.reward(0.1) == pytest.approx((verdict == 1) + 0.1 * formed)
    assert worth(reply, -1, ended=ended).right == (verdict == -1)
    assert found.rationale == reply.strip()
