"""The OpenAPI schema: valid, complete, and served to who is logged in."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from jsonschema import ValidationError

from tests.api.client import Api, hold_against_schema, openapi
from webapp.api import urls


def test_it_is_valid_and_made_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    GENERATOR_STATS.reset()
    openapi.cache_clear()
    validate_schema(openapi())
    assert not GENERATOR_STATS, capsys.readouterr().err


def test_what_is_served_is_what_was_validated(api: Api) -> None:
    served = api.client.get("/api/v1/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert served.status_code == 200
    # Through JSON and back: lazy texts become texts.
    assert json.loads(served.content) == json.loads(json.dumps(openapi(), default=str))
    assert Client().get("/api/v1/schema/").status_code == 401


def test_every_route_stands_in_it_with_its_errors() -> None:
    routes = {pattern.name for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)}
    assert len(openapi()["paths"]) == len(routes - {"api-schema"})
    for path, operations in openapi()["paths"].items():
        for method, operation in operations.items():
            assert {"400", "401", "403", "404", "409", "413", "503"} <= set(operation["responses"]), (
                path,
                method,
            )
            assert operation["security"], (path, method)
            assert operation["description"], (path, method)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"expires_at": "2026-11-23T10:00:00Z", "flip": True}),
        (200, {}),
        (200, None),
        (418, {"expires_at": "2026-11-23T10:00:00Z"}),
        (404, {"error": "no"}),
    ],
)
def test_an_answer_that_it_does_not_allow_is_seen(status: int, body: Any) -> None:
    path = "/api/v1/claims/7d7c2f9e-8f5c-4b8e-9f5e-1c9a0c2a4a11/heartbeat/"
    hold_against_schema("post", path, 200, {"expires_at": "2026-11-23T10:00:00Z"})
    with pytest.raises((AssertionError, ValidationError)):
        hold_against_schema("post", path, status, body)
