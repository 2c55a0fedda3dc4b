"""More labels where annotators disagree: the rule, and that k follows it whoever comes when."""

import random
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from annotate.actions import queue
from annotate.actions.criteria import add_criterion, apply_criterion, change_criterion
from annotate.actions.jobs import run_job
from annotate.actions.judging import Answer, Shown, submit
from annotate.actions.moderation import retire_criterion, undo_decision
from annotate.integrity import violations
from annotate.models import Annotator, AuditEntry, Claim, Comparison, Draw, Partition, Project, Route, Seat
from annotate.stats.labels import USABLE, k_on_disagreement, label_of, split
from tests.factories import make_annotator, make_comparison, make_criterion, make_pair, make_project
from tests.imports.reading import import_files, labels, row, write_json

tallies = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))


@pytest.mark.parametrize(
    ("tally", "disagree"),
    [
        ((2, 1, 0), False),
        ((1, 1, 0), True),
        ((1, 1, 1), True),
        ((2, 1, 1), True),  # the most frequent, and no more than half
        ((0, 0, 3), False),
        ((1, 0, 0), False),
        ((0, 0, 0), False),  # no opinion is no disagreement
        ((2, 2, 1), True),
        ((3, 2, 0), False),
    ],
)
def test_what_disagreement_is(tally: tuple[int, int, int], disagree: bool) -> None:
    assert split(tally) is disagree


@given(tallies, st.integers(1, 9), st.integers(0, 8), st.integers(1, 9))
def test_k_never_falls_and_never_passes_what_is_allowed(
    tally: tuple[int, int, int], k: int, more: int, most: int
) -> None:
    wanted = k_on_disagreement(tally, k, more, most)
    assert k <= wanted <= max(k, most) and wanted <= k + more
    if not split(tally):
        assert wanted == k
        assert sum(tally) == 0 or label_of(tally, 1).found, "who agree have a label"
    elif more and k < most:
        assert wanted > k
    # It does not matter which response is which.
    assert k_on_disagreement((tally[1], tally[0], tally[2]), k, more, most) == wanted


def made(k: int = 2, partition: Partition = Partition.TRAIN, **fields: Any) -> Comparison:
    project = make_project(**{"reserve_share": 0, "validation_share": 0, "split_ties": False, **fields})
    return make_comparison(make_pair(project, partition=partition), k=k)


def says(comparison: Comparison, verdict: str, annotator: Annotator | None = None) -> Claim:
    """Somebody is served the pair and says that a response is better, or a tie."""
    annotator = annotator or make_annotator(comparison.pair.project)
    claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
    assert claim
    answer(claim, verdict)
    return claim


def answer(claim: Claim, verdict: str, **fields: Any) -> Answer:
    sides: dict[str, Shown] = (
        {"response1": "b", "response2": "a"} if claim.flip else {"response1": "a", "response2": "b"}
    )
    shown: Shown = sides.get(verdict, verdict)  # type: ignore[arg-type]
    strength = 2 if shown in ("a", "b") else None
    one = Answer(id=uuid4(), comparison=claim.comparison_ids[0], verdict=shown, strength=strength, **fields)
    submit(annotator=claim.annotator, claim_id=claim.pk, answers=[one])
    return one


@pytest.mark.django_db
def test_a_split_comparison_is_asked_of_more_once_a_step_up_to_the_most() -> None:
    comparison = made(k=2, k_more=2, k_most=5)
    says(comparison, "response1")
    says(comparison, "response2")
    comparison.refresh_from_db()
    assert (comparison.k, comparison.extra) == (4, 2)
    assert Draw.objects.filter(open=True, route=Route.REOPENED).count() == 1
    says(comparison, "response1")
    comparison.refresh_from_db()
    assert comparison.k == 4, "not before the new labels are there"
    says(comparison, "response2")
    comparison.refresh_from_db()
    assert (comparison.k, comparison.extra) == (5, 3), "no more than the most"
    says(comparison, "tie")
    comparison.refresh_from_db()
    assert comparison.k == 5 and not Draw.objects.filter(open=True).exists()
    assert violations() == {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "fields"),
    [
        (["response1", "response1"], {"k_more": 2}),
        (["response1", "cannot_tell"], {"k_more": 2}),
        (["cannot_tell", "not_applicable"], {"k_more": 2}),
        (["response1", "response2"], {"k_more": 0}),
        (["response1", "response2"], {"k_more": 2, "k_most": 2}),
    ],
)
def test_who_agree_or_a_project_that_does_not_ask_is_asked_no_more(
    said: list[str], fields: dict[str, Any]
) -> None:
    comparison = made(**fields)
    for verdict in said:
        says(comparison, verdict)
    comparison.refresh_from_db()
    assert comparison.k == 2 and not Draw.objects.filter(open=True).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("too", [False, True])
def test_the_reserve_keeps_its_own_k_unless_the_project_says_so(too: bool) -> None:
    comparison = made(partition=Partition.RESERVE, k_more=1, k_more_reserve=too)
    says(comparison, "response1")
    says(comparison, "tie")
    comparison.refresh_from_db()
    assert comparison.k == 2 + too


@pytest.mark.django_db
def test_the_same_answers_again_raise_nothing_more() -> None:
    comparison = made(k_more=2)
    says(comparison, "response1")
    claim = queue.claim_next(annotator=make_annotator(comparison.pair.project), claim_id=uuid4())
    assert claim
    sent = answer(claim, "response2")
    before = list(Draw.objects.values_list("pk", flat=True))
    for _ in range(2):
        submit(annotator=claim.annotator, claim_id=claim.pk, answers=[sent])
    comparison.refresh_from_db()
    assert comparison.k == 4 and list(Draw.objects.values_list("pk", flat=True)) == before


@pytest.mark.django_db
def test_a_revision_may_split_what_agreed() -> None:
    comparison = made(k_more=1)
    says(comparison, "response1")
    claim = says(comparison, "response1")
    comparison.refresh_from_db()
    assert comparison.k == 2
    head = Seat.objects.get(annotator=claim.annotator_id).head_id
    answer(claim, "response2", supersedes=head)
    comparison.refresh_from_db()
    assert comparison.k == 3


@pytest.mark.django_db
def test_a_late_judgment_takes_the_new_seat_first() -> None:
    """And where it completes the comparison, still split, more is asked for at once."""
    comparison = made(k=2, k_more=1, k_most=9)
    sleeper = make_annotator(comparison.pair.project)
    late = queue.claim_next(annotator=sleeper, claim_id=uuid4())
    assert late
    Claim.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    queue.expire_claims()
    says(comparison, "response1")
    two = queue.claim_next(annotator=make_annotator(comparison.pair.project), claim_id=uuid4())
    assert two
    answer(late, "tie")  # no seat is free
    assert not Seat.objects.filter(annotator=sleeper).exists()
    answer(two, "response2")
    comparison.refresh_from_db()
    assert Seat.objects.get(annotator=sleeper).n == 3
    assert comparison.k == 4, "1 : 1 : 1 is split as well"
    assert Draw.objects.filter(open=True).count() == 1
    assert violations() == {}


@pytest.mark.django_db
def test_what_is_asked_no_more_wants_no_more_labels() -> None:
    comparison = made(k=2, k_more=2)
    says(comparison, "response1")
    held = queue.claim_next(annotator=make_annotator(comparison.pair.project), claim_id=uuid4())
    assert held
    retire_criterion(by=None, criterion=comparison.criterion, reason="It is no use.")
    answer(held, "response2")
    comparison.refresh_from_db()
    assert comparison.k == 2
    undo_decision(by=None, criterion=comparison.criterion)
    comparison.refresh_from_db()
    assert comparison.k == 4, "once it is asked again, it does"


@pytest.mark.django_db
def test_a_criterion_may_want_a_number_of_labels_of_its_own() -> None:
    project = make_project(k=3, reserve_k=4, authored_k=2)
    pairs = [make_pair(project), make_pair(project, partition=Partition.RESERVE)]
    criterion = add_criterion(by=None, project=project, text="Which is truer?")
    change_criterion(by=None, criterion=criterion, k=5)
    change_criterion(by=None, criterion=criterion, k=5)
    assert AuditEntry.objects.filter(deed="change criterion").count() == 1
    run_job(apply_criterion(by=None, criterion=criterion).pk)
    ks = dict(Comparison.objects.values_list("pair", "k"))
    assert [ks[pair.pk] for pair in pairs] == [5, 4], "the reserve keeps its own"
    with pytest.raises(ValidationError):
        change_criterion(by=None, criterion=criterion, k=10)
    other = make_pair(project)
    make_comparison(other)
    Project.objects.filter(pk=project.pk).update(reserve_claim_share=0)
    annotator = make_annotator(project)
    claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
    while claim and claim.pair_id != other.pk:
        queue.skip_claim(annotator=annotator, claim_id=claim.pk, reason="other")
        claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
    assert claim
    own = Answer(id=uuid4(), criterion="which is truer?", verdict="a", strength=1)
    submit(annotator=annotator, claim_id=claim.pk, answers=[own])
    assert Comparison.objects.get(pair=other, criterion=criterion).k == 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(600)
def test_twenty_racing_annotators_never_pass_the_rule() -> None:
    project = make_project(
        reserve_share=0, validation_share=0, split_ties=False, claims_in_hand=2, k_more=2, k_most=7
    )
    for _ in range(40):
        make_comparison(make_pair(project), k=3)
    annotators = [make_annotator(project) for _ in range(20)]
    start, errors = threading.Barrier(20), []

    def work(annotator: Annotator, seed: int) -> None:
        rng = random.Random(seed)
        try:
            start.wait()
            while claim := queue.claim_next(annotator=annotator, claim_id=uuid4()):
                if rng.random() < 0.1:  # it runs out, and the answer comes late
                    Claim.objects.filter(pk=claim.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
                    queue.expire_claims(limit=5)
                answer(claim, rng.choice(["response1", "response2", "tie"]))
                connections.close_all()  # there are fewer connections than threads
        except Exception as error:
            errors.append(repr(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(one, n)) for n, one in enumerate(annotators)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert violations() == {}
    steps = set()
    for comparison in Comparison.objects.all():
        seats = list(Seat.objects.filter(comparison=comparison).select_related("head").order_by("n"))
        verdicts = [seat.head.verdict for seat in seats if seat.head]
        assert len(verdicts) == comparison.k == 3 + comparison.extra
        # Seats beyond a step exist because those up to it were split, and none stand beyond a step that was not.
        for step in range(3, comparison.k + 1, 2):
            tally = [verdicts[:step].count(label) for label in USABLE]
            assert k_on_disagreement(tally, step, 2, 7) == min(step + 2, comparison.k)
        steps.add(comparison.k)
    assert 3 in steps and steps - {3}, "it was raised, and not always"


@pytest.mark.django_db
def test_labels_that_an_import_brings_are_looked_at_as_well(tmp_path: Path) -> None:
    """Of new pairs and of those that were there; and a criterion's own wish is heard."""
    project = make_project(k=2, k_more=1, reserve_share=0, validation_share=0)
    criterion = make_criterion(project, "Which is calmer?")
    change_criterion(by=None, criterion=criterion, k=4)
    split_row = row(1, criteria=[{"text": "Clearer?", "judgments": labels("response1", "response2")}])
    rows = [
        split_row,
        row(2, criteria=[{"text": "Clearer?", "judgments": labels("tie", "tie")}]),
        row(3, criteria=["Clearer?", "Which is calmer?"]),
    ]
    import_files(project, write_json(tmp_path / "p.json", rows))
    wanted = dict(Comparison.objects.values_list("pair__external_id", "k").filter(criterion__text="Clearer?"))
    assert wanted == {"r1": 3, "r2": 2, "r3": 2}
    assert Comparison.objects.get(criterion=criterion).k == 4
    more = row(3, criteria=[{"text": "Clearer?", "judgments": labels("response1", "response2")}])
    import_files(project, write_json(tmp_path / "p.json", [split_row, rows[1], more]))
    assert Comparison.objects.get(pair__external_id="r3", criterion__text="Clearer?").k == 3
    annotator = make_annotator(project)
    served = []
    while claim := queue.claim_next(annotator=annotator, claim_id=uuid4()):
        served.append(claim.pair.external_id)
        queue.skip_claim(annotator=annotator, claim_id=claim.pk, reason="other")
    assert sorted(set(served)) == ["r1", "r3"], "what agrees is asked of nobody"
    assert violations() == {}
