"""Who is served which pairs: by language, expertise and pools, whoever is there first."""

import random
import threading
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connections

from annotate.actions import queue
from annotate.actions.groups import remove_group
from annotate.actions.judging import Answer, submit
from annotate.actions.pools import Asks, ask_of_people, asks, remove_pool, set_pool
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    AnnotatorGroup,
    Claim,
    Comparison,
    Draw,
    GroupMember,
    Need,
    Pair,
    Project,
    Reach,
    Route,
    Seat,
    TaskType,
)
from annotate.models.pools import MAX_NEEDS
from tests.factories import make_annotator, make_comparison, make_pair, make_project

pytestmark = pytest.mark.django_db


def project_of(**fields: Any) -> Project:
    return make_project(**{"reserve_share": 0, "validation_share": 0, "claims_in_hand": 40, **fields})


def pairs_in(
    project: Project, count: int, asked: Asks | None = None, k: int = 3, **fields: Any
) -> list[Pair]:
    pairs = [make_pair(project, **fields) for _ in range(count)]
    for pair in pairs:
        make_comparison(pair, k=k)
    if asked:
        ask_of_people(by=None, project=project, pair_ids=[pair.pk for pair in pairs], asked=asked)
    return pairs


def somebody(project: Project, *groups: str) -> Annotator:
    """An annotator in groups that are named as "expertise law"."""
    annotator = make_annotator(project)
    for group in groups:
        join(annotator, group)
    return annotator


def join(annotator: Annotator, named: str) -> AnnotatorGroup:
    kind, name = named.split(" ", 1)
    group, _ = AnnotatorGroup.objects.get_or_create(project=annotator.project, kind=kind, name=name)
    GroupMember.objects.create(group=group, annotator=annotator)
    return group


def served(annotator: Annotator) -> set[int]:
    """All pairs that the annotator is given, one after the other; none is judged."""
    found = set()
    while claim := queue.claim_next(annotator=annotator, claim_id=uuid4()):
        found.add(claim.pair_id)
        queue.skip_claim(annotator=annotator, claim_id=claim.pk, reason="other")
    return found


def ids(pairs: list[Pair]) -> set[int]:
    return {pair.pk for pair in pairs}


def test_one_gets_what_one_may_judge_and_all_of_it() -> None:
    project = project_of()
    plain = pairs_in(project, 3)
    korean = pairs_in(project, 2, asks("Korean"))
    law = pairs_in(project, 2, asks(expertise=["law"]))
    both = pairs_in(project, 2, asks("Korean", ["medicine", "law"]))
    either = pairs_in(project, 2, asks(expertise=["medicine", "law"], any_of=True))
    assert served(somebody(project)) == ids(plain)
    assert served(somebody(project, "language korean")) == ids(plain + korean), "without regard to case"
    assert served(somebody(project, "expertise law")) == ids(plain + law + either)
    assert served(somebody(project, "language Korean", "expertise law")) == ids(plain + korean + law + either)
    everything = somebody(project, "language Korean", "expertise law", "expertise medicine")
    assert served(everything) == ids(plain + korean + law + both + either)
    assert served(somebody(project, "taste law")) == ids(plain), "a taste is no expertise"
    assert violations() == {}


def test_a_pool_is_of_a_task_type_and_a_rule_of_the_very_type_goes_first() -> None:
    project = project_of()
    texts = pairs_in(project, 2, task_type=TaskType.TEXT_TO_TEXT)
    images = pairs_in(project, 2, task_type=TaskType.TEXT_TO_IMAGE)
    painter, writer, nobody = (
        somebody(project, "taste painters"),
        somebody(project, "taste writers"),
        somebody(project),
    )
    painters, writers = (AnnotatorGroup.objects.get(name=name) for name in ("painters", "writers"))
    set_pool(by=None, group=painters, task_type=TaskType.TEXT_TO_IMAGE)
    assert served(nobody) == ids(texts)
    rule = set_pool(by=None, group=writers)
    assert served(writer) == ids(texts), "of images, their own pool alone"
    assert served(painter) == ids(images)
    late = pairs_in(project, 1)
    assert served(nobody) == set()
    with pytest.raises(ValidationError, match="Remove that first"):
        remove_group(by=None, group=writers)
    remove_pool(by=None, rule=rule)
    assert served(nobody) == ids(late)
    assert served(painter) == ids(texts + late), "what was passed while it was nothing for them is not lost"


def test_who_is_kept_out_gets_none_of_it() -> None:
    project = project_of()
    texts = pairs_in(project, 2)
    images = pairs_in(project, 2, task_type=TaskType.TEXT_TO_IMAGE)
    author = somebody(project, "taste authors of the images")
    group = AnnotatorGroup.objects.get()
    set_pool(by=None, group=group, task_type=TaskType.TEXT_TO_IMAGE, excludes=True)
    assert served(author) == ids(texts)
    assert served(somebody(project)) == ids(texts + images)
    with pytest.raises(ValidationError, match="no task type"):
        set_pool(by=None, group=group, task_type="text_to_smell")


def test_who_learns_something_gets_what_came_before() -> None:
    project = project_of()
    law = pairs_in(project, 3, asks(expertise=["law"]))
    plain = pairs_in(project, 3)
    annotator = somebody(project)
    assert served(annotator) == ids(plain)
    join(annotator, "expertise law")
    assert served(annotator) == ids(law)
    assert Reach.objects.filter(annotator=annotator).count() == 2


def test_a_pair_that_asks_for_something_else_goes_to_another_line() -> None:
    project = project_of()
    first, second = pairs_in(project, 2)
    held = queue.claim_next(annotator=somebody(project), claim_id=uuid4())
    assert held and Draw.objects.filter(open=True).count() == 2
    changed = asks(expertise=["law"])
    both = [first.pk, second.pk]
    assert ask_of_people(by=None, project=project, pair_ids=both, asked=changed) == 2
    assert ask_of_people(by=None, project=project, pair_ids=both, asked=changed) == 0
    assert served(somebody(project)) == set()
    assert served(somebody(project, "expertise law")) == ids([first, second])
    answer = Answer(id=uuid4(), comparison=held.comparison_ids[0], verdict="a", strength=1)
    assert submit(annotator=held.annotator, claim_id=held.pk, answers=[answer]).saved, (
        "what is held may be finished"
    )
    again = Draw.objects.filter(open=True)
    assert {draw.route for draw in again} == {Route.REOPENED} and violations() == {}
    with pytest.raises(ValidationError, match="not of this project"):
        ask_of_people(by=None, project=make_project(), pair_ids=[first.pk], asked=changed)


def test_what_pairs_ask_for_is_written_one_way_and_bounded() -> None:
    assert asks(" Korean ", ["law", " medicine"]) == Asks("Korean", ("law", "medicine"))
    assert asks(expertise=["b", "a"]) == asks(expertise=["a", "b"])
    assert not asks(expertise=["a"], any_of=True).any_of
    for wrong in ({"expertise": ["Law", "law"]}, {"expertise": [""]}, {"language": "x" * 61}):
        with pytest.raises(ValidationError):
            asks(**wrong)
    project = project_of()
    [pair] = pairs_in(project, 1)
    Need.objects.bulk_create(
        Need(project=project, task_type=pair.task_type, language=f"l{n}") for n in range(MAX_NEEDS - 1)
    )
    with pytest.raises(ValidationError, match=f"at most {MAX_NEEDS}"):
        ask_of_people(by=None, project=project, pair_ids=[pair.pk], asked=asks("one more"))


def test_a_rare_pool_is_found_without_a_worker_and_a_pool_of_nobody_fills_nothing() -> None:
    project = project_of()
    pairs_in(project, 120)
    [rare] = pairs_in(project, 1, asks(expertise=["law"]))
    Pair.objects.filter(pk=rare.pk).update(shuffle=2**62)  # far back
    lawyer = somebody(project, "expertise law")
    set_pool(by=None, group=AnnotatorGroup.objects.get(), excludes=False)
    pairs_in(project, 30, asks(expertise=["alchemy"]))
    assert served(lawyer) >= {rare.pk}
    assert [draw.q for draw in Draw.objects.order_by("pk")][:2] == [1 / 151, 1 / 150], "all pairs take part"
    drawn = Draw.objects.count()
    for _ in range(3):
        assert queue.claim_next(annotator=lawyer, claim_id=uuid4()) is None
        queue.top_up_queues()
    assert Draw.objects.count() == drawn, "nobody may judge what is left"
    assert violations() == {}


def test_each_pool_has_its_draws_ready() -> None:
    project = project_of()
    pairs_in(project, 200)
    pairs_in(project, 40, asks(expertise=["law"]))
    lawyer, other = somebody(project, "expertise law"), somebody(project)
    set_pool(by=None, group=AnnotatorGroup.objects.get(), task_type=TaskType.TEXT_TO_IMAGE)
    for annotator in (lawyer, other):
        assert queue.claim_next(annotator=annotator, claim_id=uuid4())
    queue.top_up_queues()
    depths = queue.queue_depths(project.pk)
    assert {len(depth.needs) for depth in depths} == {1, 2}
    assert all(depth.ready >= depth.wanted == queue.READY_PER_ANNOTATOR for depth in depths)
    assert queue.top_up_queues() == 0


@pytest.mark.parametrize("share", ["repeat_share", "gold_share"])
def test_controls_are_of_pairs_that_one_may_judge(share: str) -> None:
    from annotate.actions.gold import mark_gold
    from tests.factories import make_criterion
    from tests.queue.controls import an_id

    project = project_of(repeat_after=1)
    [pair] = pairs_in(project, 1)
    pairs_in(project, 40)
    annotator = somebody(project)
    if share == "gold_share":
        known = make_comparison(pair, make_criterion(project, "Which is true?", objective=True))
        Comparison.objects.filter(pair=pair).exclude(pk=known.pk).delete()
        mark_gold(by=None, comparison=known, verdict="tie")
    else:
        for _ in range(2):
            claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
            assert claim
            answer = Answer(id=uuid4(), comparison=claim.comparison_ids[0], verdict="a", strength=1)
            submit(annotator=annotator, claim_id=claim.pk, answers=[answer])
        pair = Claim.objects.filter(outcome="submitted").earliest("created_at").pair
    Project.objects.filter(pk=project.pk).update(**{share: 0.5})
    ask_of_people(by=None, project=project, pair_ids=[pair.pk], asked=asks(expertise=["law"]))
    annotator.refresh_from_db()
    first = queue.claim_next(annotator=annotator, claim_id=an_id(annotator, lambda at: at < 0.4))
    assert first and first.kind == "label"
    join(annotator, "expertise law")
    then = queue.claim_next(annotator=annotator, claim_id=an_id(annotator, lambda at: at < 0.4))
    assert then and then.kind == share.removesuffix("_share") and then.pair_id == pair.pk


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_pools_race_for_few_pairs(seed: int) -> None:
    """Everybody gets only what they may judge, nothing is judged too often, and all that somebody may judge is."""
    project = project_of(claims_in_hand=2)
    wanted = {
        frozenset[str](): pairs_in(project, 12, k=2),
        frozenset({"language ko"}): pairs_in(project, 6, asks("ko"), k=2),
        frozenset({"expertise law"}): pairs_in(project, 6, asks(expertise=["law"]), k=2),
        frozenset({"language ko", "expertise law"}): pairs_in(project, 4, asks("ko", ["law"]), k=2),
    }
    alchemy = pairs_in(project, 3, asks(expertise=["alchemy"]))
    people = {}
    for groups in (set[str](), {"language ko"}, {"expertise law"}, {"language ko", "expertise law"}):
        for _ in range(3):
            people[somebody(project, *groups)] = groups
    moving = wanted[frozenset[str]()][:4]
    start, errors = threading.Barrier(len(people) + 1), []

    def work(annotator: Annotator, own: int) -> None:
        rng = random.Random(own)
        try:
            start.wait()
            while claim := queue.claim_next(annotator=annotator, claim_id=uuid4()):
                if rng.random() < 0.2:
                    queue.give_back(annotator=annotator, claim_ids=[claim.pk])
                    continue
                said = Answer(id=uuid4(), comparison=claim.comparison_ids[0], verdict="a", strength=1)
                submit(annotator=annotator, claim_id=claim.pk, answers=[said])
                connections.close_all()  # there are fewer connections than threads
        except Exception as error:
            errors.append(repr(error))
        finally:
            connections.close_all()

    def change() -> None:
        """Meanwhile some pairs ask for something else, and for nothing again."""
        try:
            start.wait()
            for turn in range(6):
                asked = asks(expertise=["law"]) if turn % 2 else asks()
                ask_of_people(by=None, project=project, pair_ids=[pair.pk for pair in moving], asked=asked)
        except Exception as error:
            errors.append(repr(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(one, seed * 100 + n)) for n, one in enumerate(people)]
    threads.append(threading.Thread(target=change))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for annotator in people:  # what somebody gave back after the others had gone
        work_alone(annotator)
    assert violations() == {}
    fixed = {pair.pk: groups for groups, pairs in wanted.items() for pair in pairs if pair not in moving}
    for annotator, groups in people.items():
        for pair in Claim.objects.filter(annotator=annotator).values_list("pair", flat=True):
            assert fixed.get(pair, frozenset()) <= groups, "somebody got what they may not judge"
    for comparison in Comparison.objects.exclude(pair__in=alchemy):
        assert Seat.objects.filter(comparison=comparison, head__isnull=False).count() == comparison.k
    assert not Seat.objects.filter(comparison__pair__in=alchemy).exists()


def work_alone(annotator: Annotator) -> None:
    while claim := queue.claim_next(annotator=annotator, claim_id=uuid4()):
        said = Answer(id=uuid4(), comparison=claim.comparison_ids[0], verdict="a", strength=1)
        submit(annotator=annotator, claim_id=claim.pk, answers=[said])
