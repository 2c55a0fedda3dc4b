"""A client of the API that holds every answer against the OpenAPI schema."""

import json
import re
from functools import cache
from typing import Any
from uuid import uuid4

from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator, FormatChecker

from annotate.models import User

JSON = "application/json"


@cache
def openapi() -> dict[str, Any]:
    """The schema as /api/v1/schema/ serves it."""
    made: dict[str, Any] = SchemaGenerator(api_version="v1").get_schema(public=True)
    return made


def _strict(node: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: `nullable` spelt out, and no property that the schema does not name."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _strict(value) for key, value in node.items() if key != "nullable"}
    if made.get("type") == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") is True else made


@cache
def _components() -> Any:
    return _strict(openapi()["components"])


def _operation(method: str, path: str) -> dict[str, Any]:
    for pattern, operations in openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path):
            found: dict[str, Any] = operations[method]
            return found
    raise AssertionError(f"{path} is not in the schema")


def hold_against_schema(method: str, path: str, status: int, body: Any) -> None:
    """Fail unless the schema says that this request may be answered so. `body` None: an empty answer."""
    responses = _operation(method, path)["responses"]
    assert str(status) in responses, f"{method} {path} answered {status}, of which the schema says nothing"
    content = responses[str(status)].get("content")
    assert (content is None) == (body is None), f"{method} {path} answered {status} with {body!r}"
    if content:
        schema = {**_strict(content[JSON]["schema"]), "components": _components()}
        Draft202012Validator(schema, format_checker=FormatChecker(["uuid"])).validate(body)


class Answered:
    """What came back: `status`, `body` (None where it is empty), `headers`, and both as one `text`."""

    def __init__(self, response: Any) -> None:
        self.status: int = response.status_code
        self.headers: dict[str, str] = dict(response.headers)
        self.body: Any = json.loads(response.content) if response.content else None
        self.text = repr(self.headers) + response.content.decode()

    @property
    def error(self) -> tuple[int, str, str]:
        """(status, code, field) of an error, which has a detail to read."""
        assert list(self.body) == ["error"] and self.body["error"]["detail"]
        return self.status, self.body["error"]["code"], self.body["error"]["field"]


class Api:
    """The judge page's side of the API, as one user or as nobody."""

    def __init__(self, user: User | None, slug: str) -> None:
        self.client = Client()
        if user:
            self.client.force_login(user, backend="webapp.sessions.Accounts")
        self.slug = slug

    def get(self, path: str, **query: str) -> Answered:
        return self._held("get", path, self.client.get(f"/api/v1/{path}", query))

    def post(self, path: str, body: Any = None) -> Answered:
        response = self.client.post(f"/api/v1/{path}", json.dumps(body or {}), content_type=JSON)
        return self._held("post", path, response)

    def _held(self, method: str, path: str, response: Any) -> Answered:
        answered = Answered(response)
        hold_against_schema(method, f"/api/v1/{path}", answered.status, answered.body)
        return answered

    def claim(self, claim_id: str | None = None) -> Answered:
        return self.post(f"projects/{self.slug}/claims/", {"id": claim_id or str(uuid4())})

    def submit(self, claim: Any, *answers: Any, **fields: Any) -> Answered:
        return self.post(f"claims/{claim['id']}/submit/", {"answers": list(answers), **fields})


def answer(claim: Any, index: int = 0, verdict: str = "a", **fields: Any) -> dict[str, Any]:
    """An answer to a comparison of the claim, as the judge page sends it on the scale of seven."""
    made: dict[str, Any] = {
        "id": str(uuid4()),
        "comparison": claim["comparisons"][index]["id"],
        "verdict": verdict,
    }
    if verdict in ("a", "b"):
        made["strength"] = 2
    if verdict == "tie":
        made["tie_kind"] = "both_good"
    return {**made, **fields}
