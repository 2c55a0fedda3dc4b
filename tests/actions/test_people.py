"""Pseudonyms made once, accounts made by superusers, and the one erasure."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction

from annotate.access import Denied, Unknown
from annotate.actions import people, withdrawal
from annotate.models import (
    Annotator,
    AuditEntry,
    Claim,
    Comparison,
    Criterion,
    Draw,
    Judgment,
    Role,
    Route,
    Seat,
)
from tests.factories import (
    judge,
    make_annotator,
    make_comparison,
    make_criterion,
    make_member,
    make_pair,
    make_project,
    make_user,
)


@pytest.mark.django_db(transaction=True)
def test_first_use_by_many_at_once_makes_one_pseudonym() -> None:
    project = make_project()
    user = make_member(project)

    def ask(_: int) -> int:
        try:
            return people.annotator_for(user, project).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(16)))) == 1
    assert Annotator.objects.filter(user=user).count() == 1


@pytest.mark.django_db
def test_pseudonyms_differ_by_project_and_strangers_get_none() -> None:
    user = make_user()
    one, two = make_project(), make_project()
    make_member(one, user=user)
    make_member(two, user=user)
    assert people.annotator_for(user, one).pseudonym != people.annotator_for(user, two).pseudonym
    assert user.username not in people.annotator_for(user, one).pseudonym
    with pytest.raises(Unknown):
        people.annotator_for(user, make_project())


@pytest.mark.django_db
def test_accounts() -> None:
    root = make_user(superuser=True)
    user = people.create_user(by=root, username="ada", password="correct horse battery")
    assert user.check_password("correct horse battery") and not user.is_staff
    assert AuditEntry.objects.get(deed="create user").by == root
    with pytest.raises(ValidationError):
        people.create_user(by=root, username="bob", password="12345678")
    with pytest.raises(ValidationError):
        people.create_user(by=root, username="ada", password="correct horse battery")
    with pytest.raises(Denied):
        people.create_user(by=user, username="eve", password="correct horse battery")


@pytest.mark.django_db
def test_withdrawal_erases_everything_of_one_annotator_and_asks_again() -> None:
    project = make_project()
    manager, leaver_user = make_member(project, Role.MANAGER), make_member(project)
    leaver, stayer = make_annotator(project, leaver_user), make_annotator(project)
    pair = make_pair(project, queued=True)
    comparison = make_comparison(pair, k=2)
    criterion = make_criterion(project, "Which one rhymes?", author=leaver)
    own = make_comparison(pair, criterion, author=leaver, k=1)
    first = judge(comparison, "response1", leaver)
    judge(comparison, "tie", supersedes=first)
    judge(own, "response2", leaver)
    kept = judge(comparison, "response2", stayer)
    waiting = judge(comparison, "response2", make_annotator(project), seated=False, late=True)

    with pytest.raises(Denied):
        withdrawal.withdraw_annotator(by=leaver_user, annotator=leaver)
    erased = withdrawal.withdraw_annotator(by=manager, annotator=leaver)

    assert erased == {
        "judgments": 3,
        "claims": 2,
        "pairs": 1,
        "releases": 0,
        "resolutions": 0,
        "comments": 0,
    }
    assert set(Judgment.objects.all()) == {kept, waiting}
    assert Claim.objects.count() == 2
    # The late judgment that waited for a seat has got the one that came free.
    assert set(Seat.objects.values_list("head_id", flat=True)) == {kept.pk, waiting.pk}
    assert not Annotator.objects.filter(pk=leaver.pk).exists()
    assert not project.memberships.filter(user=leaver_user).exists()
    assert Criterion.objects.get(pk=criterion.pk).author is None
    assert Comparison.objects.get(pk=own.pk).author is None
    assert Draw.objects.filter(pair=pair, route=Route.REOPENED, open=True).count() == 1
    entry = AuditEntry.objects.get(deed="withdraw annotator")
    assert entry.by == manager and entry.details == erased
    # The door is shut again, within this very transaction.
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Judgment.objects.filter(pk=kept.pk).delete()
