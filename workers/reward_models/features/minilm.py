"""Sentence embeddings, remembered: a text that was embedded once asks for no weights and no torch again."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from workers.reward_models.features.cache import FeatureCache, remembered

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WIDTH = 384
MAX_TOKENS = 256
VERSION = f"minilm-{WEIGHTS_SHA256[:8]}-{MAX_TOKENS}"


def embeddings(texts: Sequence[str], cache: FeatureCache) -> npt.NDArray[np.float32]:
    """One vector a text, shape (n, WIDTH), of length 1; an empty text has the zero vector."""
    # A text may stand there many times: under each criterion, and a criterion with each item.
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    distinct = np.zeros((len(places), WIDTH), dtype=np.float32)
    said = [text for text in places if text.strip()]
    if said:
        keys = [hashlib.sha256(text.encode()).digest() for text in said]
        distinct[[places[text] for text in said]] = remembered(
            cache, VERSION, keys, lambda wanted: _embed([said[place] for place in wanted])
        )
    return distinct[[places[text] for text in texts]]


def _embed(texts: list[str]) -> npt.NDArray[np.float32]:
    from workers.reward_models.features import (
        encoder,
    )  # torch is loaded by whoever has a new text, nobody else

    return encoder.embed(texts)
