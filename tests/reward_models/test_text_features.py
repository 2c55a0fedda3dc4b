"""Features of a text's form move as what they are named for."""

import pytest

from workers.reward_models.features import minilm, text
from workers.reward_models.features.cache import MemoryCache


def told(said: str, cache: MemoryCache) -> dict[str, float]:
    meant = minilm.embeddings([said], cache)
    (row,) = text.text_features(["What is a keel?"], ["It is brief"], [said], meant, cache)
    return dict(zip(text.NAMES, row.tolist(), strict=True))


PLAIN = "The harbour has a keel. The market opens in winter. A bridge leads over the river."


@pytest.mark.parametrize(
    ("changed", "feature"),
    [
        (
            "The harbor hsa a keel. The makret opens in witner. A brigde leads ovre the rievr.",
            "pieces_a_word",
        ),
        ("The the harbour has has a keel. The market market opens in winter.", "repeated_words"),
        (PLAIN + " The harbour has a keel.", "repeated_sentences"),
        (
            "The harbour has a keel.\n- The market opens in winter.\n- A bridge leads over the river.",
            "list_share",
        ),
    ],
)
def test_a_changed_text_is_told_from_itself(changed: str, feature: str, cache: MemoryCache) -> None:
    assert told(changed, cache)[feature] > told(PLAIN, cache)[feature] + 0.1


def test_an_empty_text_has_features(cache: MemoryCache) -> None:
    found = told("", cache)
    assert (found["empty"], found["pieces_a_word"], found["repeated_words"]) == (1, 0, 0)
