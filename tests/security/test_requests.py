"""What a request carries beyond what was asked for: forged, renamed, smuggled into a query."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from annotate.models import Annotator, Claim, Judgment, Membership, Role
from tests.security.permissions import EXPECTED
from tests.security.test_permissions import body_of, content_of, path_of
from tests.security.world import World, make_world

pytestmark = pytest.mark.django_db
JSON = "application/json"

API_POSTS = sorted(
    {row[0] for row in EXPECTED if row[0].startswith("api/") and row[2] == "POST" and 200 in row[3]}
)
PAGES = sorted(
    {row[0] for row in EXPECTED if not row[0].startswith("admin/") and row[2] == "GET" and 200 in row[3]}
)
FEELERS = (
    "project__salt__startswith=0",
    "memberships__user__password__startswith=p",
    "pseudonym_key__gt=0",
    "annotator__user__email__contains=@",
    "id__gte=0",
    "role=manager",
    "user=1",
)


@pytest.fixture
def world() -> Iterator[World]:
    yield make_world()


def test_there_is_something_to_ask() -> None:
    assert len(API_POSTS) == 6 and len(PAGES) > 10


@pytest.mark.parametrize("route", [*API_POSTS, "api/<str:version>/claims/<uuid:claim_id>/undo/"])
def test_a_post_to_the_api_without_our_token_is_forged(route: str, world: World) -> None:
    client = world.client("annotator", enforce_csrf_checks=True)
    path, body = path_of(route, "own", "annotator", world), body_of(route, "own", "annotator", world)
    before = (Claim.objects.count(), list(Claim.objects.order_by("pk").values_list("expires_at", "outcome")))
    forged = client.post(path, json.dumps(body), content_type=JSON)
    assert (forged.status_code, forged.json()["error"]["code"]) == (403, "permission_denied")
    foreign = client.post(
        path, json.dumps(body), content_type=JSON, headers={"Origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
    assert before == (
        Claim.objects.count(),
        list(Claim.objects.order_by("pk").values_list("expires_at", "outcome")),
    )
    assert not Judgment.objects.filter(annotator__user=world.users["annotator"]).exists()
    client.get(f"/judge/{world.ours.project.slug}/")
    token = client.cookies["csrftoken"].value
    sent = client.post(path, json.dumps(body), content_type=JSON, headers={"X-CSRFToken": token})
    assert sent.status_code == (409 if route.endswith("undo/") else 200)


@pytest.mark.parametrize(
    "path",
    [
        "/login/",
        "/login/code/",
        "/second-factor/set-up/",
        "/second-factor/codes/",
        "/second-factor/remove/",
        "/logout/",
        "/password/",
        "/admin/logout/",
        "/admin/annotate/project/add/",
        "/admin/annotate/project/{project}/change/",
        "/admin/annotate/project/{project}/act/pause/",
        "/admin/annotate/dataimport/add/",
        "/admin/annotate/dataimport/preview/",
        "/admin/annotate/user/add/",
        "/admin/annotate/user/1/reset-factor/",
    ],
)
def test_a_form_without_our_token_is_forged(path: str, world: World) -> None:
    client = world.client("root", enforce_csrf_checks=True)
    forged = client.post(path.format(project=world.ours.project.pk), {"username": "root", "state": "closed"})
    assert forged.status_code == 403 and b"canary" not in forged.content
    world.ours.project.refresh_from_db()
    assert world.ours.project.state == "open"
    assert client.get("/").status_code == 200


def _same(response: Any) -> Any:
    """What an answer says, without what differs from one answer to the next."""
    if response.headers.get("Content-Type") == "application/zip":
        with ZipFile(BytesIO(content_of(response))) as files:  # README says when it was made
            return response.status_code, {
                name: files.read(name) for name in files.namelist() if name != "README.txt"
            }
    if response.headers.get("Content-Type") != JSON:
        return response.status_code, len(content_of(response))
    body = response.json()
    for item in (body, *body.get("held", [])) if isinstance(body, dict) else ():
        item.pop("server_time", None)
    return response.status_code, body


@pytest.mark.parametrize("role", ["annotator", "manager"])
def test_a_query_string_selects_nothing(role: str, world: World) -> None:
    client = world.client(role)
    for route in PAGES:
        path = path_of(route, "own", role, world)
        plain = _same(client.get(path))
        for feeler in FEELERS:
            assert _same(client.get(f"{path}?{feeler}")) == plain, (route, feeler)


def test_the_lists_of_the_admin_refuse_what_they_do_not_filter_by(world: World) -> None:
    client = world.client("manager")
    for model in admin.site._registry:
        # Accounts and teams are for superusers alone.
        if model._meta.app_label != "annotate" or model._meta.model_name in ("user", "team"):
            continue
        url = reverse(f"admin:annotate_{model._meta.model_name}_changelist")
        for feeler in (*FEELERS, "_to_field=salt", "o=1&user__password=x"):
            # A model that has no such field sends back to its whole list.
            answered = client.get(f"{url}?{feeler}")
            assert answered.status_code == 400 or answered.headers.get("Location") == f"{url}?e=1", (
                url,
                feeler,
            )


@pytest.mark.parametrize("route", [*API_POSTS, "api/<str:version>/claims/<uuid:claim_id>/undo/"])
def test_a_field_that_the_api_does_not_know_is_refused(route: str, world: World) -> None:
    client = world.client("annotator")
    for field in ("annotator", "annotator_id", "flip", "project__slug", "expires_at", "is_superuser"):
        body = {**body_of(route, "own", "annotator", world), field: 1}
        refused = client.post(path_of(route, "own", "annotator", world), json.dumps(body), content_type=JSON)
        assert (refused.status_code, refused.json()["error"]["field"]) == (400, field)


def test_a_manager_cannot_write_more_of_a_project_than_its_form_shows(world: World) -> None:
    """Neither another project's members, nor the salt, the key and the state, nor their own rank."""
    project, theirs = world.ours.project, world.theirs.project
    client = world.client("manager")
    url = reverse("admin:annotate_project_change", args=[project.pk])
    form = client.get(url).context["adminform"].form
    fields = {name: value for name, value in form.initial.items() if value is not None}
    foreign = Membership.objects.get(project=theirs, role=Role.MANAGER)
    sent = {
        **fields,
        "name": "A new name",
        "slug": "new-slug",
        "state": "closed",
        "salt": "0",
        "pseudonym_key": "0",
        "id": theirs.pk,
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": foreign.pk,
        "memberships-0-project": theirs.pk,
        "memberships-0-username": world.users["manager"].username,
        "memberships-0-role": "manager",
        "memberships-0-DELETE": "on",
        "criteria-TOTAL_FORMS": "0",
        "criteria-INITIAL_FORMS": "0",
    }
    salt, key = project.salt, project.pseudonym_key
    client.post(url, sent)
    project.refresh_from_db()
    assert (project.slug, project.state, project.salt, project.pseudonym_key) == ("ours", "open", salt, key)
    assert Membership.objects.filter(pk=foreign.pk, project=theirs, role=Role.MANAGER).exists()
    del sent["memberships-0-DELETE"], sent["memberships-0-id"]
    client.post(url, {**sent, "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"})
    project.refresh_from_db()
    assert (project.name, project.slug, project.state, project.salt) == ("A new name", "ours", "open", salt)
    theirs.refresh_from_db()
    assert theirs.name == "canary-theirs-project"


def test_a_manager_imports_into_no_foreign_project(world: World) -> None:
    client = world.client("manager")
    page = client.get(reverse("admin:annotate_dataimport_add"), {"project": world.theirs.project.pk})
    assert b"canary-theirs" not in page.content
    refused = client.post(
        reverse("admin:annotate_dataimport_add"),
        {
            "project": world.theirs.project.pk,
            "uploads": SimpleUploadedFile("rows.jsonl", b"{}\n"),
            "layout": "auto",
            "on_error": "abort",
        },
    )
    assert refused.status_code == 200 and b"canary-theirs" not in refused.content
    assert world.theirs.project.imports.count() == 1


def test_a_manager_merges_into_no_foreign_criterion(world: World) -> None:
    ours, theirs = world.ours.rows["criterion"], world.theirs.rows["criterion"]
    url = reverse("admin:annotate_criterion_act", args=[ours.pk, "merge"])
    refused = world.client("manager").post(url, {"into": theirs.pk})
    assert refused.status_code == 200 and b"canary-theirs" not in refused.content
    ours.refresh_from_db()
    assert ours.canonical_id is None


def test_an_action_on_rows_takes_none_of_another_project(world: World) -> None:
    theirs = world.theirs.rows["claim"]
    client = world.client("manager")
    client.post(
        reverse("admin:annotate_claim_changelist"),
        {"action": "release", "_selected_action": [str(theirs.pk)], "index": "0"},
    )
    client.post(
        reverse("admin:annotate_project_changelist"),
        {"action": "pause", "_selected_action": [str(world.theirs.project.pk)], "index": "0"},
    )
    theirs.refresh_from_db()
    world.theirs.project.refresh_from_db()
    assert theirs.closed_at is None and world.theirs.project.state == "open"


def test_looking_at_a_project_makes_no_annotator_of_a_stranger(world: World) -> None:
    before = Annotator.objects.count()
    for path in ("", "claims/", "history/"):
        world.client("stranger").get(f"/api/v1/projects/{world.ours.project.slug}/{path}")
    assert Annotator.objects.count() == before


@pytest.mark.parametrize("version", ["v2", "v0", "V1", "latest"])
def test_no_other_version_of_the_api_answers(version: str, world: World) -> None:
    assert world.client("annotator").get(f"/api/{version}/projects/").status_code == 404
    assert Client().get(f"/api/{version}/projects/").status_code in (401, 404)
