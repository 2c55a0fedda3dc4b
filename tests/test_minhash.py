"""Texts that are nearly the same are found among many, and others are not."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.minhash import BANDS, LIKE, bands_of, candidates, folded, groups, resemblance

WORDS = [f"word{n}" for n in range(2000)]


def found(texts: list[str]) -> set[tuple[int, int]]:
    return {(a, b) for a, b in candidates(bands_of(texts)) if resemblance(texts[a], texts[b]) >= LIKE}


def sentence(chance: random.Random, length: int = 40) -> list[str]:
    return [chance.choice(WORDS) for _ in range(length)]


def test_planted_near_duplicates_are_found_and_nothing_else() -> None:
    chance = random.Random(1)
    texts = [" ".join(sentence(chance)) for _ in range(2000)]
    planted = set()
    for n in range(200):
        changed = texts[n].split()
        changed[chance.randrange(len(changed))] = "changed"
        planted.add((n, len(texts)))
        texts.append(" ".join(changed))
    hit = found(texts)
    assert not hit - planted
    assert len(hit) >= 0.97 * len(planted)  # 0.985 at a resemblance of 0.7; most are far above


@pytest.mark.parametrize("like", [0.3, 0.5, 0.7, 0.9])
def test_pairs_are_compared_as_often_as_the_bands_say(like: float) -> None:
    """The published curve: 1 - (1 - s^3)^10."""
    chance = random.Random(2)
    seen = expected = 0.0
    for _ in range(150):
        one = sentence(chance, 100)
        other = list(one)
        change = round(100 * (1 - like) / (1 + like))
        for at in range(change):
            other[at] = chance.choice(WORDS)
        a, b = " ".join(one), " ".join(other)
        s = resemblance(a, b)
        expected += 1 - (1 - s**3) ** BANDS
        bands = bands_of([a, b])
        seen += bool((bands[0] == bands[1]).any())
    assert abs(seen - expected) < 4 * 150**0.5 * 0.5


@given(st.lists(st.text(max_size=40), max_size=12))
@settings(max_examples=200, deadline=None)
def test_a_signature_is_the_texts_own(texts: list[str]) -> None:
    """Whatever stands beside it, and however it is written."""
    bands = bands_of(texts)
    for n, text in enumerate(texts):
        alone = bands_of([f"  {text}\t"])
        same = folded(text) == folded(f"  {text}\t")
        assert not same or (alone[0] == bands[n]).all()
        assert resemblance(text, text) == 1.0
    assert bands.shape == (len(texts), BANDS)


def test_many_that_are_alike_take_no_square() -> None:
    pairs = list(candidates(bands_of(["the very same prompt"] * 5000)))
    assert len(pairs) == 4999


def test_groups() -> None:
    assert groups([(5, 7), (1, 2), (2, 5), (8, 9)]) == [[1, 2, 5, 7], [8, 9]]
    assert groups([]) == []


def test_languages_without_spaces() -> None:
    long = "请用三句话解释为什么天空是蓝色的,并举一个生活中的例子来说明光的散射现象。" * 2
    assert found([long, long.replace("三", "四"), "完全不同的一个问题,关于如何做饭和买菜的建议。"]) == {
        (0, 1)
    }


def test_a_hundred_thousand_bytes_a_second_at_least() -> None:
    chance = random.Random(3)
    texts = [" ".join(sentence(chance, 30)) for _ in range(5000)]
    began = time.process_time()
    bands_of(texts)
    assert time.process_time() - began < 5
