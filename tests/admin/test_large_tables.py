"""Lists cost the same whatever the number of rows: no statement more for a longer page, no count of a whole table."""

import re

import pytest
from django.db import connection
from django.db.models import Model, UUIDField
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotate.admin.base import BoundedPaginator
from annotate.models import (
    Annotator,
    Asset,
    AuditEntry,
    Claim,
    Criterion,
    DataImport,
    Draw,
    Invitation,
    Job,
    Judgment,
    Pair,
    Release,
)
from tests.admin.conftest import Site, logged_in, make_site
from tests.admin.test_who_sees_what import MODELS, change_url
from tests.factories import judge, make_annotator, make_comparison, make_user


def statements(client: Client, url: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url).status_code == 200
    # Prepared statements, which read one row by its key, are logged without their text.
    return [query["sql"] for query in captured.captured_queries if query["sql"]]


@pytest.mark.parametrize("model", MODELS)
def test_a_longer_list_needs_no_more_statements(
    model: str, ours: Site, as_manager: Client, as_root: Client
) -> None:
    url = reverse(f"admin:annotate_{model}_changelist")
    before = [len(statements(client, url)) for client in (as_manager, as_root)]
    make_site("More", ours.project)
    assert [len(statements(client, url)) for client in (as_manager, as_root)] == before
    assert max(before) <= 13


def test_a_pair_with_more_judgments_needs_no_more_statements(ours: Site, as_manager: Client) -> None:
    url = change_url(ours, "pair")
    statements(as_manager, url)  # fills the cache of content types
    before = len(statements(as_manager, url))
    pair: Pair = ours.rows["pair"]
    for number in range(4):
        comparison = make_comparison(pair, f"Another criterion {number}")
        judge(comparison, "response2", make_annotator(ours.project))
    assert len(statements(as_manager, url)) == before


@pytest.mark.parametrize("model", MODELS)
def test_every_count_has_a_bound(model: str, ours: Site, as_manager: Client, as_root: Client) -> None:
    url = reverse(f"admin:annotate_{model}_changelist")
    for client in (as_manager, as_root):
        for query in ("", f"?project={ours.project.pk}", "?q=1"):
            if model == "project" and "project=" in query:
                continue
            found = statements(client, url + query)
            counts = [sql for sql in found if "COUNT(" in sql]
            assert counts, "the paginator counts"
            assert [sql for sql in counts if f"LIMIT {BoundedPaginator.LIMIT + 1}" not in sql] == []


# A million rows in small: ten times as many as the bound, of each kind, in one foreign project. What a statement may
# read beside them (the rows that a page shows, each with the few others that it names) is little. Annotators, invitations,
# jobs, imports and releases are never that many.
MANY = 10 * BoundedPaginator.LIMIT
FEW = 100
OF_MANY = "(SELECT max(id) FROM annotate_annotator) - i % 5"
READ = BoundedPaginator.LIMIT + 200


@pytest.fixture
def many(ours: Site, theirs: Site) -> None:
    """MANY rows of everything that there can be many of in theirs, newer than all of ours."""
    first = {name: row.pk for name, row in theirs.rows.items()}
    copies = [
        (Annotator, {"pseudonym": "'many-' || i", "user_id": "NULL"}),
        (Asset, {"sha256": "sha256(i::text::bytea)", "key": "'many-' || i"}),
        (Pair, {"source": "'many'", "external_id": "'many-' || i"}),
        (Criterion, {"text": "'many ' || i", "text_key": "sha256(i::text::bytea)"}),
        (Draw, {"route": "'reopened'", "open": "false"}),
        (Claim, {"closed_at": "now()", "outcome": "'submitted'", "annotator_id": OF_MANY}),
        (
            Judgment,
            {
                "annotator_id": OF_MANY,
                "supersedes_id": "NULL",
                "claim_id": "NULL",
                "comparison_id": "(SELECT min(id) FROM made) + i - 1",
                "data_import_id": str(first["dataimport"]),
                "created_at": "now() + i * interval '1 second'",
            },
        ),
        (Invitation, {"token_sha256": "sha256(i::text::bytea)"}),
        (Job, {}),
        (DataImport, {"job_id": "(SELECT max(id) FROM annotate_job) - i + 1"}),
        (Release, {"job_id": "(SELECT max(id) FROM annotate_job) - i + 1"}),
        (AuditEntry, {"at": "now() + i * interval '1 second'"}),
    ]
    few = (Annotator, Invitation, Job, DataImport, Release)
    with connection.cursor() as cursor:
        for model, changed in copies:
            changed = {
                name: value.format(**first) if "{" in value else value for name, value in changed.items()
            }
            names, values = _copied(model, changed)
            table = model._meta.db_table
            if model is Judgment:  # one on each of as many comparisons
                cursor.execute(
                    "CREATE TEMP TABLE made ON COMMIT DROP AS WITH c AS (INSERT INTO annotate_comparison"
                    " (pair_id, criterion_id, k, created_at) SELECT %s, id, 3, now() FROM annotate_criterion"
                    " WHERE text LIKE 'many %%' ORDER BY id RETURNING id) SELECT id FROM c",
                    [first["pair"]],
                )
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {values} FROM {table}, generate_series(1, {FEW if model in few else MANY}) i"
                f" WHERE id = '{first[str(model._meta.model_name)]}'"
            )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ANALYZE")


def _copied(model: type[Model], changed: dict[str, str]) -> tuple[str, str]:
    """Columns and what they are filled with; ids are new ones."""
    columns = [field.column for field in model._meta.concrete_fields if field.column != "id"]
    if isinstance(model._meta.pk, UUIDField):
        columns.append("id")
        changed = {**changed, "id": "gen_random_uuid()"}
    return ", ".join(f'"{name}"' for name in columns), ", ".join(
        changed.get(str(name), f'"{name}"') for name in columns
    )


def most_read(sql: str) -> tuple[float, str]:
    """Rows that the busiest node of the plan went through, as it was carried out, and the plan.

    So few rows as here, from the disk, would be sorted sooner than found in order; from memory they are not.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL random_page_cost = 0.2; SET LOCAL seq_page_cost = 0.2; SET LOCAL max_parallel_workers_per_gather = 0"
        )
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF) {sql}")
        lines = [row[0] for row in cursor.fetchall()]
    most, loops = 0.0, 1.0
    for line in lines:
        if found := re.search(r"actual rows=([\d.]+) loops=(\d+)", line):
            loops = float(found[2])
            most = max(most, float(found[1]) * loops)
        elif found := re.search(r"Rows Removed by (?:Index Recheck|(?:Join )?Filter): (\d+)", line):
            most = max(most, float(found[1]) * loops)
    return most, "\n".join(lines)


# Of each list: what is asked of it beside the list itself, its last page and the choice of a project.
ASKED = {
    "project": ["state=open", "q=our"],
    "annotator": ["q=many-7", "q=Ours"],
    "asset": ["state=problem", "state=waiting"],
    "pair": ["q=many-77", "q={pair}"],
    "criterion": ["q=many 77", "q={criterion}"],
    "judgment": ["q={pair}", "q={judgment}", "q={pseudonym}"],
    "draw": ["q={pair}"],
    "claim": ["q={claim}", "q={pair}"],
    "job": ["state__exact=queued", "kind__exact=import"],
}


def test_what_a_list_reads_is_bounded(
    many: None, ours: Site, theirs: Site, as_manager: Client, as_root: Client
) -> None:
    """By the plans that were carried out, of each statement of each list: no node went through more than the bound."""
    too_much = []
    for model in MODELS:
        url = reverse(f"admin:annotate_{model}_changelist")
        for who, client, site in (("root", as_root, theirs), ("manager", as_manager, ours)):
            ids = {name: row.pk for name, row in site.rows.items()}
            ids["pseudonym"] = site.rows["annotator"].pseudonym
            asked = ["", "p=3", *(query.format(**ids) for query in ASKED.get(model, []))]
            if model != "project":
                asked += [
                    f"project={one.project.pk}" for one in ((ours, theirs) if who == "root" else (ours,))
                ]
            for query in asked:
                found = [sql for sql in statements(client, f"{url}?{query}") if '"annotate_' in sql]
                for sql in found:
                    if sql.startswith("SELECT"):
                        most, plan = most_read(sql)
                        if most > READ:
                            too_much.append(f"{model}?{query} as {who}: {most:.0f} rows\n{sql}\n{plan}")
    assert not too_much, "\n\n".join(too_much)
    page = as_root.get(reverse("admin:annotate_pair_changelist")).content.decode()
    assert f"More than {BoundedPaginator.LIMIT} pairs" in page


def test_a_page_of_history_reads_its_own_rows(many: None, ours: Site, theirs: Site, as_root: Client) -> None:
    url = reverse("admin:annotate_pair_history", args=[theirs.rows["pair"].pk])
    (found,) = [sql for sql in statements(as_root, url) if 'FROM "annotate_auditentry"' in sql]
    most, plan = most_read(found)
    assert most <= READ, plan


def test_list_of_accounts(ours: Site) -> None:
    root = logged_in(make_user(superuser=True, password=None))
    url = reverse("admin:annotate_user_changelist")
    before = len(statements(root, url))
    for _ in range(3):
        make_user(password=None)
    assert len(statements(root, url)) == before
