"""What is seen of a text response: its meaning (an embedding), its form, and how near it is to what was asked."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from workers.reward_models.features import minilm, wordpieces
from workers.reward_models.features.cache import FeatureCache, remembered

# Raised with every change of what is computed here: rows of another version are computed anew.
VERSION = "text-2"

FORM = (
    "log_characters",
    "log_words",
    "log_sentences",
    "word_length",
    "sentence_length",
    "type_token_ratio",
    "repeated_trigrams",
    "list_items",
    "code_lines",
    "headings",
    "digits",
    "capitals",
    "punctuation",
    "questions",
    "ends_as_a_sentence",
    "words_of_prompt",
    "copied_from_prompt",
    "empty",
    "repeated_words",
    "repeated_sentences",
    "list_share",
    "pieces_a_word",
)
NAMES = (*FORM, "prompt_cosine", "criterion_cosine")

_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
# A full stop, exclamation or question mark, Latin or CJK.
_SENTENCE = re.compile(r"[.!?\u3002\uff01\uff1f]+(?:\s|$)")
_LIST = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+\S", re.MULTILINE)
_HEADING = re.compile(r"^\s*(?:#{1,6}\s|\*\*.+\*\*\s*$)", re.MULTILINE)
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
# As much as is looked at; longer texts are told by their lengths.
_LOOKED_AT = 20_000


def text_features(
    prompts: Sequence[str],
    criteria: Sequence[str],
    texts: Sequence[str],
    said: npt.NDArray[np.float32],
    cache: FeatureCache,
) -> npt.NDArray[np.float32]:
    """One row a text, shape (n, len(NAMES)); `said` are the texts' embeddings.

    The criterion enters only by its cosine with the text.
    """
    asked = list(zip(prompts, texts, strict=True))
    places = {one: place for place, one in enumerate(dict.fromkeys(asked))}
    distinct = list(places)
    keys = [hashlib.sha256(prompt.encode() + b"\0" + text.encode()).digest() for prompt, text in distinct]
    form = remembered(
        cache, VERSION, keys, lambda wanted: np.array([_form(*distinct[place]) for place in wanted])
    )
    cosines = [(said * minilm.embeddings(texts, cache)).sum(axis=1) for texts in (prompts, criteria)]
    return np.column_stack([form[[places[one] for one in asked]].astype(np.float32), *cosines])


def _form(prompt: str, text: str) -> list[float]:
    looked_at = text[:_LOOKED_AT]
    words = _WORD.findall(looked_at.lower())
    asked = set(_WORD.findall(prompt[:_LOOKED_AT].lower()))
    sentences = max(len(_SENTENCE.findall(looked_at)), 1)
    said = [part.strip() for part in _SENTENCE.split(looked_at.lower()) if part.strip()]
    trigrams = Counter(zip(words, words[1:], words[2:], strict=False))
    count, length = max(len(words), 1), max(len(looked_at), 1)
    code = sum(len(block.splitlines()) for block in _FENCE.findall(looked_at))
    return [
        np.log1p(len(text)),
        np.log1p(len(words)),
        np.log1p(sentences),
        sum(map(len, words)) / count,
        np.log1p(len(words) / sentences),
        len(set(words)) / count,
        1 - len(trigrams) / max(trigrams.total(), 1),
        np.log1p(len(_LIST.findall(looked_at))),
        np.log1p(code),
        np.log1p(len(_HEADING.findall(looked_at))),
        sum(c.isdigit() for c in looked_at) / length,
        sum(c.isupper() for c in looked_at) / length,
        sum(not c.isalnum() and not c.isspace() for c in looked_at) / length,
        looked_at.count("?") / sentences,
        float(looked_at.rstrip().endswith((".", "!", "?", "。", "```", '."'))),
        sum(word in asked for word in words) / count,
        float(bool(words) and looked_at.strip().lower() in prompt.lower()),
        float(not words),
        sum(a == b for a, b in pairwise(words)) / count,
        1 - len(set(said)) / max(len(said), 1),
        len(_LIST.findall(looked_at)) / max(len(looked_at.splitlines()), 1),
        # A word that is misspelt falls into more pieces than one that the encoder knows.
        wordpieces.count(looked_at) / count,
    ]
