"""Sentence embeddings on CPU: all-MiniLM-L6-v2 from its packaged weights, without network.

The forward pass of this one small BERT is written out here: the frameworks that could load it weigh ten times as much.
"""

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from workers.reward_models.features.minilm import MAX_TOKENS, WEIGHTS_SHA256, WIDTH
from workers.reward_models.features.wordpieces import Unavailable as Unavailable
from workers.reward_models.features.wordpieces import folder, whole

_LAYERS, _HEADS, _EPSILON = 6, 12, 1e-12
# Tokens in a batch, padding included: bounds memory, and texts of like length keep the padding small.
_BATCH_TOKENS = 8192


def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """One unit vector a text, shape (n, WIDTH); of each text its first MAX_TOKENS tokens count."""
    weights, tokenizer = _weights(), _tokenizer()
    tokens = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    result = np.empty((len(texts), WIDTH), dtype=np.float32)
    batch: list[int] = []
    for place in sorted(range(len(texts)), key=lambda place: (len(tokens[place]), texts[place])):
        if batch and len(tokens[place]) * (len(batch) + 1) > _BATCH_TOKENS:
            result[batch] = _forward(weights, [tokens[other] for other in batch])
            batch = []
        batch.append(place)
    if batch:
        result[batch] = _forward(weights, [tokens[other] for other in batch])
    return result


@torch.inference_mode()
def _forward(weights: dict[str, Tensor], rows: list[list[int]]) -> npt.NDArray[np.float32]:
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    real = torch.arange(longest) < lengths[:, None]

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (WIDTH,), weights[f"{name}.weight"], weights[f"{name}.bias"], _EPSILON)

    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][:longest]
    x = norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(_LAYERS):
        at = f"encoder.layer.{layer}"
        query, key, value = (
            linear(x, f"{at}.attention.self.{part}").unflatten(2, (_HEADS, -1)).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=real[:, None, None, :])
        seen = linear(seen.transpose(1, 2).flatten(2), f"{at}.attention.output.dense")
        x = norm(x + seen, f"{at}.attention.output.LayerNorm")
        wide = linear(F.gelu(linear(x, f"{at}.intermediate.dense")), f"{at}.output.dense")
        x = norm(x + wide, f"{at}.output.LayerNorm")
    mean = (x * real[:, :, None]).sum(dim=1) / lengths[:, None]
    unit: npt.NDArray[np.float32] = F.normalize(mean, dim=1).numpy()
    return unit


@cache
def _weights() -> dict[str, Tensor]:
    path = folder() / "model.safetensors"
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != WEIGHTS_SHA256:
        raise Unavailable(f"{path} is not the MiniLM that features are made by: its SHA-256 is {digest}.")
    return load_file(path)


@cache
def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_str(whole().to_str())
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer
