"""Criteria that models wrote, in the admin: what became of each, what a run came to and cost."""

from django.test import Client
from django.urls import reverse

from annotate.models import ProposalState
from tests.admin.conftest import Site
from tests.factories import make_pair, make_proposal


def test_a_list_says_what_became_of_each_and_why(ours: Site, as_manager: Client) -> None:
    url = reverse("admin:annotate_proposal_changelist")
    failed = make_proposal(
        make_pair(ours.project), "", label="", state=ProposalState.FAILED, reason="no reply in 120 s"
    )
    page = as_manager.get(url).content.decode()
    for told in ("writer-7b", "It repeats another.", "no reply in 120 s", "0.0025"):
        assert told in page
    only = as_manager.get(url, {"state": "failed"}).content.decode()
    assert "no reply in 120 s" in only and "It repeats another." not in only
    of_run = as_manager.get(url, {"run": failed.run_id}).content.decode()
    assert "no reply in 120 s" in of_run and "It repeats another." not in of_run
    of_pair = as_manager.get(url, {"q": str(failed.pair_id)}).content.decode()
    assert "no reply in 120 s" in of_pair and "It repeats another." not in of_pair
    assert as_manager.get(url, {"run": "x"}).status_code == 200


def test_a_run_says_what_it_came_to_and_cost(ours: Site, as_manager: Client) -> None:
    run = ours.rows["criteriarun"]
    other = make_proposal(make_pair(ours.project), "Another.", cost=None).run
    page = as_manager.get(reverse("admin:annotate_criteriarun_change", args=[run.pk])).content.decode()
    for told in ("rejected 1", "1: It repeats another.", "0.0025", f"?run={run.pk}"):
        assert told in page
    unpriced = as_manager.get(reverse("admin:annotate_criteriarun_change", args=[other.pk])).content.decode()
    assert "not known: not every model has prices" in unpriced
    listed = as_manager.get(reverse("admin:annotate_criteriarun_changelist")).content.decode()
    assert f"?run={run.pk}" in listed and f"?run={other.pk}" in listed
