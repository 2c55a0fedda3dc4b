import pytest

from workers.reward_models.features.cache import MemoryCache


@pytest.fixture(scope="package")
def cache() -> MemoryCache:
    """One for all tests: the same few texts are embedded once."""
    return MemoryCache()
