"""The embedded model in the loop, with its real features: planted rules are learned, and told on the reserve."""

import numpy as np
import pytest

from annotate.models import Criterion, Partition, Project, Score, Verdict
from tests.factories import judge, make_annotator, make_comparison, make_pair, make_project
from tests.learning.world import LONG, SHORT, learn
from workers import artefacts
from workers.features import feature_cache
from workers.items import compared
from workers.ranking import freeze
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

    # Nothing was drawn, and so nothing is kept of what it says but features.
    assert revision.ranks and not Score.objects.exists()
    pool = freeze(revision)
    assert len(pool) == 30 and min(pool.nats) > 0 and pool.unscored == 0
    rows = pool.comparisons
    by = {name: rows["criterion"] == Criterion.objects.get(text=name).pk for name in (LONG, SHORT)}
    assert (rows["margin"][by[LONG]] * rows["margin"][by[SHORT]] < 0).sum() >= 25
    assert revision.pool == {pk: list(told) for pk, told in pool.by_criterion().items()}

    # Ranked by features it says what the model says of the items, and so again in any order.
    model = artefacts.load(revision)
    scored = model.score(
        compared(list(zip(rows["pair"], rows["criterion"], strict=True))), cache=feature_cache()
    )
    for name in ("margin", "p_tie", "bald"):
        assert rows[name] == pytest.approx(getattr(scored, name), abs=1e-5), name
    assert (rows["cell"] == scored.cell).mean() > 0.9
