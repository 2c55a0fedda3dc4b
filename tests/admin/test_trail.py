"""The audit page: found by deed, person and day, leafed through without counting, taken along without formulas."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotate import audit, trail
from annotate.models import AuditEntry, Project, Role
from tests.admin.conftest import logged_in
from tests.factories import make_member, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="ours")


@pytest.fixture
def client(project: Project) -> Client:
    return logged_in(make_member(project, Role.MANAGER, make_user("mona", password=None)))


def rows_of(client: Client, query: str = "") -> list[dict[str, str]]:
    sent = client.get(f"/dashboard/ours/audit.csv{query}")
    whole = b"".join(sent.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(whole)))


def test_found_by_deed_person_and_day(project: Project, client: Client) -> None:
    ada = make_user("ada", password=None)
    for n, (by, deed) in enumerate([(ada, "open project"), (None, "open project"), (ada, "raise k")]):
        AuditEntry.objects.bulk_create([AuditEntry(by=by, project=project, deed=deed, subject=f"row {n}")])
    audit.record(ada, "open project", project, make_project())  # elsewhere
    day = datetime(2020, 2, 3, 23, 59, tzinfo=UTC)
    with connection.cursor() as cursor:  # the newest row, as if it were old
        cursor.execute("SET LOCAL evenhand.erase = 'on'")
        cursor.execute("UPDATE annotate_auditentry SET at = %s WHERE subject = 'row 2'", [day])
        cursor.execute("SET LOCAL evenhand.erase = 'off'")

    def found(query: str) -> list[str]:
        told = [row["subject"] for row in rows_of(client, query)]
        page = client.get(f"/dashboard/ours/audit/{query}").content.decode()
        assert [subject for subject in ("row 2", "row 1", "row 0") if f"<td>{subject}</td>" in page] == told
        return told

    assert found("") == ["row 2", "row 1", "row 0"]
    assert found("?deed=open+project") == ["row 1", "row 0"]
    assert found("?person=ada") == ["row 2", "row 0"] and found("?person=system") == ["row 1"]
    assert found("?person=nobody") == [] and found("?person=ad") == []
    assert found("?until=2020-02-03") == ["row 2"] and found("?since=2020-02-04") == ["row 1", "row 0"]
    assert found("?since=2020-02-03&until=2020-02-03&deed=raise+k&person=ada") == ["row 2"]
    assert found("?person__startswith=a&by=1") == ["row 2", "row 1", "row 0"]


@pytest.mark.parametrize("query", ["?since=yesterday", "?until=2020-13-01", "?since=%00x"])
def test_what_is_no_day_is_told(client: Client, query: str) -> None:
    for path in ("audit/", "audit.csv"):
        refused = client.get(f"/dashboard/ours/{path}{query}")
        assert refused.status_code == 400 and b"is no day" in refused.content


def test_leafed_through_without_gap_or_repetition(project: Project, client: Client) -> None:
    AuditEntry.objects.bulk_create(
        AuditEntry(project=project, deed="step", subject=f"number {n}") for n in range(120)
    )
    seen: list[int] = []
    query = "deed=step"
    while query:
        page: Any = client.get(f"/dashboard/ours/audit/?{query}")
        seen += [row["entry"].pk for row in page.context["rows"]]
        AuditEntry.objects.bulk_create(
            [AuditEntry(project=project, deed="step", subject="newer")]
        )  # meanwhile
        query = page.context["older"]
    assert len(seen) == 120 and seen == sorted(set(seen), reverse=True)


def test_as_many_statements_for_many_rows_as_for_few(project: Project, client: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(
            connection,
        ) as made:
            client.get("/dashboard/ours/audit/")
        return len(made)

    audit.record(make_user(password=None), "step", project, project)
    few = statements()
    for _ in range(40):
        audit.record(make_user(password=None), "step", project, project)
    assert statements() == few


def test_a_long_trail_is_taken_along_whole(project: Project, client: Client) -> None:
    AuditEntry.objects.bulk_create(
        AuditEntry(project=project, deed="step", subject=f"number {n}") for n in range(2100)
    )
    assert [row["subject"] for row in rows_of(client)] == [f"number {n}" for n in reversed(range(2100))]


def test_no_cell_is_a_formula(project: Project, client: Client) -> None:
    eve = make_user("@eve", password=None)
    AuditEntry.objects.bulk_create(
        [AuditEntry(by=eve, project=project, deed="=1+1", subject="-2", details={"a": "=3"})]
    )
    [row] = rows_of(client)
    assert (row["by"], row["deed"], row["subject"]) == ("'@eve", "'=1+1", "'-2")
    assert row["details"] == '{"a": "=3"}'
    page = client.get("/dashboard/ours/audit/").content.decode()
    assert "{&quot;a&quot;: &quot;=3&quot;}" in page


def test_a_row_can_neither_be_changed_nor_deleted(project: Project) -> None:
    audit.record(None, "step", project, project)
    entry = trail.page(project, trail.Wanted(), None, 1)[0]
    for act in (entry.delete, lambda: AuditEntry.objects.update(at=entry.at + timedelta(days=1))):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            act()
