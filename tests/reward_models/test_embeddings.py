"""Sentence embeddings: those of the published model, remembered by content."""

import subprocess
import sys

import numpy as np
import pytest

from workers.reward_models.features import encoder, minilm
from workers.reward_models.features.cache import MemoryCache

# The first values that sentence-transformers 5 gives for the published weights.
PUBLISHED = {
    "A cat sits on a mat": [0.1200318, -0.0353828, -0.0234644, 0.0452110, -0.0456754, 0.0218253],
    "Stocks fell sharply today; naïve cafés, 東京!": [0.0851242, -0.0144623, 0.0813852, 0.0595204, 0.0096073],
}


def test_embeddings_are_those_of_the_published_model() -> None:
    vectors = encoder.embed([*PUBLISHED, "word " * 2000])
    for vector, known in zip(vectors, PUBLISHED.values(), strict=False):
        np.testing.assert_allclose(vector[: len(known)], known, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_a_text_is_embedded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def embed(texts: list[str]) -> np.ndarray:
        asked.append(list(texts))
        return np.full((len(texts), minilm.WIDTH), len(texts[0]), dtype=np.float32)

    monkeypatch.setattr(encoder, "embed", embed)
    cache = MemoryCache()
    first = minilm.embeddings(["one", "", "three", "one"], cache)
    again = minilm.embeddings(["three", "four"], cache)
    assert asked == [["one", "three"], ["four"]]
    assert not first[1].any()
    np.testing.assert_array_equal(first[0], first[3])
    np.testing.assert_array_equal(first[2], again[0])


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(encoder.Unavailable, match=r"model\.safetensors is not the MiniLM"):
        encoder._weights.__wrapped__()


def test_neither_the_workers_nor_the_registry_import_torch() -> None:
    program = (
        "import sys, workers.celery, workers.reward_models.base as base\n"
        "base.backend('builtin')\n"
        "sys.exit('torch' in sys.modules or 'django.db' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
