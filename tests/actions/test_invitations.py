"""Links into a project: who gets in, how often, as what, and what a list of people must be like."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from annotate.access import Denied, Unknown
from annotate.actions import invitations
from annotate.actions.invitations import Invited, accept_invitation, make_link, read_invited, sign_up
from annotate.actions.withdrawal import withdraw_annotator
from annotate.models import AuditEntry, Invitation, Membership, Project, Role, User
from tests.factories import make_annotator, make_member, make_project, make_user

STRONG = "correct horse battery"


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


def link(project: Project, role: Role = Role.ANNOTATOR, uses: int = 1) -> invitations.Link:
    return make_link(by=None, project=project, role=role, uses=uses)


def role_of(project: Project, user: User) -> str | None:
    return Membership.objects.filter(project=project, user=user).values_list("role", flat=True).first()


def test_the_token_is_kept_nowhere(project: Project) -> None:
    made = link(project)
    assert len(made.token) >= 32
    row = Invitation.objects.filter(pk=made.invitation.pk).values().get()
    assert bytes(row["token_sha256"]) == hashlib.sha256(made.token.encode()).digest()
    assert made.token not in repr(row)
    assert made.token not in repr(list(AuditEntry.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_who_take_a_link_for_five_are_five_members() -> None:
    project = make_project()
    made = link(project, uses=5)
    people_of = [make_user(password=None) for _ in range(20)]
    start = threading.Barrier(20)

    def take(user: User) -> bool:
        try:
            start.wait()
            accept_invitation(user=user, token=made.token)
            return True
        except Unknown:
            return False
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as threads:
        got_in = list(threads.map(take, people_of))
    assert sum(got_in) == 5
    members = set(project.memberships.values_list("user", flat=True))
    assert members == {user.pk for user, inside in zip(people_of, got_in, strict=True) if inside}
    assert Invitation.objects.get().uses_left == 0
    assert AuditEntry.objects.filter(deed="join by invitation").count() == 5


@pytest.mark.django_db(transaction=True)
def test_one_who_takes_a_link_many_times_at_once_uses_it_once() -> None:
    project = make_project()
    made = link(project, uses=9)
    user = make_user(password=None)

    def take(_: int) -> None:
        try:
            accept_invitation(user=user, token=made.token)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(take, range(8)))
    assert project.memberships.count() == 1
    assert Invitation.objects.get().uses_left == 8


def test_what_opens_nothing_is_one_and_the_same(project: Project) -> None:
    user = make_user(password=None)
    used, old, withdrawn = (link(project) for _ in range(3))
    accept_invitation(user=make_user(password=None), token=used.token)
    Invitation.objects.filter(pk=old.invitation.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert invitations.revoke_invitation(by=None, invitation=withdrawn.invitation)
    assert not invitations.revoke_invitation(by=None, invitation=withdrawn.invitation)
    told = set()
    for token in (used.token, old.token, withdrawn.token, "unknown", "", used.token[:-1]):
        with pytest.raises(Unknown) as refused:
            accept_invitation(user=user, token=token)
        told.add(str(refused.value))
        with pytest.raises(Unknown):
            sign_up(token=token, username="ada", password=STRONG)
    assert told == {"This link opens nothing."}
    assert not User.objects.filter(username="ada").exists()
    assert role_of(project, user) is None


@pytest.mark.parametrize("before", list(Role))
@pytest.mark.parametrize("offered", list(Role))
def test_a_link_raises_a_role_and_never_lowers_it(project: Project, before: Role, offered: Role) -> None:
    user = make_member(project, before, make_user(password=None))
    made = link(project, offered)
    accept_invitation(user=user, token=made.token)
    order = list(Role)
    raised = order.index(offered) > order.index(before)
    assert role_of(project, user) == (offered if raised else before)
    assert Invitation.objects.get().uses_left == (0 if raised else 1)
    assert AuditEntry.objects.filter(deed="join by invitation").exists() == raised


def test_who_signs_up_is_a_member_with_what_the_link_says(project: Project) -> None:
    [made] = invitations.invite(
        by=None, project=project, invited=[Invited("ada@example.org", Role.REVIEWER, ("expert",))]
    )
    user = sign_up(token=made.token, username="ada", password=STRONG)
    assert user.check_password(STRONG)
    assert (user.email, user.is_superuser, user.is_staff) == ("ada@example.org", False, False)
    membership = project.memberships.get()
    assert (membership.user, membership.role, membership.tags) == (user, Role.REVIEWER, ["expert"])


@pytest.mark.parametrize(
    ("name", "password"),
    [("taken", STRONG), ("a b", STRONG), ("", STRONG), ("ada", "12345678"), ("ada", "ada")],
)
def test_a_sign_up_that_is_refused_costs_no_use(project: Project, name: str, password: str) -> None:
    make_user("taken", password=None)
    made = link(project)
    with pytest.raises(ValidationError):
        sign_up(token=made.token, username=name, password=password)
    assert Invitation.objects.get().uses_left == 1
    assert not project.memberships.exists() and User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_name_taken_by_many_at_once_is_one_account() -> None:
    project = make_project()
    made = link(project, uses=8)

    def take(_: int) -> bool:
        try:
            sign_up(token=made.token, username="ada", password=STRONG)
            return True
        except ValidationError:
            return False
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take, range(8))) == 1
    assert Invitation.objects.get().uses_left == 7
    assert project.memberships.count() == User.objects.count() == 1


def test_managers_alone_make_and_revoke(project: Project) -> None:
    made = link(project)
    for role, error in ((None, Unknown), (Role.ANNOTATOR, Denied), (Role.REVIEWER, Denied)):
        user = make_user(password=None) if role is None else make_member(project, role)
        with pytest.raises(error):
            make_link(by=user, project=project, role=Role.ANNOTATOR)
        with pytest.raises(error):
            invitations.invite(by=user, project=project, invited=[Invited("a@b.org", Role.ANNOTATOR)])
        with pytest.raises(error):
            invitations.revoke_invitation(by=user, invitation=made.invitation)
    manager = make_member(project, Role.MANAGER)
    make_link(by=manager, project=project, role=Role.ANNOTATOR)
    assert Invitation.objects.latest("pk").made_by == manager


@pytest.mark.parametrize(
    "wrong", [{"uses": 0}, {"uses": 10_001}, {"days": 0}, {"days": 366}, {"tags": ["x", "X"]}]
)
def test_a_link_out_of_range_is_not_made(project: Project, wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        make_link(by=None, project=project, role=Role.ANNOTATOR, **wrong)  # type: ignore[arg-type]
    assert not Invitation.objects.exists()


def test_a_list_is_read_with_and_without_header_and_tags() -> None:
    told = '\ufeffemail,role,tags\nada@example.org, Manager\n\nbob@example.org,annotator,"expert; fluent"\n'
    assert read_invited(told) == [
        Invited("ada@example.org", Role.MANAGER),
        Invited("bob@example.org", Role.ANNOTATOR, ("expert", "fluent")),
    ]
    assert read_invited("eve@example.org,reviewer") == [Invited("eve@example.org", Role.REVIEWER)]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("ada@example.org,annotator\nbob,annotator", "Row 2, email: 'bob' is no address."),
        ("ada@example.org,king", "Row 1, role: 'king' is none."),
        ("ada@example.org", "Row 1, columns: there are 1."),
        ("ada@example.org,annotator,x,y", "Row 1, columns: there are 4."),
        (f"ada@example.org,annotator,{'x' * 41}", "Row 1, tags: "),
        ("ada@example.org,annotator,x;X", "Row 1, tags: one stands there twice."),
        (
            "ada@example.org,annotator\nADA@example.org,reviewer",
            "Row 2, email: ADA@example.org stands in row 1",
        ),
        ("", "There is no row."),
        ("email,role\n", "There is no row."),
        ("\n".join(f"a{n}@example.org,annotator" for n in range(1001)), "At most 1,000 rows"),
    ],
)
def test_what_is_wrong_with_a_list_is_told_by_row_and_field(rows: str, problem: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read_invited(rows)
    assert any(told.startswith(problem) for told in refused.value.messages), refused.value.messages


def test_every_wrong_row_is_told_and_many_are_counted() -> None:
    with pytest.raises(ValidationError) as refused:
        read_invited("\n".join(["bob,annotator"] * 30))
    assert len(refused.value.messages) == 21 and refused.value.messages[-1] == "... and 10 problems more."


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading_of_a_list(text: str) -> None:
    try:
        assert all(one.email and one.role in Role for one in read_invited(text))
    except ValidationError as error:
        assert error.messages


def test_a_withdrawal_takes_the_address_from_the_invitation(project: Project) -> None:
    [made, other] = invitations.invite(
        by=None,
        project=project,
        invited=[Invited("ada@example.org", Role.ANNOTATOR), Invited("bob@example.org", Role.ANNOTATOR)],
    )
    user = sign_up(token=made.token, username="ada", password=STRONG)
    withdraw_annotator(by=None, annotator=make_annotator(project, user))
    assert set(Invitation.objects.values_list("pk", "email")) == {
        (made.invitation.pk, ""),
        (other.invitation.pk, "bob@example.org"),
    }
