from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.reward_models.generative.judging import taught
from tests.reward_models.large import tiny


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny language model that answers as judges do."""
    torch.set_num_threads(1)
    return taught(tmp_path_factory.mktemp("judge"))


@pytest.fixture(scope="session")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3-VL, untaught."""
    return tiny.make(tmp_path_factory.mktemp("seeing"), "qwen3_vl")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
