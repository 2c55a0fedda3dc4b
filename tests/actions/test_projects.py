"""Projects: who may change them, what is written down, and what raising k asks for again."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from annotate.access import Denied, Unknown
from annotate.actions import members, projects
from annotate.actions.jobs import run_job
from annotate.models import AuditEntry, Comparison, Draw, Partition, Project, ProjectState, Role, Route, Seat
from tests.factories import judge, make_comparison, make_member, make_pair, make_project, make_user

pytestmark = pytest.mark.django_db


def deeds(project: Project) -> list[str]:
    return list(AuditEntry.objects.filter(project=project).order_by("pk").values_list("deed", flat=True))


def test_only_superusers_make_projects() -> None:
    with pytest.raises(Denied):
        projects.create_project(by=make_user(), slug="p", name="P")
    root = make_user(superuser=True)
    project = projects.create_project(by=root, slug="p", name="P", k=5, reserve_share=1.0, validation_share=0)
    assert (project.k, deeds(project)) == (5, ["create project"])
    assert AuditEntry.objects.get(project=project).by == root


@pytest.mark.parametrize(
    "settings", [{"k": 10}, {"scale": 4}, {"salt": "mine"}, {"reserve_share": 0.7, "validation_share": 0.7}]
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        projects.create_project(by=None, slug="p", name="P", **settings)
    project = make_project()
    with pytest.raises(ValidationError):
        projects.change_project(by=None, project=project, **settings)
    project.refresh_from_db()
    assert project.k == 3 and deeds(project) == []


def test_change_is_audited_with_both_values_and_only_if_it_is_one() -> None:
    project = make_project()
    manager = make_member(project, Role.MANAGER)
    projects.change_project(by=manager, project=project, name=project.name, k=4)
    projects.change_project(by=manager, project=project, k=4)
    entry = AuditEntry.objects.get(project=project)
    assert entry.details == {"changed": {"k": [3, 4]}}


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.REVIEWER])
def test_other_members_may_not(role: Role) -> None:
    project = make_project()
    with pytest.raises(Denied):
        projects.pause_project(by=make_member(project, role), project=project)
    with pytest.raises(Unknown):
        projects.pause_project(by=make_user(), project=project)
    project.refresh_from_db()
    assert project.state == ProjectState.OPEN


def test_pause_and_open_once() -> None:
    project = make_project()
    assert projects.pause_project(by=None, project=project)
    assert not projects.pause_project(by=None, project=project)
    assert projects.open_project(by=None, project=project)
    assert projects.close_project(by=None, project=project)
    assert deeds(project) == ["pause project", "open project", "close project"]


def test_members() -> None:
    project, user = make_project(), make_user()
    membership = members.add_member(by=None, project=project, user=user, role=Role.REVIEWER)
    with pytest.raises(ValidationError):
        members.add_member(by=None, project=project, user=user)
    members.change_role(by=None, membership=membership, role=Role.MANAGER)
    membership.refresh_from_db()
    assert membership.role == Role.MANAGER
    members.remove_member(by=user, membership=membership)
    assert deeds(project) == ["add member", "change role", "remove member"]
    assert not project.memberships.exists()


def test_raise_k_asks_again_for_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "_BATCH", 2)
    project = make_project(k=1)
    full = [make_comparison(make_pair(project, queued=True), k=1) for _ in range(5)]
    for comparison in full:
        judge(comparison, "response1")
    undrawn = make_comparison(make_pair(project), k=1)
    reserve = make_comparison(make_pair(project, partition=Partition.RESERVE, queued=True), k=1)
    other = make_comparison(make_pair(make_project(), queued=True), k=1)

    job = projects.raise_k(by=None, project=project, k=3, partition=Partition.TRAIN)
    assert run_job(job.pk, by_hand=True).done == 6
    assert set(Comparison.objects.filter(k=3)) == {*full, undrawn}
    assert set(Comparison.objects.filter(k=1)) == {reserve, other}
    assert set(Seat.objects.values_list("k", flat=True)) == {3}
    reopened = Draw.objects.filter(route=Route.REOPENED).values_list("pair_id", flat=True)
    assert sorted(reopened) == sorted(comparison.pair_id for comparison in full)
    again = projects.raise_k(by=None, project=project, k=3, partition=Partition.TRAIN)
    assert run_job(again.pk, by_hand=True).done == 0
    assert Draw.objects.filter(route=Route.REOPENED).count() == len(full)
    with pytest.raises(ValidationError):
        projects.raise_k(by=None, project=project, k=10)
    with pytest.raises(Denied):
        projects.raise_k(by=make_member(project), project=project, k=4)
