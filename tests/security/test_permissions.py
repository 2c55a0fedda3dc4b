"""Every URL there is, asked with every method by everybody, against the table written by hand in permissions.py.

Whatever is posted is what would be granted to who may: a refusal is one of who asks, and must leave no row changed;
what is granted must have written.
"""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from annotate import specifications
from annotate.access import Unknown
from annotate.actions.exclusion import exclude_annotator
from annotate.admin.acts import ActingAdmin
from annotate.models import (
    Asset,
    ConsentText,
    Criterion,
    Gold,
    Job,
    Membership,
    Pair,
    Project,
    Team,
    TeamRole,
)
from tests.admin.conftest import project_form
from tests.security.guarded import hold_guarded
from tests.security.permissions import EXPECTED, MAY_SEE, Row
from tests.security.world import PASSWORD, ROLES, Place, World, make_world

pytestmark = pytest.mark.django_db
SAFE = ("GET", "HEAD", "OPTIONS")


def routes(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[str]:
    """Each URL pattern of the project, as the URLconf spells it; one for each act that the admin knows."""
    for part in (resolver or get_resolver()).url_patterns:
        if isinstance(part, URLResolver):
            yield from routes(part, prefix + str(part.pattern))
            continue
        assert isinstance(part, URLPattern)
        route = prefix + str(part.pattern)
        if act := re.fullmatch(r"admin/annotate/(\w+)/<str:object_id>/act/<slug:name>/", route):
            yield from (route.replace("<slug:name>", name) for name in _acts()[act[1]])
        else:
            yield route


def _acts() -> dict[str, list[str]]:
    return {
        str(model._meta.model_name): [act.name for act in page.acts]
        for model, page in admin.site._registry.items()
        if isinstance(page, ActingAdmin)
    }


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(specifications, "FOLDER", tmp_path)
    (tmp_path / "offered.yaml").write_text("backend: vllm\nurl: http://localhost:1\nmodel: reward\n")
    logging.disable(logging.WARNING)  # each refusal is one
    yield make_world()
    logging.disable(logging.NOTSET)


def place_of(case: str, world: World) -> Place:
    return world.theirs if case == "theirs" else world.ours


def claim_of(case: str, role: str, world: World) -> Any:
    """The role's own claim, one of somebody else's beside it, or one of the other project."""
    if case == "own":
        return world.claims.get(role, world.claims["annotator"])
    return place_of(case, world).rows["claim"]


def path_of(route: str, case: str, role: str, world: World) -> str:
    """The address that a route has for an object of ours or theirs."""
    rows = place_of(case, world).rows
    model = re.match(r"admin/\w+/(\w+)/<", route)
    object_id = str(rows[model[1]].pk) if model else str(rows["pair"].pk)
    values = {
        "version": "v1",
        "slug": rows["project"].slug,
        "claim_id": claim_of(case, role, world).pk,
        "token": world.invited,
        "slot": "a",
        "kind": "web",
        "asset_id": rows["asset"].pk,
        # What was judged has no media; of what has, the page is that of a comparison which nobody judged.
        "comparison_id": (rows["shown"] if route.startswith("media/") else rows["comparison"]).pk,
        "object_id": object_id,
        "id": object_id,
        "content_type_id": ContentType.objects.get_for_model(Pair).pk,
        "name": "annotators",
        "project_id": rows["project"].pk,
        "job_id": rows["job"].pk,
        "import_id": rows["dataimport"].pk,
        "release_id": rows["release"].pk,
        "criterion_id": rows["criterion"].pk,
    }
    route = route.replace("^(?P<app_label>annotate|axes)/$", "annotate/").replace("(?P<url>.*)$", "nowhere/")
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), route)


def body_of(route: str, case: str, role: str, world: World) -> dict[str, Any]:
    """A request that would be granted to who may."""
    return (_posted_to_the_api if route.startswith("api/") else _posted_in_a_form)(route, case, role, world)


def _posted_to_the_api(route: str, case: str, role: str, world: World) -> dict[str, Any]:
    comparison = claim_of(case, role, world).comparison_ids[0]
    bodies: dict[str, dict[str, Any]] = {
        "claims": {"id": str(uuid4())},
        "offline": {"ids": [str(uuid4())]},
        "give-back": {"ids": [str(claim_of(case, role, world).pk)]},
        "submit": {
            "answers": [{"id": str(uuid4()), "comparison": comparison, "verdict": "a", "strength": 2}]
        },
        "skip": {"reason": "other"},
        "undo": {"id": str(uuid4())},
        "draft": {"draft": {}},
    }
    return bodies.get(route.rstrip("/").rsplit("/", 1)[-1], {})


def _posted_in_a_form(route: str, case: str, role: str, world: World) -> dict[str, Any]:
    place, new = place_of(case, world), "correct horse battery"
    project = place.project
    new_password = {"usable_password": "true", "password1": new, "password2": new}
    own_password = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    bodies: dict[str, dict[str, Any]] = {
        "join/<str:token>/": {"username": "new", "password": new, "again": new},
        "password/": own_password,
        "dashboard/<slug:slug>/training/": {"do": "again"},
        "dashboard/<slug:slug>/groups/": {"do": "make", "kind": "taste", "name": "plain"},
        "dashboard/<slug:slug>/judges/": {"evaluation": str(place.rows["evaluation"].pk)},
        "withdraw/<slug:slug>/": {"password": PASSWORD},
        "consent/<slug:slug>/": {"version": 1, "answer": "agree"},
        "dashboard/<slug:slug>/consent/": {"text": "Another text to agree to."},
        "comments/<slug:slug>/": {
            "deed": "answer",
            "comparison": place.rows["comparison"].pk,
            "text": "It is so.",
        },
        "review/<slug:slug>/<int:comparison_id>/": {
            "deed": "settle",
            "verdict": "tie",
            "reason": "It is.",
            "seen": "",
        },
        "second-factor/set-up/": {"password": PASSWORD, "code": "000000"},
        "admin/password_change/": own_password,
        "admin/annotate/project/": {"action": "pause", "_selected_action": project.pk},
        "admin/annotate/membership/": {"action": "pause", "_selected_action": place.rows["membership"].pk},
        "admin/annotate/claim/": {"action": "release", "_selected_action": place.rows["claim"].pk},
        "admin/annotate/project/add/": project_form(project, name="A new one", slug="new"),
        "admin/annotate/project/<path:object_id>/change/": project_form(project, name="Another name"),
        "admin/annotate/dataimport/add/": {
            "project": project.pk,
            "uploads": SimpleUploadedFile("rows.jsonl", b'{"id": "1", "prompt": "Why?"}\n'),
            "layout": "auto",
            "on_error": "abort",
        },
        "admin/annotate/dataimport/preview/": {
            "project": project.pk,
            "sample": SimpleUploadedFile("rows.jsonl", b'{"id": "1", "prompt": "Why?"}\n'),
            "name": "rows.jsonl",
            "layout": "auto",
            "on_error": "abort",
        },
        "admin/annotate/user/add/": {"username": "new", **new_password},
        "admin/annotate/user/<id>/password/": new_password,
        "projects/<slug:slug>/criteria/decide": {
            "deed": "demote",
            "criterion": f"{place.rows['criterion'].pk}:0",
        },
        "admin/annotate/user/<path:object_id>/change/": {"username": "renamed", "is_active": "on"},
    }
    no_members = {"members-TOTAL_FORMS": 0, "members-INITIAL_FORMS": 0}
    bodies["admin/annotate/team/add/"] = {"name": "the chemists", **no_members}
    member = {"members-TOTAL_FORMS": 1, "members-INITIAL_FORMS": 0, "members-0-username": "reviewer"}
    bodies["admin/annotate/team/<path:object_id>/change/"] = member
    team = world.ours.rows["team"]
    acts: dict[str, dict[str, Any]] = {
        "team": {"team": team.pk, "role": "reviewer"},
        "no-team": {"team": team.pk},
        "people": {"language": "ko"},
        "export": {"min_labels": 1},
        "raise-k": {"k": 5},
        "train": {"name": "offered"},
        "compare": {"candidate": place.rows["candidate"].pk, "against": place.rows["revision"].pk},
        "promote": {"revision": place.rows["candidate"].pk},
        "role": {"role": "reviewer"},
        "link": {"role": "annotator", "uses": 2, "days": 14},
        "invite": {"rows": "ada@example.org,reviewer", "days": 14},
        "change": {"k": 4},
        "gold": {"comparison": place.rows["comparison"].pk, "verdict": "tie", "kind": "gold"},
        "let-in": {"reason": "They know the rules."},
        "ungold": {"comparison": place.rows["comparison"].pk},
        "exclude": {"reason": "Answers without looking."},
        "merge": {"into": place.rows["another criterion"].pk},
        "groups": {"groups": [group.pk for group in project.annotator_groups.all()]},
        "withdraw": {"pseudonym": place.rows["annotator"].pseudonym},
    }
    if route.endswith("/delete/"):
        return {"post": "yes"}
    act = re.search(r"/act/([\w-]+)/$", route)
    return acts.get(act[1], {}) if act else bodies.get(route, {})


def prepare(route: str, place: Place) -> None:
    """Bring about what an act changes: a project that is open cannot be opened."""
    projects = Project.objects.filter(pk=place.project.pk)
    act = route.partition("/act/")[2].rstrip("/")
    if act == "crowd-link":
        projects.update(crowd_open=True, crowd_code="DONE")
    elif route == "consent/<slug:slug>/":
        ConsentText.objects.create(project=place.project, version=1, text="A text to agree to.")
    elif act == "open":
        projects.update(state="paused")
    elif act == "no-team":
        TeamRole.objects.create(project=place.project, team=Team.objects.get(), role="annotator")
    elif act == "auto":
        projects.update(sampling="frozen")
    elif act == "erase":
        projects.update(demo=True)
    elif act == "resume":
        Membership.objects.filter(pk=place.rows["membership"].pk).update(paused_at=timezone.now())
    elif act in ("gold", "ungold"):
        Criterion.objects.filter(pk=place.rows["criterion"].pk).update(objective=True)
        if act == "ungold":
            Gold.objects.create(project=place.project, comparison=place.rows["comparison"], verdict="tie")
    elif act == "count-again":
        exclude_annotator(by=None, annotator=place.rows["annotator"], reason="Answers without looking.")
    elif act == "cancel":
        Job.objects.filter(pk=place.rows["job"].pk).update(state="queued")
    elif act == "retry" and "/asset/" in route:
        Asset.objects.filter(pk=place.rows["asset"].pk).update(prepared=False, problem="is broken")
    elif route.endswith("/reset-factor/"):
        TOTP.activate(place.rows["user"], generate_totp_secret())


def written() -> dict[str, int]:
    """Rows that this transaction has inserted, changed and deleted so far, by table; sessions come and go."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
            " WHERE relname <> 'django_session' AND n_tup_ins + n_tup_upd + n_tup_del > 0"
        )
        return dict(cursor.fetchall())


def content_of(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def send(client: Client, method: str, path: str, body: dict[str, Any]) -> Any:
    if method in SAFE:
        return client.generic(method, path)
    if path.startswith("/api/"):
        return client.generic(method, path, json.dumps(body), content_type="application/json")
    if method == "POST":
        return client.post(path, body)
    return client.generic(method, path, content_type="application/x-www-form-urlencoded")


def wrong_of(response: Any, role: str, method: str, expected: int) -> list[str]:
    """What an answer tells that its reader may not know, or sends without protection."""
    told = content_of(response) + repr(response.headers).encode()
    seen = {found.decode() for found in re.findall(rb"[\w.+-]+@canary\.example|canary-[\w.-]*", told)}
    allowed = MAY_SEE[role]
    problems = [f"shows {text}" for text in sorted(seen) if not re.fullmatch(allowed, text)]
    if response.status_code != expected:
        problems.append(f"answers {response.status_code}, not {expected}")
    if response.status_code in (301, 302) and not re.match(r"/(?!/)", response["Location"]):
        problems.append(f"leads to {response['Location']}")
    try:
        hold_guarded(response, "is not guarded")
    except (AssertionError, KeyError) as error:
        problems.append(repr(error))
    # Media alone are kept, by the browser, for minutes.
    if method == "GET" and not re.search("no-store|private, max-age=300", response["Cache-Control"]):
        problems.append(f"may be kept: {response['Cache-Control']}")
    return problems


def ask(world: World, role: str, rows: list[Row]) -> list[str]:
    """Ask as the role whatever the rows say, each as if nothing had been before; return what was not as it should."""
    client, wrong, column = world.client(role), [], ROLES.index(role)
    session = client.cookies.output()
    for route, case, method, statuses, writes in rows:
        path, body = path_of(route, case, role, world), body_of(route, case, role, world)
        with transaction.atomic():
            prepare(route, place_of(case, world))
            before = written()
            response = send(client, method, path, body)
            problems = wrong_of(response, role, method, statuses[column])
            changed = {table for table, count in written().items() if count != before.get(table)}
            if bool(changed) != writes[column]:
                problems.append(f"writes {', '.join(sorted(changed)) or 'nothing'}")
            if method == "GET":
                head = client.head(path)
                if (head.status_code, content_of(head)) != (statuses[column], b""):
                    problems.append(f"answers HEAD {head.status_code} with {len(content_of(head))} bytes")
            transaction.set_rollback(True)
        if (
            method == "POST"
        ):  # a logout or a new password, undone in the database, has changed the client's cookie
            client.cookies.clear()
            client.cookies.load(session.replace("Set-Cookie: ", ""))
        wrong += [f"{method} {route} ({case}) as {role}: {problem}" for problem in problems]
    return wrong


def test_the_table_covers_every_url_and_nothing_else() -> None:
    stand = {row.route for row in EXPECTED}
    there = set(routes())
    assert not there - stand, "URLs without a row in permissions.py"
    assert not stand - there, "rows in permissions.py without a URL"


def test_every_url_is_asked_by_reading_and_by_writing() -> None:
    for route in {row.route for row in EXPECTED}:
        methods = {row.method for row in EXPECTED if row.route == route}
        assert methods == {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, route
    assert len({row[:3] for row in EXPECTED}) == len(EXPECTED), "a row stands twice"


def test_what_depends_on_the_object_is_asked_of_a_foreign_one_too() -> None:
    stand = {row[:3] for row in EXPECTED}
    stranger, manager = ROLES.index("stranger"), ROLES.index("manager")
    for row in EXPECTED:
        if "<" in row.route and row.statuses[stranger] != row.statuses[manager]:
            assert (row.route, "theirs", row.method) in stand, row


@pytest.mark.parametrize("role", ROLES)
def test_pages_and_api(role: str, world: World) -> None:
    wrong = ask(world, role, [row for row in EXPECTED if not row.route.startswith("admin/")])
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", ROLES)
def test_admin(role: str, world: World) -> None:
    wrong = ask(world, role, [row for row in EXPECTED if row.route.startswith("admin/")])
    assert not wrong, "\n".join(wrong)


def test_a_hole_would_be_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for row in EXPECTED if row.route.startswith("assets/")]
    assert not ask(world, "stranger", rows)
    monkeypatch.setattr("webapp.pages.media.may", lambda *_: True)
    assert any("answers 200, not 404" in problem for problem in ask(world, "stranger", rows))


def test_a_leak_would_be_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for row in EXPECTED if row.route == "api/<str:version>/projects/"]
    assert not ask(world, "stranger", rows)
    monkeypatch.setattr("annotate.queries.visible_to", lambda _: Project.objects.all())
    assert any("shows canary-ours-project" in problem for problem in ask(world, "stranger", rows))


def test_a_write_behind_a_refusal_would_be_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The right status is not enough: what was refused must not have been done."""
    rows = [row for row in EXPECTED if row.route == "dashboard/<slug:slug>/compute" and row.method == "POST"]
    assert not ask(world, "stranger", rows)

    def refuse_too_late(user: Any, slug: str) -> Project:
        Project.objects.filter(slug=slug).update(state="closed")
        raise Unknown(slug)

    monkeypatch.setattr("webapp.pages.projects.project_for", refuse_too_late)
    assert any("writes annotate_project" in problem for problem in ask(world, "stranger", rows))


def test_an_answer_without_protection_would_be_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for row in EXPECTED if row.route == "judge/<slug:slug>/" and row.method == "GET"]
    assert not ask(world, "reviewer", rows)
    kept = [name for name in settings.MIDDLEWARE if name != "csp.middleware.CSPMiddleware"]
    monkeypatch.setattr(settings, "MIDDLEWARE", kept)
    assert any("Content-Security-Policy" in problem.title() for problem in ask(world, "reviewer", rows))
