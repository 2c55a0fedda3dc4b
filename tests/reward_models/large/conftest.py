from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.reward_models.large import tiny


@pytest.fixture(scope="session")
def vl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2.5-VL."""
    return tiny.make(tmp_path_factory.mktemp("vl"), "qwen2_5_vl")


@pytest.fixture(scope="session")
def omni(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny thinker of Qwen2.5-Omni."""
    return tiny.make(tmp_path_factory.mktemp("omni"), "qwen2_5_omni_thinker")


@pytest.fixture(scope="session")
def vl3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3-VL."""
    return tiny.make(tmp_path_factory.mktemp("vl3"), "qwen3_vl")


@pytest.fixture(scope="session")
def omni3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny thinker of Qwen3-Omni: a mixture of experts."""
    return tiny.make(tmp_path_factory.mktemp("omni3"), "qwen3_omni_moe_thinker")


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2: text alone."""
    return tiny.make(tmp_path_factory.mktemp("words"), "qwen2")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Models so small are slower on several threads, which then wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
