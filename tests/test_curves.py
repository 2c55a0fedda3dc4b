"""Curves of a training as its job keeps them: as long as they may be, and right after it goes on from a checkpoint."""

import numpy as np
import pytest

from annotate.curves import MOST, Curves


def test_a_long_training_has_as_many_points_as_a_short_one() -> None:
    steps = 12_345
    losses = np.random.default_rng(0).random(steps)
    curves = Curves()
    for step, loss in enumerate(losses, start=1):
        curves.add(step, steps, {"loss": loss} | ({"validation_accuracy": 0.5} if step % 5000 == 0 else {}))
    points = curves.points("loss")
    assert MOST / 2 < len(points) <= MOST and points[-1][0] == steps
    # Each is the mean of the steps since the point before it.
    before = 0
    for step, value in points:
        assert value == pytest.approx(losses[before:step].mean())
        before = step
    assert curves.points("validation_accuracy") == [(5000, 0.5), (10_000, 0.5)]


def test_what_is_told_again_takes_the_place_of_what_was_told() -> None:
    curves = Curves()
    for step in range(1, 31):
        curves.add(step, 40, {"loss": 1.0, "accuracy": 0.25})
    again = Curves(curves.as_json())  # killed; the last checkpoint was at step 20
    for step in range(21, 41):
        again.add(step, 40, {"loss": 2.0})
    assert again.points("loss") == [(step, 1.0 if step <= 20 else 2.0) for step in range(1, 41)]
    assert [step for step, _ in again.points("accuracy")] == list(range(1, 21))
    anew = Curves(again.as_json())
    anew.add(1, 40, {"loss": 3.0})
    assert anew.as_json() == {"loss": [[1, 3.0, 1]]}
    assert not Curves() and not Curves({}).as_json()
