"""The library of criteria: added once, applied to pairs, merged into a canonical one."""

import pytest
from django.core.exceptions import ValidationError

from annotate.access import Denied
from annotate.actions import criteria, moderation
from annotate.actions.jobs import run_job
from annotate.models import AuditEntry, Comparison, DataImport, Draw, Job, Partition, Role, Route
from tests.factories import make_comparison, make_member, make_pair, make_project

pytestmark = pytest.mark.django_db


def test_added_once_whatever_the_case() -> None:
    project = make_project()
    manager = make_member(project, Role.MANAGER)
    first = criteria.add_criterion(by=manager, project=project, text=" Which is  clearer? ")
    again = criteria.add_criterion(by=manager, project=project, text="which is clearer?")
    assert first == again and first.text == "Which is  clearer?"
    assert AuditEntry.objects.filter(deed="add criterion").count() == 1
    for text in ("  ", "x" * 501):
        with pytest.raises(ValidationError):
            criteria.add_criterion(by=manager, project=project, text=text)
    with pytest.raises(Denied):
        criteria.add_criterion(by=make_member(project), project=project, text="Mine?")


def test_applied_to_all_visible_pairs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(criteria, "_BATCH", 2)
    project = make_project(k=2, reserve_k=5)
    drawn = [make_pair(project, queued=True) for _ in range(3)]
    undrawn = make_pair(project, partition=Partition.RESERVE)
    job = Job.objects.create(kind="import", project=project)
    unfinished = DataImport.objects.create(project=project, job=job, spec={})
    make_pair(project, data_import=unfinished)
    make_pair(make_project())
    criterion = criteria.add_criterion(by=None, project=project, text="Which is clearer?")
    make_comparison(drawn[0], criterion, k=1)

    for _ in range(2):
        job = criteria.apply_criterion(by=None, criterion=criterion)
        assert run_job(job.pk, by_hand=True).done == 5
    wanted = dict(Comparison.objects.filter(criterion=criterion).values_list("pair_id", "k"))
    assert wanted == {drawn[0].pk: 1, drawn[1].pk: 2, drawn[2].pk: 2, undrawn.pk: 5}
    reopened = Draw.objects.filter(route=Route.REOPENED).values_list("pair_id", flat=True)
    assert sorted(reopened) == [drawn[1].pk, drawn[2].pk]


def test_merged_ones_point_at_one_canonical() -> None:
    project = make_project()
    a, b, c, d = (criteria.add_criterion(by=None, project=project, text=text) for text in "abcd")
    moderation.merge_criteria(by=None, duplicate=a, into=b)
    moderation.merge_criteria(by=None, duplicate=d, into=a)  # a is b by now
    moderation.merge_criteria(by=None, duplicate=b, into=c)
    for row in (a, b, c, d):
        row.refresh_from_db()
    assert (a.canonical, b.canonical, c.canonical, d.canonical) == (c, c, None, c)
    for duplicate, into in ((c, c), (c, a)):
        with pytest.raises(ValidationError):
            moderation.merge_criteria(by=None, duplicate=duplicate, into=into)
    with pytest.raises(ValidationError):
        criteria.apply_criterion(by=None, criterion=a)
    stranger = criteria.add_criterion(by=None, project=make_project(), text="a")
    with pytest.raises(ValidationError, match="two projects"):
        moderation.merge_criteria(by=None, duplicate=stranger, into=c)
