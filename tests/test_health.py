"""The health page, asked by supervisors and load balancers."""

import pytest
from django.test import Client


@pytest.mark.django_db
def test_says_that_the_database_answers(client: Client) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json() == {"database": "up"}
