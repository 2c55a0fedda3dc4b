"""The page behind a link: it lets in whom it should, and tells nothing to whom it should not."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotate.actions import invitations
from annotate.models import Invitation, Project, Role, User
from tests.admin.conftest import logged_in
from tests.factories import make_member, make_project, make_user

pytestmark = pytest.mark.django_db
STRONG = {"username": "ada", "password": "correct horse battery", "again": "correct horse battery"}


@pytest.fixture
def project() -> Project:
    return make_project(name="Which answer is kinder")


@pytest.fixture
def url(project: Project) -> str:
    token = invitations.make_link(by=None, project=project, role=Role.REVIEWER).token
    return reverse("join", args=[token])


def test_who_has_no_account_makes_one_and_is_in(project: Project, url: str) -> None:
    client = Client()
    page = client.get(url).content.decode()
    assert project.name in page and "as reviewer" in page
    answered = client.post(url, STRONG, follow=True)
    assert answered.redirect_chain == [("/", 302)]
    assert project.name in answered.content.decode()
    membership = project.memberships.get()
    assert (membership.user.username, membership.role) == ("ada", Role.REVIEWER)
    assert client.session[SESSION_KEY] == str(membership.user_id)
    assert Client().get(url).status_code == 404  # it was for one


def test_who_is_logged_in_joins_by_posting_alone(project: Project, url: str) -> None:
    user = make_user(password=None)
    client = logged_in(user)
    page = client.get(url).content.decode()
    assert user.username in page and 'type="password"' not in page
    assert not project.memberships.exists()
    assert client.post(url).status_code == 302
    assert project.memberships.get().user == user


def test_a_member_is_told_so_and_uses_nothing_up(project: Project, url: str) -> None:
    client = logged_in(make_member(project, Role.MANAGER))
    assert "a member of this project already" in client.get(url).content.decode()
    client.post(url)
    assert Invitation.objects.get().uses_left == 1
    assert project.memberships.get().role == Role.MANAGER


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"username": "taken"}, "already exists"),
        ({"username": "a b"}, "Enter a valid username"),
        ({"password": "12345678", "again": "12345678"}, "too common"),
        ({"again": "another horse"}, "The two passwords differ."),
        ({"password": "", "again": ""}, "This field is required"),
    ],
)
def test_a_form_that_is_wrong_says_why(
    project: Project, url: str, changed: dict[str, str], told: str
) -> None:
    make_user("taken", password=None)
    answered = Client().post(url, {**STRONG, **changed})
    assert answered.status_code == 200 and told in answered.content.decode()
    assert STRONG["password"] not in answered.content.decode()
    assert not project.memberships.exists() and User.objects.count() == 1
    assert Client().post(url, STRONG).status_code == 302


def test_links_that_open_nothing_get_one_answer_by_one_way(project: Project) -> None:
    made = [invitations.make_link(by=None, project=project, role=Role.ANNOTATOR) for _ in range(3)]
    of = [Invitation.objects.filter(pk=link.invitation.pk) for link in made]
    of[0].update(uses_left=0)
    of[1].update(expires_at=timezone.now() - timedelta(seconds=1))
    of[2].update(revoked_at=timezone.now())
    answers: set[Any] = set()
    for token in [*(link.token for link in made), "unknown", "x" * 2000]:
        for client in (Client(), Client(HTTP_ACCEPT_LANGUAGE="en")):
            for ask in (client.get, client.post):
                with CaptureQueriesContext(
                    connection,
                ) as captured:
                    answered = ask(reverse("join", args=[token]), STRONG if ask == client.post else {})
                page = re.sub(rb'value="\w{64}"', b"", answered.content).replace(token.encode(), b"TOKEN")
                statements = tuple(
                    re.sub(r"'[^']*'", "", query["sql"]) for query in captured.captured_queries
                )
                answers.add((answered.status_code, page, statements))
    [(status, page, statements)] = answers
    assert status == 404 and b"opens nothing" in page and project.name.encode() not in page
    assert len(statements) == 1  # whoever guesses learns nothing from how long it takes
    assert not User.objects.exists()


def test_a_forged_acceptance_is_refused(project: Project, url: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(password=None))
    assert client.post(url).status_code == 403
    assert Client(enforce_csrf_checks=True).post(url, STRONG).status_code == 403
    assert not project.memberships.exists()


def test_managers_make_links_that_are_shown_once(project: Project) -> None:
    client = logged_in(make_member(project, Role.MANAGER))
    url = reverse("admin:annotate_project_act", args=[project.pk, "link"])
    page = client.post(
        url, {"role": "annotator", "uses": 3, "days": 7, "tags": "expert, fluent"}
    ).content.decode()
    [path] = re.findall(r"http://testserver(/join/[\w-]+/)</td>", page)
    assert "data:text/csv" in page
    assert Client().get(path).status_code == 200
    token = path.split("/")[2]
    for shown in (
        reverse("admin:annotate_invitation_changelist"),
        reverse("admin:annotate_invitation_change", args=[Invitation.objects.get().pk]),
    ):
        page = client.get(shown).content.decode()
        assert token not in page and Invitation.objects.get().token_sha256.hex() not in page
    assert Invitation.objects.get().tags == ["expert", "fluent"]


def test_a_list_makes_a_link_for_each_or_none(project: Project) -> None:
    client = logged_in(make_member(project, Role.MANAGER))
    url = reverse("admin:annotate_project_act", args=[project.pk, "invite"])
    wrong = client.post(url, {"rows": "ada@example.org,annotator\nbob,king", "days": 7}).content.decode()
    assert "Row 2, email: &#x27;bob&#x27; is no address." in wrong and "Row 2, role:" in wrong
    assert not Invitation.objects.exists()
    page = client.post(url, {"rows": "ada@example.org,annotator\n=1+1@example.org,reviewer", "days": 7})
    assert len(set(re.findall(r"/join/[\w-]+/</td>", page.content.decode()))) == 2
    # What a spreadsheet would run as a formula is quoted.
    assert "%27%3D1%2B1%40example.org" in page.content.decode()
    assert set(Invitation.objects.values_list("email", "role")) == {
        ("ada@example.org", "annotator"),
        ("=1+1@example.org", "reviewer"),
    }


def test_a_revoked_link_opens_nothing(project: Project, url: str) -> None:
    client = logged_in(make_member(project, Role.MANAGER))
    client.post(reverse("admin:annotate_invitation_act", args=[Invitation.objects.get().pk, "revoke"]))
    assert Client().get(url).status_code == 404
