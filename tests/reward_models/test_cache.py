"""What features are kept in: the same rows for every process, whoever was killed while writing."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from workers.reward_models.features.cache import DirectoryCache, FeatureCache, MemoryCache, remembered


def key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


@pytest.fixture(params=["memory", "directory"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> FeatureCache:
    return MemoryCache() if request.param == "memory" else DirectoryCache(tmp_path)


def test_a_row_is_computed_once_and_comes_back_as_it_was(cache: FeatureCache) -> None:
    asked: list[list[int]] = []

    def compute(places: list[int]) -> np.ndarray:
        asked.append(places)
        return np.array([[place + 1 / 3, -place] for place in places], dtype=np.float32)

    first = remembered(cache, "v1", [key("a"), key("b"), key("a")], compute)
    again = remembered(cache, "v1", [key("b"), key("c")], compute)
    other = remembered(cache, "v2", [key("a")], compute)
    assert asked == [[0, 1], [1], [0]]
    np.testing.assert_array_equal(first[1], again[0])
    np.testing.assert_array_equal(first[0], first[2])
    assert other.shape == (1, 2)


def test_two_processes_see_what_each_other_wrote(tmp_path: Path) -> None:
    one, two = DirectoryCache(tmp_path), DirectoryCache(tmp_path)
    assert one.get("v", [key("a")]) == {}
    two.put("v", {key("a"): np.array([1, 2], dtype=np.float16)})
    assert one.get("v", [key("a")])[key("a")].tolist() == [1, 2]
    one.put("v", {key("b"): np.array([3, 4], dtype=np.float16)})
    assert {k: v.tolist() for k, v in two.get("v", [key("a"), key("b"), key("c")]).items()} == {
        key("a"): [1, 2],
        key("b"): [3, 4],
    }


@pytest.mark.parametrize("left", [3, 8, 8 + 36 + 5])
def test_a_torn_file_loses_only_its_torn_record(tmp_path: Path, left: int) -> None:
    DirectoryCache(tmp_path).put(
        "v", {key("a"): np.array([1, 2], dtype=np.float16), key("b"): np.array([3, 4], dtype=np.float16)}
    )
    with open(tmp_path / "v.rows", "r+b") as file:
        file.truncate(left)
    cache = DirectoryCache(tmp_path)
    assert key("b") not in cache.get("v", [key("a"), key("b")])
    cache.put("v", {key("c"): np.array([5, 6], dtype=np.float16)})
    found = cache.get("v", [key("a"), key("b"), key("c")])
    assert found[key("c")].tolist() == [5, 6]
    assert (key("a") in found) == (left > 40)
