"""A small demo in the test database: one pair of each task type, and people who judge some of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import LazySettings

from annotate.actions.demo import start_demo
from annotate.actions.jobs import run_job
from annotate.demo import annotators, plan
from annotate.models import Project

PAIRS = plan.pairs()
VISITS = 3


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path) -> None:
    """The first pair of each task type is all there is, and everybody looks at three of them."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(plan, "pairs", lambda: PAIRS[:9])
    people = tuple(replace(person, pairs=VISITS) for person in annotators.PEOPLE)
    monkeypatch.setattr(annotators, "PEOPLE", people)


@pytest.fixture
def make_small(small: None) -> Callable[[], Project]:
    def make() -> Project:
        job = start_demo(by=None, send_it=False)
        run_job(job.pk, by_hand=True)
        return job.project

    return make
