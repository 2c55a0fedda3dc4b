"""How well near-duplicates are found by meaning, and opposites told, on pairs of criteria that were labelled by hand.

`pytest -s` prints the figures. The library that is searched is all of the sentences: each has others about the same thing,
so what is offered beside the paraphrase is as near to it as it gets.
"""

import numpy as np

from annotate.library import NEAR as SHOWN
from annotate.likeness import likeness
from annotate.meaning import LEAST
from annotate.opposites import opposed
from annotate.queries import LIKE_LEAST
from tests.reward_models.paraphrases import (
    NEAR,
    OPPOSITES,
    OPPOSITES_FAR_APART,
    OPPOSITES_KEPT_BACK,
    PARAPHRASES,
)
from workers.reward_models.features.cache import MemoryCache
from workers.reward_models.features.minilm import embeddings

TEXTS = list(
    dict.fromkeys(text for pairs in (PARAPHRASES, OPPOSITES, NEAR) for pair in pairs for text in pair)
)


def retrieved(scores: np.ndarray, least: float) -> tuple[float, float]:
    """(recall, precision) of the paraphrase among what is shown of a sentence, either of a pair asking for the other."""
    place = {text: n for n, text in enumerate(TEXTS)}
    hits = offered = 0
    for one, other in [*PARAPHRASES, *((other, one) for one, other in PARAPHRASES)]:
        row = scores[place[one]].copy()
        row[place[one]] = -1
        best = [n for n in np.argsort(-row)[:SHOWN] if row[n] >= least]
        hits += place[other] in best
        offered += len(best)
    return hits / (2 * len(PARAPHRASES)), hits / offered


def test_meaning_finds_paraphrases_that_writing_does_not() -> None:
    vectors = embeddings(TEXTS, MemoryCache()).astype(np.float64)
    cosines = vectors @ vectors.T
    written = np.array([[likeness(one, other) for other in TEXTS] for one in TEXTS])
    meaning, writing = retrieved(cosines, LEAST), retrieved(written, LIKE_LEAST)
    above = (cosines[np.triu_indices(len(TEXTS), 1)] >= LEAST).mean()
    for least in (0.3, 0.4, 0.5, 0.6):
        print(f"cosine >= {least}: recall, precision", np.round(retrieved(cosines, least), 3))
    print("by writing:", np.round(writing, 3), f"; {above:.1%} of all pairs reach {LEAST}")
    assert meaning[0] > 0.5 > 0.2 > writing[0]
    assert above < 0.07
    # No threshold could tell opposites: they are nearer than paraphrases.
    place = {text: n for n, text in enumerate(TEXTS)}
    of = {
        name: np.median([cosines[place[one], place[other]] for one, other in pairs])
        for name, pairs in (("paraphrases", PARAPHRASES), ("opposites", OPPOSITES), ("near", NEAR))
    }
    print("median cosine:", of)
    assert of["opposites"] > of["near"] > of["paraphrases"]


def test_opposites_are_warned_of_and_paraphrases_hardly_ever() -> None:
    share = {
        name: np.mean([opposed(*pair) for pair in pairs])
        for name, pairs in (
            ("opposites", OPPOSITES),
            ("kept back", OPPOSITES_KEPT_BACK),
            ("far apart", OPPOSITES_FAR_APART),
            ("paraphrases", PARAPHRASES),
            ("near", NEAR),
        )
    }
    print("warned of:", {name: round(float(value), 3) for name, value in share.items()})
    assert share["opposites"] == 1
    assert share["kept back"] > 0.9
    assert share["paraphrases"] < 0.03
    # Said in quite other words they are not told, and hardly found by meaning: a person must see it.
    assert share["far apart"] < 0.2
    for one, other in OPPOSITES_KEPT_BACK:
        assert opposed(one, other) == opposed(other, one)
        assert not opposed(one, one)


def test_opposites_are_told_in_korean_and_chinese() -> None:
    for one, other in (
        ("답변이 더 길다.", "답변이 더 짧다."),
        ("그림이 자연스럽다.", "그림이 자연스럽지 않다."),
        ("回答更长。", "回答更短。"),
        ("图片很自然。", "图片不自然。"),
    ):
        assert opposed(one, other)
    assert not opposed("回答更长。", "这个回答比较长。")
    assert not opposed("답변이 더 길다.", "더 긴 답변이다.")
