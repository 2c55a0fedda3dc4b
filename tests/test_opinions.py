"""What models say of a pair, on its page in the admin, beside what people said."""

import pytest
from django.test import Client

from annotate.models import Role
from annotate.opinions import of_comparisons
from tests.factories import make_member, make_project
from tests.review.test_items import judged, make_revision, scored

pytestmark = pytest.mark.django_db


def test_of_each_backend_the_newest_that_scored_speaks() -> None:
    project = make_project()
    comparison = judged(project, ["response1", "response1", "tie"])
    old, new = make_revision(project, 1), make_revision(project, 2)
    other = make_revision(project, 3, backend="other")
    unfinished = make_revision(project, 4, scored_at=None)
    for revision, margin in ((old, 9), (new, 1.5), (other, -2), (unfinished, 7)):
        scored(revision, comparison, margin)
    said = of_comparisons([comparison.pk])[comparison.pk]
    assert [(one.backend, one.revision, one.margin) for one in said] == [
        ("other", 3, -2),
        (new.backend, 2, 1.5),
    ]
    assert [one.contradicts(comparison.review_item) for one in said] == [True, False]
    assert said[1].p_response1 == pytest.approx(0.8175745)  # 1 / (1 + exp(-1.5))


@pytest.mark.parametrize("verdicts", [["tie", "tie"], ["response1", "response2"], ["cannot_tell"]])
def test_without_a_response_that_most_chose_nobody_is_contradicted(verdicts: list[str]) -> None:
    project = make_project()
    comparison = judged(project, verdicts)
    scored(make_revision(project), comparison, -4)
    [said] = of_comparisons([comparison.pk])[comparison.pk]
    assert not said.contradicts(comparison.review_item) and not said.contradicts(None)


def test_a_manager_reads_it_on_the_page_of_the_pair(client: Client) -> None:
    project = make_project()
    comparison = judged(project, ["response1", "response1", "response1"])
    scored(make_revision(project), comparison, -1.25)
    client.force_login(make_member(project, Role.MANAGER), backend="webapp.sessions.Accounts")
    page = client.get(f"/admin/annotate/pair/{comparison.pair_id}/change/").content.decode()
    assert "<td>-1.25</td>" in page and "<td>yes</td>" in page.split("Against most people")[1]
