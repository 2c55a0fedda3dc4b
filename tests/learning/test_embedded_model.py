"""The embedded model in the loop, with its real features: planted rules are learned, and told on the reserve."""

import numpy as np
import pytest

from annotate.learning import freeze_pool
from annotate.models import Pair, Partition, Project, Score, Verdict
from tests.factories import judge, make_annotator, make_comparison, make_pair, make_project
from tests.learning.world import LONG, SHORT, learn
from workers import artefacts
from workers.features import feature_cache
from workers.items import compared
from workers.reward_models import base

pytestmark = pytest.mark.django_db

WORDS = "the river carries small boats past old stone houses while children count birds on a wooden bridge".split()


def answers(count: int, seed: int) -> list[tuple[str, str]]:
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, size=rng.integers(5, 60))) + "." for _ in range(2 * count)]
    return list(zip(texts[:count], texts[count:], strict=True))


def judged(project: Project, partition: Partition, count: int, seed: int) -> None:
    """The longer answer wins by one criterion, the shorter by the other."""
    someone = make_annotator(project)
    for first, second in answers(count, seed):
        pair = make_pair(project, response1=first, response2=second, partition=partition, queued=True)
        longer = len(first) > len(second)
        for criterion, wins in ((LONG, longer), (SHORT, not longer)):
            judge(
                make_comparison(pair, criterion, k=1),
                Verdict.RESPONSE1 if wins else Verdict.RESPONSE2,
                someone,
            )


def test_opposed_criteria_are_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(base.BACKENDS, "builtin", "workers.reward_models.builtin:BuiltinModel")
    project = make_project()
    judged(project, Partition.TRAIN, 60, seed=1)
    judged(project, Partition.RESERVE, 30, seed=2)
    for first, second in answers(30, seed=3):
        pair = make_pair(project, response1=first, response2=second)
        make_comparison(pair, LONG)
        make_comparison(pair, SHORT)

    revision = learn(project)
    assert revision.accuracy and revision.accuracy_low and revision.blind_accuracy
    assert revision.accuracy > 0.85 and revision.accuracy_low > 0.65
    # Blind, each pair is judged the same by both criteria: right by one, wrong by the other.
    assert revision.blind_accuracy == pytest.approx(0.5, abs=0.02)

    opposed = 0
    for pair in Pair.objects.filter(project=project, queued=False):
        by = dict(
            Score.objects.filter(comparison__pair=pair).values_list("comparison__criterion__text", "margin")
        )
        opposed += by[LONG] * by[SHORT] < 0
    assert opposed >= 25
    pool = freeze_pool(revision)
    assert len(pool) == 30 and min(pool.nats) > 0

    # What is kept says the same again, whatever batch it is asked in.
    model = artefacts.load(revision)
    stored = list(
        Score.objects.order_by("comparison").values_list(
            "comparison__pair", "comparison__criterion", "margin"
        )
    )
    again = model.score(
        compared([(pair, criterion) for pair, criterion, _ in stored[:7]]), cache=feature_cache()
    )
    assert again.margin.tolist() == [margin for _, _, margin in stored[:7]]
