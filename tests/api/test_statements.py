"""The loop of an annotator goes to the database a fixed number of times, however much there is to judge."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.client import answer
from tests.api.conftest import add_pairs, join
from tests.factories import make_project

# Of these four make the two savepoints that in production are transactions.
TRIPS = 16


@pytest.mark.parametrize("criteria", [1, 5])
@pytest.mark.parametrize("pairs", [4, 60])
def test_submit_with_next_takes_as_many_trips_for_one_criterion_as_for_five(
    criteria: int, pairs: int, db: None
) -> None:
    project = make_project(reserve_share=0, validation_share=0)
    add_pairs(project, pairs, *(f"Criterion {n}" for n in range(criteria)))
    api = join(project)
    claim = api.submit(first := api.claim().body, answer(first), next=str(uuid4())).body["next"]
    assert len(claim["comparisons"]) == criteria
    answers = [answer(claim, n) for n in range(criteria)]
    with CaptureQueriesContext(connection) as asked:
        sent = api.submit(claim, *answers, next=str(uuid4()))
    assert len(sent.body["saved"]) == criteria and sent.body["next"]
    assert len(asked) == TRIPS, asked.captured_queries
