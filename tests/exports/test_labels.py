"""The label rule: a strict plurality of usable verdicts, or none."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.stats.labels import USABLE, Label, label_of

tallies = st.tuples(*[st.integers(0, 9)] * 3)


@pytest.mark.parametrize(
    ("tally", "label"),
    [
        ((3, 0, 0), Label.RESPONSE1),
        ((1, 2, 0), Label.RESPONSE2),
        ((0, 1, 2), Label.TIE),
        ((1, 1, 1), Label.NO_CONSENSUS),  # a three-way split is no tie
        ((2, 2, 0), Label.NO_CONSENSUS),
        ((2, 2, 1), Label.NO_CONSENSUS),
        ((2, 1, 1), Label.RESPONSE1),  # more than anything else, without being more than half
        ((2, 0, 0), Label.TOO_FEW),
        ((0, 0, 0), Label.TOO_FEW),
    ],
)
def test_rule_on_three_labels(tally: tuple[int, int, int], label: Label) -> None:
    assert label_of(tally, 3) == label


@given(st.lists(st.sampled_from(USABLE), max_size=9), st.integers(1, 9))
def test_label_is_the_verdict_that_beats_every_other(verdicts: list[Label], min_labels: int) -> None:
    counts = Counter(verdicts)
    label = label_of([counts[verdict] for verdict in USABLE], min_labels)
    if len(verdicts) < min_labels:
        assert label == Label.TOO_FEW
    elif label == Label.NO_CONSENSUS:
        most = max(counts.values())
        assert list(counts.values()).count(most) >= 2
    else:
        assert all(counts[label] > counts[other] for other in USABLE if other != label)


@given(tallies, st.integers(1, 9))
def test_exchanging_the_responses_exchanges_the_label(tally: tuple[int, int, int], min_labels: int) -> None:
    exchanged = {Label.RESPONSE1: Label.RESPONSE2, Label.RESPONSE2: Label.RESPONSE1}
    label = label_of(tally, min_labels)
    assert label_of((tally[1], tally[0], tally[2]), min_labels) == exchanged.get(label, label)


@given(tallies)
def test_asking_for_more_labels_only_ever_takes_labels_away(tally: tuple[int, int, int]) -> None:
    labels = [label_of(tally, n) for n in range(1, 30)]
    first = labels.index(Label.TOO_FEW)
    assert len(set(labels[:first])) <= 1
    assert set(labels[first:]) == {Label.TOO_FEW}
