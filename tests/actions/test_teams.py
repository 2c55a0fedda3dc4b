"""Teams give roles and take them away, and nobody loses what they have otherwise."""

import threading

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from annotate.access import Denied, Unknown
from annotate.actions.invitations import accept_invitation, make_link
from annotate.actions.members import add_member, change_role, remove_member
from annotate.actions.teams import (
    add_to_team,
    give_team_role,
    make_team,
    remove_team,
    take_from_team,
    take_team_role,
)
from annotate.models import AuditEntry, Membership, Project, Role, Team, TeamMember, TeamRole, User
from tests.factories import make_member, make_project, make_user

pytestmark = pytest.mark.django_db


def role_in(project: Project, user: User) -> str | None:
    return Membership.objects.filter(project=project, user=user).values_list("role", flat=True).first()


def test_a_team_gives_its_role_at_once_and_takes_it_with_it() -> None:
    project, team, ada = make_project(), make_team(by=None, name=" the  linguists "), make_user(password=None)
    assert team.name == "the linguists"
    assert add_to_team(by=None, team=team, user=ada) and not add_to_team(by=None, team=team, user=ada)
    assert role_in(project, ada) is None
    assert give_team_role(by=None, team=team, project=project, role=Role.REVIEWER)
    assert not give_team_role(by=None, team=team, project=project, role=Role.REVIEWER)
    bob = make_user(password=None)
    add_to_team(by=None, team=team, user=bob)
    assert role_in(project, ada) == role_in(project, bob) == Role.REVIEWER
    give_team_role(by=None, team=team, project=project, role=Role.ANNOTATOR)
    assert role_in(project, ada) == Role.ANNOTATOR
    assert take_from_team(by=None, team=team, user=ada) and not take_from_team(by=None, team=team, user=ada)
    assert (role_in(project, ada), role_in(project, bob)) == (None, Role.ANNOTATOR)
    remove_team(by=None, team=team)
    assert role_in(project, bob) is None
    deeds = list(AuditEntry.objects.filter(project=project).order_by("pk").values_list("deed", flat=True))
    assert deeds.count("add member by team") == deeds.count("remove member by team") == 2
    assert "give team a role" in deeds and "change role by team" in deeds


def test_what_one_has_otherwise_stays() -> None:
    project = make_project()
    ada = make_member(project, Role.REVIEWER, make_user(password=None))
    [one, other] = [make_team(by=None, name=name) for name in ("one", "other")]
    for team, role in ((one, Role.MANAGER), (other, Role.ANNOTATOR)):
        add_to_team(by=None, team=team, user=ada)
        give_team_role(by=None, team=team, project=project, role=role)
    assert role_in(project, ada) == Role.MANAGER
    membership = Membership.objects.get(user=ada)
    with pytest.raises(ValidationError, match="here by a team"):
        remove_member(by=None, membership=membership)
    change_role(by=None, membership=membership, role=Role.ANNOTATOR)
    assert role_in(project, ada) == Role.MANAGER, "by the team"
    take_team_role(by=None, team=one, project=project)
    assert role_in(project, ada) == Role.ANNOTATOR
    take_from_team(by=None, team=other, user=ada)
    assert role_in(project, ada) == Role.ANNOTATOR, "of their own"


def test_a_link_gives_a_role_of_ones_own_beside_the_team_s() -> None:
    project, ada, team = make_project(), make_user(password=None), make_team(by=None, name="one")
    add_to_team(by=None, team=team, user=ada)
    give_team_role(by=None, team=team, project=project, role=Role.REVIEWER)
    link = make_link(by=None, project=project, role=Role.ANNOTATOR)
    accept_invitation(user=ada, token=link.token)
    assert role_in(project, ada) == Role.REVIEWER
    take_team_role(by=None, team=team, project=project)
    assert role_in(project, ada) == Role.ANNOTATOR


def test_who_may() -> None:
    project, other = make_project(), make_project()
    manager, root = make_member(project, Role.MANAGER), make_user(superuser=True)
    team = make_team(by=root, name="one")
    for deed in (
        lambda: make_team(by=manager, name="two"),
        lambda: add_to_team(by=manager, team=team, user=manager),
        lambda: take_from_team(by=manager, team=team, user=manager),
        lambda: remove_team(by=manager, team=team),
    ):
        with pytest.raises(Denied):
            deed()
    give_team_role(by=manager, team=team, project=project, role=Role.ANNOTATOR)
    with pytest.raises(Unknown):
        give_team_role(by=manager, team=team, project=other, role=Role.ANNOTATOR)
    with pytest.raises(Denied):
        take_team_role(by=make_member(project, Role.REVIEWER), team=team, project=project)
    with pytest.raises(ValidationError):
        make_team(by=root, name="one")


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 1), st.sampled_from(Role)), max_size=25
    )
)
def test_a_membership_is_the_highest_of_what_there_is(history: list[tuple[int, int, int, Role]]) -> None:
    Team.objects.all().delete()
    project = make_project()
    people = [make_user(password=None) for _ in range(2)]
    teams = [make_team(by=None, name=name) for name in ("one", "other")]
    own: dict[int, Role | None] = {person.pk: None for person in people}
    for deed, who, which, role in history:
        person, team = people[who], teams[which]
        membership = Membership.objects.filter(project=project, user=person).first()
        if deed == 0:
            add_to_team(by=None, team=team, user=person)
        elif deed == 1:
            take_from_team(by=None, team=team, user=person)
        elif deed == 2:
            give_team_role(by=None, team=team, project=project, role=role)
        elif deed == 3:
            take_team_role(by=None, team=team, project=project)
        elif membership is None:
            add_member(by=None, project=project, user=person, role=role)
            own[person.pk] = role
        elif deed == 4:
            change_role(by=None, membership=membership, role=role)
            own[person.pk] = role
        else:
            try:
                remove_member(by=None, membership=membership)
                own[person.pk] = None
            except ValidationError:
                assert TeamRole.objects.filter(project=project, team__members__user=person).exists()
    for person in people:
        given = TeamRole.objects.filter(project=project, team__members__user=person)
        held = [Role(role) for role in given.values_list("role", flat=True)]
        if mine := own[person.pk]:
            held.append(mine)
        assert role_in(project, person) == max(held, key=lambda role: list(Role).index(role), default=None)


@pytest.mark.django_db(transaction=True)
def test_two_teams_that_change_at_once_leave_no_role_behind() -> None:
    project, ada = make_project(), make_user(password=None)
    teams = [make_team(by=None, name=f"team {n}") for n in range(6)]
    for team in teams:
        add_to_team(by=None, team=team, user=ada)
        give_team_role(by=None, team=team, project=project, role=Role.ANNOTATOR)
    start, errors = threading.Barrier(len(teams)), []

    def leave(team: Team) -> None:
        try:
            start.wait()
            take_from_team(by=None, team=team, user=ada)
        except Exception as error:
            errors.append(repr(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=leave, args=(team,)) for team in teams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and not TeamMember.objects.exists()
    assert role_in(project, ada) is None
