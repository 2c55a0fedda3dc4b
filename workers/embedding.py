"""Vectors of criteria: made for those that have none by this revision of the model, and of what is being typed."""

import hashlib

from annotate.actions.embeddings import forget_typed, keep_embeddings, keep_typed
from annotate.meaning import missing_embeddings
from workers.features import feature_cache
from workers.reward_models.features import minilm
from workers.reward_models.features.cache import MemoryCache

AT_ONCE = 500  # criteria


def embed_missing(most: int = AT_ONCE) -> int:
    """Give up to `most` criteria the vector they lack. Returns how many.

    Raises:
        encoder.Unavailable: the model's weights are not installed.
    """
    forget_typed()
    missing = missing_embeddings(minilm.VERSION, most)
    if missing:
        vectors = minilm.embeddings([text for _, text in missing], feature_cache())
        keep_embeddings(
            revision=minilm.VERSION,
            vectors={pk: vector.tolist() for (pk, _), vector in zip(missing, vectors, strict=True)},
        )
    return len(missing)


def embed_typed(text: str) -> None:
    """Keep the vector of what is being typed; of the text nothing stays, on disk neither."""
    (vector,) = minilm.embeddings([text], MemoryCache())
    keep_typed(revision=minilm.VERSION, digest=hashlib.sha256(text.encode()).digest(), vector=vector.tolist())
