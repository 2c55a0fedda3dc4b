"""The stub stands in for the embedded model: what is learned is tested with the models."""

import pytest

from tests.learning import stub
from workers.reward_models import base


@pytest.fixture(autouse=True)
def stub_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BACKENDS", dict(base.BACKENDS))
    stub.stand_in()
