"""Vectors of texts that are near where the texts mean the same. The model that makes them is one of the workers'."""

from collections.abc import Sequence

import numpy as np
from django.conf import settings
from django.utils.module_loading import import_string
from numpy.typing import NDArray


class NoSentences(Exception):
    """There is no model here that makes them; the message says what is missing."""


def embedded(texts: Sequence[str]) -> NDArray[np.float32]:
    """(texts, width): vectors of length 1, zero of an empty text. What was embedded once is remembered.

    Raises:
        NoSentences: the model's weights are not installed.
    """
    # By its name in the settings: the domain does not import the workers.
    vectors: NDArray[np.float32] = import_string(settings.SENTENCES)(texts)
    return vectors
