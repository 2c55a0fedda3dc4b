"""Lists cost the same whatever the number of rows: no statement more for a longer page, no count of a whole table."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotate.admin.base import BoundedPaginator
from annotate.models import Pair, User
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
    assert max(before) <= 8


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


@pytest.fixture
def many(ours: Site) -> None:
    """Three times as many pairs as the bound."""
    pair: Pair = ours.rows["pair"]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO annotate_pair (project_id, source, external_id, digest, task_type, prompt_id, response1_id,
                response2_id, sensitive, metadata, "group", partition, shuffle, queued, created_at)
            SELECT project_id, 'many', 'many-' || i, digest, task_type, prompt_id, response1_id, response2_id,
                false, '{}', i, 'train', i, false, now()
            FROM annotate_pair, generate_series(1, %s) i WHERE id = %s
            """,
            [3 * BoundedPaginator.LIMIT, pair.pk],
        )
        cursor.execute("ANALYZE annotate_pair")


def test_what_a_page_of_pairs_reads_is_bounded(many: None, as_manager: Client, manager: User) -> None:
    """By the plan that was carried out: no node of it went through more rows than the bound."""
    url = reverse("admin:annotate_pair_changelist")
    for query in ("", "?p=3", "?q=many-77", f"?project={manager.memberships.get().project_id}"):
        found = [sql for sql in statements(as_manager, url + query) if '"annotate_pair"' in sql]
        assert found
        for sql in found:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF) {sql}")
                plan = "\n".join(row[0] for row in cursor.fetchall())
            passed = [float(rows) for rows in re.findall(r"actual rows=([\d.]+)", plan)]
            removed = [int(rows) for rows in re.findall(r"Rows Removed by Filter: (\d+)", plan)]
            assert max(*passed, *removed, 0) <= BoundedPaginator.LIMIT + 1, plan
    page = as_manager.get(url).content.decode()
    assert f"More than {BoundedPaginator.LIMIT} pairs" in page


def test_list_of_accounts(ours: Site) -> None:
    root = logged_in(make_user(superuser=True, password=None))
    url = reverse("admin:annotate_user_changelist")
    before = len(statements(root, url))
    for _ in range(3):
        make_user(password=None)
    assert len(statements(root, url)) == before
