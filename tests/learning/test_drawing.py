"""What the sampler chose is what stands in the queue: its order, its probabilities, and nothing of the reserve."""

from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from annotate.actions import queue
from annotate.actions.queue import ChosenPair, PoolChanged, append_epoch, claim_next
from annotate.integrity import violations
from annotate.learning import freeze_pool, pool_by_criterion
from annotate.models import Draw, Pair, Partition, Project, ProjectState, Revision, Route, Sampling, Score
from tests.factories import make_asset, make_comparison, make_pair, make_project
from tests.learning.world import LONG, at_work, learn, planted
from workers import loop, sampling

pytestmark = pytest.mark.django_db


def draws_of(project: Project) -> list[Draw]:
    """Draws that the queue made, in order; not those that the planted labels came by."""
    return list(Draw.objects.filter(project=project, open=True).order_by("pk"))


def told(draw: Draw) -> int:
    """The number in the prompt, which is how much its pair tells."""
    return int(draw.pair.prompt.turns[0]["text"].split()[0])


def test_the_queue_follows_what_the_sampler_said(monkeypatch: pytest.MonkeyPatch) -> None:
    project = planted(reserve_claim_share=0, claims_in_hand=40)
    learn(project)
    annotator = at_work(project)
    said: list[list[ChosenPair]] = []
    choose = loop.choose

    def listen(*args: Any) -> list[ChosenPair]:
        said.append(choose(*args))
        return said[-1]

    monkeypatch.setattr(loop, "choose", listen)
    assert loop.draw(project) == 20
    served = [claim_next(annotator=annotator, claim_id=uuid4()) for _ in range(11)]
    assert loop.draw(project) == 11
    # What was served is a prefix of what was drawn.
    assert [claim.pair_id for claim in served if claim] == [one.pair_id for one in said[0][:11]]
    for chosen in said:
        first = Draw.objects.get(pair_id=chosen[0].pair_id)
        epoch = Draw.objects.filter(project=project, epoch=first.epoch).order_by("pos")
        stored = [ChosenPair(Route(d.route), d.pair_id, d.q, d.pool_size, d.policy) for d in epoch]  # type: ignore[arg-type]
        assert stored == chosen
    assert violations() == {}


def test_acquisition_is_the_sum_over_open_comparisons() -> None:
    project = planted(open_pairs=3)
    make_comparison(make_pair(project, prompt="9 tells 0.5"), LONG)
    pool = freeze_pool(learn(project))
    assert pool.unscored == 0
    factor = 12 % 7
    assert pool.nats == pytest.approx([0.002 * factor, 0.004 * factor, 0.006 * factor, 0.5 * factor])


def test_new_scores_change_the_order_of_what_is_drawn_next() -> None:
    """The same random numbers and other scores: the order is that of the scores. Nothing served is touched."""
    project = planted(reserve_claim_share=0, uniform_share=0, open_pairs=60)
    # Nearly all of the mutual information in three pairs, so that they come first whatever chance says.
    telling = [make_comparison(make_pair(project, prompt=f"{n} tells 5e4"), LONG) for n in (101, 102, 103)]
    revision = learn(project)
    at_work(project)
    assert loop.draw(project, np.random.default_rng(1)) == 20
    before = draws_of(project)
    assert {told(draw) for draw in before[:3]} == {101, 102, 103}
    assert {draw.route for draw in before} == {Route.POLICY}
    assert loop.draw(project, np.random.default_rng(1)) == 0  # deep enough

    # The next revision finds other pairs telling.
    now_telling = Score.objects.exclude(comparison__in=telling).exclude(
        comparison__pair__in=[draw.pair_id for draw in before]
    )
    chosen = sorted(now_telling.values_list("comparison__pair", flat=True).distinct())[-3:]
    newest = learn(project)
    assert newest != revision
    Score.objects.filter(revision=newest, comparison__pair__in=chosen).update(bald=1e5)
    assert draws_of(project) == before  # what was written stays
    Draw.objects.filter(pk__in=[draw.pk for draw in before]).update(open=False)
    assert loop.draw(project, np.random.default_rng(1)) == 20
    after = draws_of(project)
    assert {draw.pair_id for draw in after[:3]} == set(chosen)
    assert [draw.pool_size for draw in after] == list(range(63 - 20, 63 - 40, -1))


def test_reserve_and_validation_are_never_chosen() -> None:
    project = planted(open_pairs=10, reserve_claim_share=0.3)
    for partition in (Partition.RESERVE, Partition.VALIDATION):
        for n in range(10):
            make_comparison(make_pair(project, prompt=f"{n} tells 900", partition=partition), LONG)
    learn(project)
    at_work(project)
    assert loop.draw(project) > 10
    drawn = draws_of(project)
    for draw in drawn:
        kept = draw.pair.partition != Partition.TRAIN
        assert (draw.route == Route.RESERVE) == kept == (draw.q is None)
    kept_so_far = np.cumsum([draw.route == Route.RESERVE for draw in drawn])
    assert all(kept_so_far[n] <= 0.3 * (n + 1) + 1e-9 for n in range(10))
    assert not Score.objects.exclude(comparison__pair__partition=Partition.TRAIN).exists()


def test_what_shares_something_with_the_reserve_is_left_to_chance() -> None:
    """Of the release it would be left out, so nobody is sent there to learn from it."""
    project = planted(open_pairs=3)
    shown = make_asset(project, b"a picture")
    for asset, partition in ((shown, Partition.RESERVE), (shown, Partition.TRAIN), (None, Partition.TRAIN)):
        pair = make_pair(
            project, response1=asset, prompt=f"tells 1 {bool(asset)} {partition}", partition=partition
        )
        make_comparison(pair, LONG)
    group = Pair.objects.filter(project=project, partition=Partition.RESERVE).first()
    assert group
    make_comparison(make_pair(project, group=group.group), LONG)
    revision = learn(project)
    assert len(freeze_pool(revision)) == 3 + 1
    assert pair.pk in freeze_pool(revision).pair_ids
    assert sum(row["open"] for row in pool_by_criterion(project, revision)) == 6 + 1


def test_appending_refuses_what_may_not_be_chosen() -> None:
    project = planted(open_pairs=4)
    pool = freeze_pool(learn(project))
    reserve = make_pair(project, partition=Partition.RESERVE)
    drawn = Draw.objects.filter(project=project, pair__partition=Partition.TRAIN).first()
    assert drawn
    elsewhere = make_pair(make_project())
    waiting = make_pair(project, ready=False)
    for wrong in (reserve.pk, drawn.pair_id, elsewhere.pk, waiting.pk):
        chosen = [ChosenPair(Route.POLICY, pool.pair_ids[0], 0.5, 4), ChosenPair(Route.POLICY, wrong, 0.5, 3)]
        with pytest.raises(PoolChanged):
            append_epoch(project.pk, want=2, drawn=pool.drawn, chosen=chosen)
    with pytest.raises(PoolChanged):
        append_epoch(project.pk, want=1, drawn=pool.drawn + 1, chosen=chosen[:1])
    assert not draws_of(project)


def test_pool_that_changes_under_the_sampler_is_drawn_from_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    project = planted(reserve_claim_share=0)
    learn(project)
    at_work(project)
    choose, calls = loop.choose, []

    def meanwhile(*args: Any) -> list[ChosenPair]:
        calls.append(args)
        if len(calls) == 1:
            assert queue.fill_queue(project.pk, 3) == 3
        return choose(*args)

    monkeypatch.setattr(loop, "choose", meanwhile)
    assert loop.draw(project) == 17
    assert len(calls) == 2
    assert len({draw.pair_id for draw in draws_of(project)}) == 20
    assert [draw.pool_size for draw in draws_of(project)] == list(range(40, 20, -1))
    assert violations() == {}


def test_pairs_without_a_score_wait_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    project = planted(open_pairs=12, reserve_claim_share=0)
    revision = learn(project)
    for _ in range(5):
        make_comparison(make_pair(project), LONG)
    at_work(project)
    assert freeze_pool(revision).unscored == 5
    assert loop.draw(project) == 12
    assert draws_of(project)[0].pool_size == 12
    job = project.jobs.order_by("-pk").first()
    assert job and (job.kind, job.state) == ("score", "queued")


def test_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    project = planted()
    learn(project)
    at_work(project)
    for mode in (Sampling.UNIFORM, Sampling.AUTO):
        Project.objects.filter(pk=project.pk).update(sampling=mode, state=ProjectState.PAUSED)
        project.refresh_from_db()
        assert loop.draw(project) == 0
    Project.objects.filter(pk=project.pk).update(sampling=Sampling.FROZEN, state=ProjectState.OPEN)
    project.refresh_from_db()
    assert loop.draw(project) == 20


def test_groups_are_task_types_and_criteria(monkeypatch: pytest.MonkeyPatch) -> None:
    """A criterion that tells far more than the others does not take the whole epoch."""
    project = planted(open_pairs=0)
    for n in range(60):
        telling = "tells 50" if n < 30 else "tells 0.001"
        make_comparison(make_pair(project, prompt=f"{n} {telling}"), f"Criterion {n // 30 + n % 3}")
    revision = learn(project)
    pool = freeze_pool(revision)
    chosen = loop.choose(pool, 20, 0.0, np.random.default_rng(2))
    criterion = dict(zip(pool.pair_ids, pool.criterion_ids, strict=True))
    taken: dict[int, int] = {}
    for one in chosen:
        taken[criterion[one.pair_id]] = taken.get(criterion[one.pair_id], 0) + 1
    quota = sampling.fair_quotas(list(zip(pool.task_types, pool.criterion_ids, strict=True)))
    assert max(taken.values()) <= max(quota.values()) * 20 + 1
    assert Revision.objects.count() == 1
