"""Vectors of criteria: made for those that have none by this revision of the model, and of what is being typed."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from annotate.actions.embeddings import forget_typed, keep_embeddings, keep_typed
from annotate.meaning import missing_embeddings
from annotate.sentences import NoSentences
from workers.features import feature_cache
from workers.reward_models.features import minilm
from workers.reward_models.features.cache import MemoryCache
from workers.reward_models.features.wordpieces import Unavailable

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


def sentences(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """What annotate.sentences asks for, remembered in DATA_DIR/features.

    Raises:
        NoSentences: the model's weights are not installed.
    """
    try:
        return minilm.embeddings(texts, feature_cache())
    except Unavailable as error:
        raise NoSentences(str(error)) from None


def embed_typed(text: str) -> None:
    """Keep the vector of what is being typed; of the text nothing stays, on disk neither."""
    (vector,) = minilm.embeddings([text], MemoryCache())
    keep_typed(revision=minilm.VERSION, digest=hashlib.sha256(text.encode()).digest(), vector=vector.tolist())
