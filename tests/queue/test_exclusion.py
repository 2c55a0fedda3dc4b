"""Leaving an annotator out of the labels and taking it back: seats, the queue, what is kept, and races."""

import random
import threading
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from django.utils import timezone

from annotate.access import Denied
from annotate.actions import queue
from annotate.actions.exclusion import exclude_annotator, lift_exclusion
from annotate.actions.jobs import Refused
from annotate.actions.judging import undo
from annotate.actions.reports import is_outdated
from annotate.actions.withdrawal import withdraw_annotator
from annotate.exports.freeze import freeze
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    AuditEntry,
    Claim,
    Comparison,
    Draw,
    Exclusion,
    FrozenJudgment,
    Job,
    Judgment,
    Partition,
    Release,
    Report,
    Role,
    Seat,
)
from annotate.reports import full_report
from annotate.situations import is_excluded
from annotate.tallies import judged_units
from tests.factories import make_annotator, make_comparison, make_member, make_pair, make_project
from tests.imports.reading import import_files, labels, row, write_json
from tests.queue.controls import answer_all, ordinary
from tests.queue.test_disagreement import answer

pytestmark = pytest.mark.django_db
WHY = "Answers without looking."


def judged(pairs: int = 3, k: int = 1, **fields: Any) -> Annotator:
    """An annotator who has judged all the pairs of a project."""
    given = {"reserve_share": 0, "validation_share": 0, "split_ties": False}
    project = make_project(**{**given, **fields})
    for _ in range(pairs):
        make_comparison(make_pair(project), k=k)
    annotator = make_annotator(project)
    while claim := ordinary(annotator):
        answer(claim, "response1")
    return annotator


def exclude(annotator: Annotator, **fields: Any) -> Exclusion:
    return exclude_annotator(by=None, annotator=annotator, reason=WHY, **fields)


def standings(annotator: Annotator) -> list[str]:
    """How the project's judgments stand in a release of now."""
    project = annotator.project
    job = Job.objects.create(kind="release", project=project)
    release = Release.objects.create(
        project=project, job=job, recipe={"sources": None}, pseudonym_key="0" * 64
    )
    freeze(release)
    found = FrozenJudgment.objects.filter(comparison__release=release).order_by("pk")
    return list(found.values_list("standing", flat=True))


def test_what_they_judged_is_kept_counts_nowhere_and_is_asked_of_others() -> None:
    annotator = judged()
    before = standings(annotator)
    kept = list(Judgment.objects.order_by("pk").values())
    exclude(annotator)
    assert list(Judgment.objects.order_by("pk").values()) == kept
    assert not Seat.objects.exists()
    assert judged_units(annotator.project, Partition.TRAIN) == []
    assert standings(annotator) == ["excluded"] * 3
    first = Release.objects.order_by("created_at")[0]
    old = FrozenJudgment.objects.filter(comparison__release=first).values_list("standing", flat=True)
    assert list(old) == before == ["counted"] * 3, "a release of before says nothing new"
    assert violations() == {}
    other = make_annotator(annotator.project)
    served = 0
    while claim := ordinary(other):
        answer(claim, "response2")
        served += 1
    assert served == 3
    assert sorted(standings(annotator)) == ["counted"] * 3 + ["excluded"] * 3
    report = full_report(annotator.project, date(2026, 3, 10))
    assert [row["annotator"] for row in report["annotators"]["rows"]] == [other.pseudonym]


def test_from_a_moment_on_what_was_before_stays() -> None:
    annotator = judged()
    first, second, third = Judgment.objects.order_by("created_at")
    exclude(annotator, since=second.created_at)
    assert [seat.head_id for seat in Seat.objects.all()] == [first.pk]
    assert sorted(standings(annotator)) == ["counted", "excluded", "excluded"]
    assert violations() == {}
    assert third.created_at > second.created_at


def test_taken_back_what_finds_a_free_seat_counts_and_the_rest_waits() -> None:
    annotator = judged()
    exclude(annotator)
    other = make_annotator(annotator.project)
    claim = ordinary(other)
    assert claim
    answer(claim, "response2")
    draws = Draw.objects.count()
    assert lift_exclusion(by=None, annotator=annotator)
    assert Draw.objects.count() == draws, "nothing new is asked"
    assert not Draw.objects.filter(open=True).exists(), "what is full is not asked any more"
    assert sorted(standings(annotator)) == ["counted"] * 3 + ["waiting"]
    assert violations() == {}
    Comparison.objects.filter(pair=claim.pair_id).update(k=2)
    queue.open_pairs(annotator.project_id, [claim.pair_id], "reopened")  # type: ignore[arg-type]
    assert standings(annotator) == ["counted"] * 4, "who waits gets the next free seat"
    assert not lift_exclusion(by=None, annotator=annotator)


def test_taken_back_it_may_bring_disagreement_which_asks_for_more() -> None:
    annotator = judged(pairs=1, k=2, k_more=1)
    exclude(annotator)
    claim = ordinary(make_annotator(annotator.project))
    assert claim
    answer(claim, "response2")
    lift_exclusion(by=None, annotator=annotator)
    assert Comparison.objects.get().k == 3
    assert ordinary(make_annotator(annotator.project)), "the third is asked"
    assert violations() == {}


def test_they_are_served_nothing_and_what_they_hold_is_kept_uncounted() -> None:
    annotator = judged(pairs=1)
    for _ in range(3):
        make_comparison(make_pair(annotator.project), k=1)
    held = ordinary(annotator)
    assert held
    exclude(annotator)
    assert not Seat.objects.filter(annotator=annotator).exists(), "the seat in hand is free"
    draws = Draw.objects.count()
    assert ordinary(annotator) is None and Draw.objects.count() == draws, "nor is the queue filled for them"
    assert queue.claim_next(annotator=annotator, claim_id=held.pk) == held, "what is held stays theirs"
    answer_all(held)
    assert standings(annotator) == ["excluded"] * 2
    other = ordinary(make_annotator(annotator.project))
    assert other
    lift_exclusion(by=None, annotator=annotator)
    assert ordinary(annotator)
    assert violations() == {}


def test_a_label_of_before_that_is_revised_after_counts_no_more() -> None:
    annotator = judged(pairs=1)
    claim = Claim.objects.get()
    claim.annotator = annotator
    exclude(annotator, since=timezone.now())
    assert Seat.objects.get().head
    answer(claim, "response2", supersedes=Judgment.objects.get().pk)
    assert not Seat.objects.exists()
    assert ordinary(make_annotator(annotator.project)), "it is asked of others"
    assert sorted(standings(annotator)) == ["excluded", "revised"]
    assert violations() == {}


def test_undone_and_judged_again_it_counts_no_more_either() -> None:
    annotator = judged(pairs=1)
    claim = Claim.objects.get()
    exclude(annotator, since=timezone.now())
    claim = undo(annotator=annotator, claim_id=claim.pk, undo_id=uuid4())
    answer(claim, "response1", supersedes=Judgment.objects.get(verdict="retracted").pk)
    assert not Seat.objects.exists()
    assert violations() == {}


def test_who_decides_and_what_is_written_down() -> None:
    annotator = judged(pairs=1)
    manager = make_member(annotator.project, Role.MANAGER)
    with pytest.raises(Denied):
        exclude_annotator(by=make_member(annotator.project, Role.REVIEWER), annotator=annotator, reason=WHY)
    for broken in ({"reason": " "}, {"reason": WHY, "since": timezone.now() + timedelta(hours=1)}):
        with pytest.raises(ValidationError):
            exclude_annotator(by=manager, annotator=annotator, **broken)
    assert not is_excluded(annotator)
    exclude_annotator(by=manager, annotator=annotator, reason=WHY)
    with pytest.raises(Refused):
        exclude(annotator)
    lift_exclusion(by=manager, annotator=annotator)
    done = AuditEntry.objects.order_by("pk")
    assert [(entry.deed, entry.by) for entry in done] == [
        ("exclude annotator", manager),
        ("lift exclusion", manager),
    ]
    assert done[0].details == {"reason": WHY, "since": None, "pairs": 1}
    exclude(annotator)
    assert Exclusion.objects.count() == 2, "what was decided before stays on record"


def test_nothing_excludes_by_itself() -> None:
    """Neither figures that are bad, nor figures that could not be computed."""
    annotator = judged(pairs=8, k=2)
    for one in Judgment.objects.all():
        assert one.seconds is None
    row = full_report(annotator.project, date(2026, 3, 10))["annotators"]["rows"][0]
    assert row["hasty"]["value"] is None and row["accuracy"]["value"] is None
    assert not Exclusion.objects.exists() and Seat.objects.count() == 8


def test_hasty_verdicts_are_told() -> None:
    annotator = judged(pairs=0)
    for seconds in (20, 20, 20, 4):
        make_comparison(make_pair(annotator.project), k=1)
        claim = ordinary(annotator)
        assert claim
        answer_all(claim, seconds=seconds)
    row = full_report(annotator.project, date(2026, 3, 10))["annotators"]["rows"][0]
    assert row["hasty"]["value"] == pytest.approx(1 / 4)


def test_a_report_of_before_is_outdated_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    annotator = judged(pairs=1)
    now = timezone.now()
    report = Report(project=annotator.project, read_at=now, verdicts=1, seconds=0.1, content={})
    monkeypatch.setattr("django.utils.timezone.now", lambda: now + timedelta(hours=1))
    assert not is_outdated(report)
    exclude(annotator)
    assert is_outdated(report)


def test_withdrawal_takes_the_exclusion_along() -> None:
    annotator = judged(pairs=1)
    exclude(annotator)
    withdraw_annotator(by=None, annotator=annotator)
    assert not Exclusion.objects.exists() and violations() == {}


def test_what_an_import_brings_of_an_excluded_annotator_is_kept_uncounted(tmp_path: Path) -> None:
    project = make_project(reserve_share=0, validation_share=0)
    said = [{"text": "Clearer?", "judgments": labels("response1")}]
    import_files(project, write_json(tmp_path / "p.json", [row(1, criteria=said)]))
    annotator = Annotator.objects.get()
    exclude(annotator)
    import_files(project, write_json(tmp_path / "p.json", [row(1, criteria=said), row(2, criteria=said)]))
    assert Judgment.objects.filter(annotator=annotator).count() == 2 and not Seat.objects.exists()
    assert violations() == {}
    lift_exclusion(by=None, annotator=annotator)
    assert Seat.objects.count() == 2 and violations() == {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(600)
def test_exclusions_race_with_twenty_at_work() -> None:
    """Again and again three of them are excluded and counted again, while all judge, late ones among them."""
    project = make_project(
        reserve_share=0, validation_share=0, split_ties=False, claims_in_hand=2, k_more=1, k_most=5
    )
    for _ in range(60):
        make_comparison(make_pair(project), k=3)
    annotators = [make_annotator(project) for _ in range(20)]
    errors: list[str] = []
    over = threading.Event()

    def work(annotator: Annotator, seed: int) -> None:
        rng = random.Random(seed)
        try:
            for _ in range(40):
                connections.close_all()  # there are fewer connections than threads
                claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
                if claim is None:
                    continue
                if rng.random() < 0.2:
                    Claim.objects.filter(pk=claim.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
                    queue.expire_claims(limit=5)
                answer(claim, rng.choice(["response1", "response2"]))
        except Exception as error:
            errors.append(repr(error))
        finally:
            connections.close_all()

    def manage(annotator: Annotator, seed: int) -> None:
        rng = random.Random(seed)
        try:
            while not over.is_set():
                since = timezone.now() - timedelta(milliseconds=200) if rng.random() < 0.5 else None
                connections.close_all()
                exclude(annotator, since=since)
                lift_exclusion(by=None, annotator=annotator)
            exclude(annotator)
        except Exception as error:
            errors.append(repr(error))
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work, args=(one, n)) for n, one in enumerate(annotators)]
    managers = [threading.Thread(target=manage, args=(one, n)) for n, one in enumerate(annotators[:3])]
    for thread in workers + managers:
        thread.start()
    for thread in workers:
        thread.join()
    over.set()
    for thread in managers:
        thread.join()
    assert errors == []
    assert Exclusion.objects.count() > 6, "it was excluded and counted again meanwhile"
    assert not Seat.objects.filter(annotator__in=annotators[:3]).exists()
    assert violations() == {}
    for one in annotators[:3]:
        lift_exclusion(by=None, annotator=one)
    assert violations() == {}
    # Everything that is wanted is there in the end, whoever gave it.
    Claim.objects.filter(closed_at__isnull=True).update(expires_at="2000-01-01T00:00:00Z")
    queue.expire_claims()
    for _ in range(6):
        late = make_annotator(project)
        while claim := queue.claim_next(annotator=late, claim_id=uuid4()):
            answer(claim, "response1")
    for comparison in Comparison.objects.all():
        assert Seat.objects.filter(comparison=comparison, head__isnull=False).count() == comparison.k
    assert violations() == {}
