"""A project with a few pairs of two criteria, and one of its annotators at the API."""

import pytest

from annotate.models import Project
from tests.api.client import Api
from tests.factories import make_comparison, make_member, make_pair, make_project, make_user

CRITERIA = ("Which answer is clearer?", "Which answer is true?")


def add_pairs(project: Project, pairs: int, *criteria: str, k: int = 3) -> None:
    for _ in range(pairs):
        pair = make_pair(project)
        for text in criteria or CRITERIA:
            make_comparison(pair, text, k=k)


def join(project: Project) -> Api:
    """One more annotator of the project."""
    return Api(make_member(project, user=make_user(password=None)), project.slug)


@pytest.fixture
def project(db: None) -> Project:
    made = make_project(reserve_share=0, validation_share=0, guidelines="# Read both")
    add_pairs(made, 4)
    return made


@pytest.fixture
def api(project: Project) -> Api:
    return join(project)
