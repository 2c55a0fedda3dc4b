"""Every URL there is, asked with every method by everybody, against the table written by hand in permissions.py."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver

from annotate.models import Pair, Project
from tests.security.permissions import ACTS, EXPECTED, MAY_SEE
from tests.security.world import ROLES, World, make_world

pytestmark = pytest.mark.django_db
SAFE = ("GET", "HEAD", "OPTIONS")


def routes(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[str]:
    """Each URL pattern of the project, as the URLconf spells it."""
    for part in (resolver or get_resolver()).url_patterns:
        if isinstance(part, URLResolver):
            yield from routes(part, prefix + str(part.pattern))
        else:
            assert isinstance(part, URLPattern)
            yield prefix + str(part.pattern)


@pytest.fixture
def world() -> Iterator[World]:
    logging.disable(logging.WARNING)  # each refusal is one
    yield make_world()
    logging.disable(logging.NOTSET)


def path_of(route: str, case: str, role: str, world: World) -> str:
    """The address that a route has for an object of ours: of the role's own claim, or of somebody else's."""
    claim = world.claims.get(role, world.claims["annotator"]) if case == "own" else world.somebodys
    assert claim
    model = re.match(r"admin/\w+/(\w+)/<", route)
    object_id = str(world.ours.rows[model[1]].pk) if model else str(world.ours.rows["pair"].pk)
    values = {
        "version": "v1",
        "slug": world.ours.project.slug,
        "claim_id": claim.pk,
        "slot": "a",
        "kind": "web",
        "asset_id": world.ours.rows["asset"].pk,
        "object_id": object_id,
        "id": object_id,
        "content_type_id": ContentType.objects.get_for_model(Pair).pk,
        "name": ACTS.get(model[1], "") if model else "annotators",
        "project_id": world.ours.project.pk,
        "job_id": world.ours.rows["job"].pk,
        "import_id": world.ours.rows["dataimport"].pk,
        "release_id": world.ours.rows["release"].pk,
    }
    route = route.replace("^(?P<app_label>annotate|axes)/$", "annotate/").replace("(?P<url>.*)$", "nowhere/")
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), route)


def body_of(route: str, case: str, role: str, world: World) -> dict[str, Any]:
    """A request that would be granted to who may."""
    claim = world.claims.get(role, world.claims["annotator"]) if case == "own" else world.somebodys
    assert claim
    answer = {"id": str(uuid4()), "comparison": claim.comparison_ids[0], "verdict": "a", "strength": 2}
    last = route.rstrip("/").rsplit("/", 1)[-1]
    bodies: dict[str, dict[str, Any]] = {
        "claims": {"id": str(uuid4())},
        "submit": {"answers": [answer]},
        "skip": {"reason": "other"},
        "undo": {"id": str(uuid4())},
        "draft": {"draft": {}},
    }
    return bodies.get(last, {})


def content_of(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def wrong_of(response: Any, role: str) -> list[str]:
    """What an answer tells that its reader may not know, or sends without protection."""
    told = content_of(response) + repr(response.headers).encode()
    seen = {found.decode() for found in re.findall(rb"[\w.+-]+@canary\.example|canary-[\w.-]*", told)}
    allowed = MAY_SEE[role]
    return [f"shows {text}" for text in sorted(seen) if not re.fullmatch(allowed, text)]


def ask(world: World, role: str, rows: list[tuple[str, str, str, tuple[int, ...]]]) -> list[str]:
    """Ask as the role whatever the rows say, each as if nothing had been before; return what was not as it should."""
    client, wrong = world.client(role), []
    session = client.cookies.output()
    for route, case, method, statuses in rows:
        path = path_of(route, case, role, world)
        data = json.dumps(body_of(route, case, role, world)) if route.startswith("api/") else ""
        kind = "application/json" if route.startswith("api/") else "application/x-www-form-urlencoded"
        with transaction.atomic():
            options: dict[str, Any] = {} if method in SAFE else {"data": data, "content_type": kind}
            response = client.generic(method, path, **options)
            problems = wrong_of(response, role)
            expected = statuses[ROLES.index(role)]
            if response.status_code != expected:
                problems.append(f"answers {response.status_code}, not {expected}")
            if response.status_code in (301, 302) and not re.match(r"/(?!/)", response["Location"]):
                problems.append(f"leads to {response['Location']}")
            if method == "GET" and not route.startswith("admin/"):
                head = client.head(path)
                if (head.status_code, content_of(head)) != (expected, b""):
                    problems.append(f"answers HEAD {head.status_code} with {len(content_of(head))} bytes")
            transaction.set_rollback(True)
        client.cookies.clear()  # a logout, undone in the database, has taken the client's cookie
        client.cookies.load(session.replace("Set-Cookie: ", ""))
        wrong += [f"{method} {route} ({case}) as {role}: {problem}" for problem in problems]
    return wrong


def test_the_table_covers_every_url_and_nothing_else() -> None:
    stand = {row[0] for row in EXPECTED}
    there = set(routes())
    assert not there - stand, "URLs without a row in permissions.py"
    assert not stand - there, "rows in permissions.py without a URL"


def test_every_url_is_asked_by_reading_and_by_writing() -> None:
    for route in {row[0] for row in EXPECTED}:
        methods = {row[2] for row in EXPECTED if row[0] == route}
        more = set() if route.startswith("admin/") else {"PUT", "PATCH", "DELETE", "OPTIONS"}
        assert methods == {"GET", "POST"} | more, route
    assert len({row[:3] for row in EXPECTED}) == len(EXPECTED), "a row stands twice"


@pytest.mark.parametrize("role", ROLES)
def test_pages_and_api(role: str, world: World) -> None:
    wrong = ask(world, role, [row for row in EXPECTED if not row[0].startswith("admin/")])
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", ROLES)
def test_admin(role: str, world: World) -> None:
    wrong = ask(world, role, [row for row in EXPECTED if row[0].startswith("admin/")])
    assert not wrong, "\n".join(wrong)


def test_a_hole_would_be_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for row in EXPECTED if row[0].startswith("assets/")]
    assert not ask(world, "stranger", rows)
    monkeypatch.setattr("webapp.pages.media.may", lambda *_: True)
    assert any("answers 200, not 404" in problem for problem in ask(world, "stranger", rows))


def test_a_leak_would_be_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for row in EXPECTED if row[0] == "api/<str:version>/projects/"]
    assert not ask(world, "stranger", rows)
    monkeypatch.setattr("annotate.queries.visible_to", lambda _: Project.objects.all())
    assert any("shows canary-ours-project" in problem for problem in ask(world, "stranger", rows))
