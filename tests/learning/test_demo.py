"""The loop on the demo's own rules: its questions, its writers, its annotators, by the ways that the demo takes.

The part whose answers are texts, without the pictures, films and sounds that are asked about: the embedded model looks
at responses. What it learns of so few judgments is small: test_demo_rules.py has more.
"""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.conf import LazySettings

from annotate.actions.demo import start_demo
from annotate.actions.jobs import run_job
from annotate.actions.queue import claim_next
from annotate.demo import annotators, plan
from annotate.integrity import violations
from annotate.learning import Pool
from annotate.models import Draw, Need, Project, Reach, Route, Score, TaskType
from tests.learning.world import at_work, learn
from workers import loop
from workers.ranking import freeze
from workers.reward_models import base

pytestmark = pytest.mark.django_db(transaction=True)

VISITS = 4  # of each of the six annotators, before the first training and between the first and the second


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path) -> Project:
    """Judged in part."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setitem(base.BACKENDS, "builtin", "workers.reward_models.builtin:BuiltinModel")
    written = [
        replace(
            pair,
            task_type=TaskType.TEXT_TO_TEXT,
            prompt=f"{pair.prompt} ({pair.name})",  # as its medium would, its name tells it from its like
            prompt_media=None,
        )
        for pair in plan.pairs()
        if all(answer.text for answer in pair.answers) and not pair.name.startswith("scene")
    ]
    monkeypatch.setattr(plan, "pairs", lambda: written)
    visit(monkeypatch, VISITS)
    job = start_demo(by=None, send_it=False)
    Project.objects.update(salt="some of what is judged is in reserve")
    run_job(job.pk, by_hand=True)
    Project.objects.update(uniform_share=0)
    return Project.objects.get()


def visit(monkeypatch: pytest.MonkeyPatch, visits: int) -> None:
    """From now on each of the demo's annotators judges so many pairs, those counted that they have judged."""
    people = tuple(replace(person, pairs=visits) for person in annotators.PEOPLE)
    monkeypatch.setattr(annotators, "PEOPLE", people)


def drawn(pool: Pool, seed: int, want: int) -> list[int]:
    """The pairs that come next, by that chance."""
    return [one.pair_id for one in loop.choose(pool, want, 0.0, np.random.default_rng(seed))]


def test_after_a_refit_claims_come_in_the_order_that_the_acquisition_says(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = learn(project)
    assert first.held_out and first.accuracy is not None
    visit(monkeypatch, 2 * VISITS)
    people = {one.user.username: one for one in project.annotators.select_related("user") if one.user}
    annotators.work(people)
    second = learn(project)
    assert second.judgments > first.judgments

    before, after = freeze(first), freeze(second)
    assert before.pair_ids == after.pair_ids and len(after) > 8 and not after.unscored
    assert before.nats != after.nats
    want = len(after) // 2
    assert drawn(before, 3, want) != drawn(after, 3, want)
    # Whatever chance says: what is drawn first tells more than what is left.
    telling = dict(zip(after.pair_ids, after.nats, strict=True))
    heads = [telling[pair] for seed in range(200) for pair in drawn(after, seed, 3)]
    assert np.mean(heads) > np.mean(after.nats)

    # For somebody who has seen all that stands in the queue.
    newest = Draw.objects.latest("pk").pk
    annotator = at_work(project)
    for need in Need.objects.filter(project=project):
        Reach.objects.create(annotator=annotator, need=need, cursor=newest)
    Project.objects.update(reserve_claim_share=0, claims_in_hand=40)
    project.refresh_from_db()
    appended = loop.draw(project, np.random.default_rng(3))
    assert appended >= want
    claims = [claim_next(annotator=annotator, claim_id=uuid4()) for _ in range(want)]
    assert [claim.pair_id for claim in claims if claim] == drawn(after, 3, want)
    # Each with the probability that the second revision's scores give it among what was left, here by hand.
    head = Draw.objects.filter(project=project, pk__gt=newest, route=Route.POLICY).earliest("pk")
    # ... which is kept, of what was drawn.
    scores = Score.objects.filter(revision=second, comparison__pair=head.pair_id)
    assert sum(scores.values_list("bald", flat=True)) == pytest.approx(telling[head.pair_id], rel=1e-4)
    # Criteria that hardly anybody has judged come first.
    known = dict(zip(after.pair_ids, after.criterion_ids, strict=True))
    first_asked = [pair for pair in after.pair_ids if known[pair] in after.unknown] or after.pair_ids
    assert head.pool_size == len(first_asked)
    assert head.q == pytest.approx(
        telling[head.pair_id] ** 2 / sum(telling[pair] ** 2 for pair in first_asked), rel=2e-4
    )
    assert violations() == {}
