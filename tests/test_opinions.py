"""What models say of a pair, on its page in the admin, beside what people said."""

import pytest
from django.test import Client

from annotate.models import Rationale, Role
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


def test_the_current_one_speaks_where_a_newer_one_of_its_backend_is_there() -> None:
    project = make_project()
    comparison = judged(project, ["response1"])
    current, newer = make_revision(project, 1), make_revision(project, 2, promoted_at=None)
    for revision, margin in ((current, 1), (newer, -1)):
        scored(revision, comparison, margin)
    said = of_comparisons([comparison.pk])[comparison.pk]
    assert [(one.revision, one.current, one.favourite) for one in said] == [
        (2, False, "response2"),
        (1, True, "response1"),
    ]


def test_a_judge_is_read_in_its_own_words(client: Client) -> None:
    project = make_project()
    comparison = judged(project, ["response1", "response1", "response1"])
    scored(make_revision(project, 1), comparison, 2)
    judge = make_revision(project, 2, backend="judge", promoted_at=None)
    scored(judge, comparison, -0.5)
    said = {"forward": -1, "backward": 0, "forward_text": "B is <shorter>.", "backward_text": "Neither."}
    Rationale.objects.create(revision=judge, comparison=comparison, replies=3, cost=0.25, **said)
    client.force_login(make_member(project, Role.MANAGER), backend="webapp.sessions.Accounts")
    page = client.get(f"/admin/annotate/pair/{comparison.pair_id}/change/").content.decode()
    for told in (
        "<td>-0.50, against most people and the current model</td><td>2.00</td>",
        "builtin 1, current</th>",
        "It said something else when the other response came first",
        "3 replies, cost 0.250000",
        "Response 1 first, as A: response 2",
        "<pre>B is &lt;shorter&gt;.</pre>",
        "Response 2 first, as A: a tie",
    ):
        assert told in page, told
    learning = client.get(f"/admin/annotate/project/{project.pk}/learning/").content.decode()
    assert "<th>judge 2</th><td></td><td>1</td><td>0.000</td><td>3</td><td>0.2500</td>" in learning


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
