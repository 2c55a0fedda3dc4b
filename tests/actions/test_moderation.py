"""Whom a criterion of an annotator's is asked, and what moderators decide about it: accepted, rejected, retired, undone."""

from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError

from annotate.access import Denied, Unknown
from annotate.actions import criteria, moderation, queue
from annotate.actions.jobs import run_job
from annotate.actions.judging import Answer, Invalid, submit, undo
from annotate.actions.queue import Conflict
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    AuditEntry,
    Claim,
    Comparison,
    Criterion,
    CriterionState,
    Draw,
    Job,
    JobKind,
    Partition,
    Project,
    Role,
    Seat,
    Stream,
)
from annotate.queries import like_criteria
from annotate.tallies import judged_units
from annotate.verdicts import read_wanted
from tests.factories import (
    judge,
    make_annotator,
    make_comparison,
    make_criterion,
    make_member,
    make_pair,
    make_project,
)

pytestmark = pytest.mark.django_db
MINE = "It sounds like spoken language."


@pytest.fixture
def project() -> Project:
    return reviewed()


def reviewed(**fields: Any) -> Project:
    return make_project(
        **{"authored_sharing": "review", "reserve_share": 0, "validation_share": 0, "k": 2, **fields}
    )


def claim(annotator: Annotator) -> Claim | None:
    return queue.claim_next(annotator=annotator, claim_id=uuid4())


def write(annotator: Annotator, text: str = MINE) -> Criterion:
    """Judge the next pair by all that is asked, and by a criterion of one's own."""
    held = claim(annotator)
    assert held
    asked = [Answer(id=uuid4(), comparison=pk, verdict="a", strength=2) for pk in held.comparison_ids]
    own = Answer(id=uuid4(), criterion=text, verdict="b", strength=1)
    submit(annotator=annotator, claim_id=held.pk, answers=[*asked, own])
    return Criterion.objects.get(project=annotator.project, text=text)


def asked_of(annotator: Annotator) -> list[str]:
    """The texts that the next claim asks."""
    held = claim(annotator)
    ids = held.comparison_ids if held else []
    return list(
        Comparison.objects.filter(pk__in=ids).order_by("pk").values_list("criterion__text", flat=True)
    )


@pytest.mark.parametrize(
    ("sharing", "state", "suggested"),
    [("open", "accepted", True), ("review", "proposed", False), ("never", "own", False)],
)
def test_the_policy_says_whom_it_is_asked(sharing: str, state: str, suggested: bool) -> None:
    project = reviewed(authored_sharing=sharing)
    make_comparison(make_pair(project), "Which is better?", k=2)
    author, other = make_annotator(project), make_annotator(project)
    written = write(author)
    assert (written.state, written.in_library) == (state, suggested)
    assert (MINE in asked_of(other)) == (sharing == "open")
    assert violations() == {}
    found = [text for text, _ in like_criteria(project, "sounds like spoken language", other)]
    assert found == ([MINE] if suggested else [])
    assert [text for text, _ in like_criteria(project, "sounds like spoken language", author)] == [MINE]


def test_accepted_it_is_asked_of_others_also_of_those_who_had_the_pair(project: Project) -> None:
    make_comparison(make_pair(project), "Which is better?", k=2)
    author, other = make_annotator(project), make_annotator(project)
    written = write(author)
    held = claim(other)
    assert held and len(held.comparison_ids) == 1
    submit(
        annotator=other,
        claim_id=held.pk,
        answers=[Answer(id=uuid4(), comparison=held.comparison_ids[0], verdict="tie", tie_kind="both_bad")],
    )
    assert claim(other) is None
    moderator = make_member(project, Role.REVIEWER)
    moderation.accept_criterion(by=moderator, criterion=written, version=0)
    assert asked_of(other) == [MINE]
    assert asked_of(author) == []
    assert violations() == {}
    entry = AuditEntry.objects.get(deed="accept criterion")
    assert entry.by == moderator and entry.details["before"]["state"] == "proposed"
    written.refresh_from_db()
    assert (written.state, written.decided_by, written.version, written.in_library) == (
        "accepted",
        moderator,
        1,
        False,
    )


def test_what_its_author_took_back_is_still_asked_of_nobody(project: Project) -> None:
    make_comparison(make_pair(project), "Which is better?", k=2)
    author, other = make_annotator(project), make_annotator(project)
    write(author)
    undo(annotator=author, claim_id=Claim.objects.get().pk, undo_id=uuid4())
    Claim.objects.update(expires_at="2000-01-01T00:00:00Z")
    queue.expire_claims()
    assert asked_of(other) == ["Which is better?"]
    assert violations() == {}


def test_written_again_by_another_it_waits_as_well_and_both_are_opened(project: Project) -> None:
    for _ in range(2):
        make_comparison(make_pair(project), "Which is better?", k=1)
    written = write(make_annotator(project))
    assert write(make_annotator(project)) == written
    assert Comparison.objects.filter(criterion=written).count() == 2
    third = make_annotator(project)
    assert claim(third) is None
    moderation.accept_criterion(by=None, criterion=written)
    assert asked_of(third) == [MINE]
    assert violations() == {}


def test_rejected_it_is_refused_to_who_writes_it_and_makes_no_label(project: Project) -> None:
    for _ in range(2):
        make_comparison(make_pair(project), "Which is better?", k=3)
    author, other = make_annotator(project), make_annotator(project)
    written = write(author)
    with pytest.raises(ValidationError):
        moderation.reject_criterion(by=None, criterion=written, reason="  ")
    units = len(judged_units(project, Partition.TRAIN))
    moderation.reject_criterion(by=None, criterion=written, reason="It names two things.")
    assert len(judged_units(project, Partition.TRAIN)) == units - 1
    held = claim(other)
    assert held
    own = Answer(id=uuid4(), criterion=MINE.upper(), verdict="b", strength=1)
    with pytest.raises(Invalid, match="It names two things"):
        submit(annotator=other, claim_id=held.pk, answers=[own])
    with pytest.raises(ValidationError, match="It names two things"):
        criteria.add_criterion(by=None, project=project, text=MINE)
    with pytest.raises(ValidationError, match="rejected"):
        moderation.reject_criterion(by=None, criterion=written, reason="Again.")
    assert violations() == {}


def test_retired_it_is_asked_no_more_and_what_was_judged_stays(project: Project) -> None:
    pairs = [make_pair(project) for _ in range(3)]
    criterion = make_criterion(project, "Which is calmer?")
    for pair in pairs:
        make_comparison(pair, criterion, k=2)
    make_comparison(pairs[1], "Which is better?", k=2)
    one, other = make_annotator(project), make_annotator(project)
    held = claim(one)
    assert held
    answer = Answer(id=uuid4(), comparison=held.comparison_ids[0], verdict="a", strength=2)
    moderation.retire_criterion(by=None, criterion=criterion, reason="Nobody agrees.")
    submit(annotator=one, claim_id=held.pk, answers=[answer])  # what is in hand is still taken
    assert asked_of(other) == ["Which is better?"]
    Claim.objects.filter(annotator=other).update(expires_at="2000-01-01T00:00:00Z")
    assert len(judged_units(project, Partition.TRAIN)) == 1
    (wanted,) = read_wanted(project)
    assert (wanted.labels, wanted.judged) == (3, 1)
    with pytest.raises(ValidationError):
        criteria.apply_criterion(by=None, criterion=criterion)
    assert violations() == {}
    # Undone, the pairs that were spared come again.
    moderation.undo_decision(by=None, criterion=criterion, version=1)
    criterion.refresh_from_db()
    assert (criterion.state, criterion.in_library, criterion.reason) == ("accepted", True, "")
    third = make_annotator(project)
    project.claims_in_hand = 9
    project.save()
    seen = [asked_of(third) for _ in range(3)]
    assert sum(len(texts) for texts in seen) == 4
    assert violations() == {}


def test_pairs_with_nothing_left_to_ask_do_not_fill_the_queue(project: Project) -> None:
    criterion = make_criterion(project, "Which is calmer?")
    for n in range(60):
        make_comparison(make_pair(project, shuffle=n), criterion)
    make_comparison(make_pair(project, shuffle=1000), "Which is better?")
    moderation.retire_criterion(by=None, criterion=criterion)
    assert asked_of(make_annotator(project)) == ["Which is better?"]
    assert Draw.objects.count() == 1
    assert Stream.objects.get().queued == 61


def test_on_many_pairs_a_job_settles_the_queue(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moderation, "AT_ONCE", 2)
    monkeypatch.setattr(moderation, "_BATCH", 2)
    criterion = make_criterion(project, "Which is calmer?", state="proposed", in_library=False)
    for _ in range(5):
        make_comparison(make_pair(project, queued=True), criterion)
    Stream.objects.update(queued=5)
    moderation.accept_criterion(by=make_member(project, Role.REVIEWER), criterion=criterion)
    job = Job.objects.get(kind=JobKind.SETTLE)
    assert Draw.objects.count() == 0
    assert run_job(job.pk, by_hand=True).done == 5
    assert Draw.objects.filter(open=True).count() == 5
    assert violations() == {}


def test_the_second_of_two_moderators_is_told(project: Project) -> None:
    criterion = make_criterion(project, MINE, state="proposed", in_library=False)
    moderation.accept_criterion(by=None, criterion=criterion, version=0)
    with pytest.raises(Conflict, match="accepted now") as refused:
        moderation.reject_criterion(by=None, criterion=criterion, reason="No.", version=0)
    assert refused.value.code == "decided"
    assert Criterion.objects.get().state == "accepted"


def test_reviewers_moderate_and_annotators_and_strangers_do_not(project: Project) -> None:
    criterion = make_criterion(project, MINE, state="proposed", in_library=False)
    with pytest.raises(Denied):
        moderation.accept_criterion(by=make_member(project), criterion=criterion)
    with pytest.raises(Unknown):
        moderation.accept_criterion(by=make_member(make_project(), Role.MANAGER), criterion=criterion)
    assert Criterion.objects.get().version == 0


def test_promoted_it_is_suggested_and_demoted_it_is_not(project: Project) -> None:
    criterion = make_criterion(project, MINE, state="proposed", in_library=False)
    moderation.promote_criterion(by=None, criterion=criterion)
    assert [text for text, _ in like_criteria(project, "spoken language")] == [MINE]
    moderation.demote_criterion(by=None, criterion=criterion)
    assert like_criteria(project, "spoken language") == []
    assert Criterion.objects.get().state == "accepted"
    assert criteria.add_criterion(by=None, project=project, text=MINE).in_library, (
        "a manager's choice promotes"
    )
    moderation.undo_decision(by=None, criterion=criterion)
    moderation.undo_decision(by=None, criterion=criterion)  # undone once more: decided again
    criterion.refresh_from_db()
    assert criterion.in_library


def test_many_are_decided_each_by_itself(project: Project) -> None:
    rows = [make_criterion(project, text, state="proposed", in_library=False) for text in "abc"]
    moderation.accept_criterion(by=None, criterion=rows[1])
    foreign = make_criterion(make_project(), "d", state="proposed", in_library=False)
    done = moderation.decide_criteria(
        by=None,
        project=project,
        deed="accept",
        chosen=[moderation.Chosen(row.pk, 0) for row in (*rows, foreign)],
    )
    assert [(bool(one.problem), one.conflict) for one in done] == [
        (False, False),
        (True, True),
        (False, False),
        (True, False),
    ]
    assert Criterion.objects.filter(project=project, state=CriterionState.ACCEPTED).count() == 3
    assert Criterion.objects.get(pk=foreign.pk).state == "proposed"
    for wrong in (
        {"deed": "burn", "chosen": [moderation.Chosen(1, 0)]},
        {"deed": "accept", "chosen": []},
        {"deed": "reject", "chosen": [moderation.Chosen(1, 0)]},
        {"deed": "merge", "chosen": [moderation.Chosen(1, 0)], "into": foreign.pk},
    ):
        with pytest.raises(ValidationError):
            moderation.decide_criteria(by=None, project=project, **wrong)


def test_a_merged_criterion_is_not_asked_beside_its_canonical_one(project: Project) -> None:
    both, alone = make_pair(project), make_pair(project)
    canonical = make_criterion(project, "The answer is short.")
    duplicate = make_criterion(project, "The answer is brief.")
    for pair in (both, alone):
        make_comparison(pair, duplicate, k=2)
    make_comparison(both, canonical, k=2)
    moderation.merge_criteria(by=None, duplicate=duplicate, into=canonical)
    one = make_annotator(project)
    assert sorted([asked_of(one), asked_of(one)]) == [["The answer is brief."], ["The answer is short."]]
    assert violations() == {}
    moderation.unmerge_criterion(by=None, duplicate=duplicate)
    other = make_annotator(project)
    assert sorted(map(sorted, [asked_of(other), asked_of(other)])) == [
        ["The answer is brief."],
        ["The answer is brief.", "The answer is short."],
    ]
    assert violations() == {}


def test_unmerged_it_takes_back_what_came_along(project: Project) -> None:
    a, b, c = (make_criterion(project, text) for text in "abc")
    moderation.merge_criteria(by=None, duplicate=a, into=b)
    moderation.merge_criteria(by=None, duplicate=b, into=c, version=0)
    with pytest.raises(ValidationError, match="Unmerge it first"):
        moderation.merge_criteria(by=None, duplicate=b, into=make_criterion(project, "d"))
    moderation.undo_decision(by=None, criterion=b, version=1)
    for row in (a, b, c):
        row.refresh_from_db()
    assert (a.canonical, b.canonical, c.canonical) == (b, None, None)
    assert b.in_library and not a.in_library
    moderation.unmerge_criterion(by=None, duplicate=a)
    a.refresh_from_db()
    assert a.canonical is None and a.in_library
    assert violations() == {}
    with pytest.raises(ValidationError, match="not merged"):
        moderation.unmerge_criterion(by=None, duplicate=a)


def test_a_merge_needs_one_that_is_asked(project: Project) -> None:
    accepted, proposed = (
        make_criterion(project, "a"),
        make_criterion(project, "b", state="proposed", in_library=False),
    )
    rejected = make_criterion(project, "c", state="rejected", in_library=False, reason="No.")
    for duplicate, into in ((accepted, proposed), (accepted, rejected), (rejected, accepted)):
        with pytest.raises(ValidationError, match="first"):
            moderation.merge_criteria(by=None, duplicate=duplicate, into=into)
    comparison = make_comparison(make_pair(project, queued=True), proposed, k=2)
    Stream.objects.update(queued=1)
    author, other = make_annotator(project, judged_pairs=1), make_annotator(project)
    judge(comparison, "response1", author)
    assert claim(other) is None
    moderation.merge_criteria(by=None, duplicate=proposed, into=accepted)
    assert asked_of(other) == ["b"], "it counts for the accepted one, and its seats are asked"
    assert Seat.objects.filter(comparison=comparison).count() == 2
    assert violations() == {}
