"""The demo is made by the real ways: rows that hold all invariants, judgments by the stated rules, resumed after a kill."""

import math
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from annotate.access import Role, role_of
from annotate.actions import demo, erasure
from annotate.actions.demo import is_due, start_demo
from annotate.actions.jobs import run_job
from annotate.demo import annotators, make, plan
from annotate.demo.annotators import PEOPLE, chances
from annotate.demo.rules import ASKED_BY_TEXT, WRITTEN, Traits
from annotate.imports import run
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    Asset,
    Claim,
    Comparison,
    Job,
    JobState,
    Judgment,
    Outcome,
    Pair,
    Project,
    TaskType,
    User,
)
from tests.demo.conftest import VISITS
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[[], Project]


def test_every_task_type_is_there_ready_and_partly_judged(make_small: Make) -> None:
    root = make_user("root", superuser=True, password=None)
    project = make_small()
    assert violations() == {}
    pairs = Pair.objects.filter(project=project)
    assert set(pairs.values_list("task_type", flat=True)) == set(TaskType) - {TaskType.OTHER}
    assert pairs.count() == 9 and not pairs.filter(ready=False).exists()
    assert not Asset.objects.filter(project=project, prepared=False).exists()
    judged = pairs.filter(comparisons__judgments__isnull=False).distinct().count()
    assert 5 <= judged < 9
    # What must be prepared first is not left to the end: texts and pictures alone would be four of nine.
    assert (
        len(set(pairs.filter(comparisons__judgments__isnull=False).values_list("task_type", flat=True))) >= 5
    )
    assert Comparison.objects.filter(pair__project=project, judgments__isnull=True).exists()
    assert project.demo and role_of(root, project) == Role.MANAGER
    assert project.memberships.get(user=root).role == Role.MANAGER
    # Simulated people have accounts that nobody can use.
    accounts = User.objects.filter(simulated=True)
    assert {user.username for user in accounts} == {person.name for person in PEOPLE}
    assert not any(user.is_active or user.is_superuser for user in accounts)
    assert Claim.objects.exclude(outcome=Outcome.HELD).count() == VISITS * len(PEOPLE)


@pytest.fixture
def texts_alone(monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path) -> None:
    """Pairs without media, judged by everybody to the end."""
    settings.DATA_DIR = tmp_path
    pairs = [pair for pair in plan.pairs() if pair.name.startswith("text")]
    monkeypatch.setattr(plan, "pairs", lambda: pairs)


def test_empirical_win_rates_follow_the_rules(texts_alone: None) -> None:
    run_job(start_demo(by=None, send_it=False).pk, by_hand=True)
    people = {person.name: person for person in PEOPLE}
    expected, variance, wins, decided = 0.0, 0.0, 0, 0
    found = Judgment.objects.filter(verdict__in=["response1", "response2", "tie"])
    for judgment in found.select_related(
        "claim",
        "annotator__user",
        "comparison__criterion",
        "comparison__pair__response1",
        "comparison__pair__response2",
    ):
        pair, claim, user = judgment.comparison.pair, judgment.claim, judgment.annotator.user
        assert claim and user
        asked = ASKED_BY_TEXT[judgment.comparison.criterion.text]
        sides = [Traits(**response.metadata["traits"]) for response in (pair.response1, pair.response2)]
        a, b, _ = chances(people[user.username], asked, *(reversed(sides) if claim.flip else sides))
        better = asked.score(sides[0]) - asked.score(sides[1])
        if better == 0:
            continue
        first = b if claim.flip else a
        second = a if claim.flip else b
        chance_of_better = first if better > 0 else second
        expected += chance_of_better
        variance += chance_of_better * (1 - chance_of_better)
        wins += judgment.verdict == ("response1" if better > 0 else "response2")
        decided += 1
    assert decided > 60
    # What the server draws (order, sides) differs from run to run: four and a half standard deviations are none.
    assert wins == pytest.approx(expected, abs=4.5 * math.sqrt(variance))
    assert wins > 0.5 * decided


def test_written_scenes_are_judged_to_the_end_and_leave_the_others_to_be_judged(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    everything = plan.pairs()
    scenes = [pair for pair in everything if pair.name.startswith("scene")][:8]
    others = [pair for pair in everything if pair.name.startswith("text")][:8]
    monkeypatch.setattr(plan, "pairs", lambda: others + scenes)
    monkeypatch.setattr(annotators, "PEOPLE", tuple(replace(person, pairs=1, writes=0) for person in PEOPLE))
    job = start_demo(by=None, send_it=False)
    monkeypatch.setattr(make, "PACE", 0)
    # Killed while they judge scenes, before the others come, and while they judge those.
    for step, after in (("judging", 5), ("drawing", 0), ("judging", 2)):
        with pytest.raises(Killed):
            run_job(job.pk, by_hand=True, progress=_killed_at(step, after))
    run_job(job.pk, by_hand=True)
    assert violations() == {}
    looked_at = Claim.objects.filter(pair__external_id__startswith="scene")
    assert looked_at.filter(outcome=Outcome.SUBMITTED).count() == 3 * len(scenes)
    assert Claim.objects.exclude(pk__in=looked_at).count() == len(PEOPLE)


def _killed_at(step: str, after: int) -> Callable[[Job], None]:
    strike = _killing(after)
    return lambda job: strike() if job.step == step else None


def test_people_skip_tie_explain_and_write_criteria(
    texts_alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = tuple(replace(person, writes=0.5, skips=0.2, explains=0.5) for person in PEOPLE)
    monkeypatch.setattr(annotators, "PEOPLE", eager)
    run_job(start_demo(by=None, send_it=False).pk, by_hand=True)
    assert violations() == {}
    judgments = Judgment.objects.all()
    assert set(judgments.filter(authored=True).values_list("comparison__criterion__text", flat=True)) <= {
        one.text for one in WRITTEN
    }
    assert judgments.filter(authored=True).exists()
    assert judgments.exclude(rationale="").exists()
    assert judgments.filter(tie_kind="both_good").exists()
    assert Claim.objects.filter(outcome=Outcome.SKIPPED).exists()
    assert set(judgments.filter(verdict="response1").values_list("strength", flat=True)) == {1, 2, 3}
    hasty = judgments.filter(annotator__user__username="demo-eva").values_list("seconds", flat=True)
    careful = judgments.filter(annotator__user__username="demo-ada").values_list("seconds", flat=True)
    assert median(filter(None, hasty)) < median(filter(None, careful)) / 3


class Killed(BaseException):
    """As if the process had been killed: nothing in the code under test catches it."""


def _killing(after: int) -> Callable[..., None]:
    left = [after]

    def strike(*_: Any, **__: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    return strike


def _goes_on(job: Job, data_dir: Path) -> None:
    """As if the sweeper had sent the job again: it is completed, with everything in it once."""
    assert Job.objects.get(pk=job.pk).state == JobState.RUNNING  # as a killed process leaves it
    run_job(job.pk)
    assert Job.objects.get(pk=job.pk).state == JobState.DONE
    assert violations() == {}
    assert Pair.objects.count() == 9 and Annotator.objects.count() == len(PEOPLE)
    assert Claim.objects.count() == VISITS * len(PEOPLE)
    assert not (data_dir / "demo").exists()
    assert not Asset.objects.filter(prepared=False).exists()


@pytest.mark.parametrize("step", ["drawing", "preparing media", "judging"])
def test_killed_in_any_step_it_goes_on(
    small: None, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "PACE", 0)  # each step tells of itself
    job = start_demo(by=None, send_it=False)
    strike = _killing(3)
    with pytest.raises(Killed):
        run_job(job.pk, by_hand=True, progress=lambda job: strike() if job.step == step else None)
    _goes_on(job, tmp_path)


@pytest.mark.parametrize("imports", [0, 1])
def test_killed_while_it_imports_it_goes_on(
    small: None, imports: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_demo(by=None, send_it=False)
    strike = _killing(imports)

    def publish(*args: Any, **options: Any) -> None:
        strike()
        real(*args, **options)

    real = run.publish
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(run, "publish", publish)
        run_job(job.pk, by_hand=True)
    assert project_imports(job) == imports
    _goes_on(job, tmp_path)


def project_imports(job: Job) -> int:
    return job.project.imports.filter(visible=True).count()


def test_the_command_makes_it_once_and_again_when_asked(texts_alone: None) -> None:
    said = StringIO()
    call_command("make_demo", stdout=said)
    first = Project.objects.get(slug=demo.SLUG)
    call_command("make_demo", stdout=said)
    assert Project.objects.get() == first
    call_command("make_demo", "--again", stdout=said)
    assert Project.objects.get() != first
    assert "16 pairs" in said.getvalue() and "--again" in said.getvalue()


def test_a_real_project_of_that_name_is_left_alone() -> None:
    project = make_project(slug=demo.SLUG)
    for options in ((), ("--again",)):
        with pytest.raises(CommandError, match="real"):
            call_command("make_demo", *options)
    assert Project.objects.get() == project


def test_it_is_due_on_a_new_installation_only() -> None:
    assert is_due()
    project = start_demo(by=None, send_it=False).project
    assert not is_due()
    erasure.erase_demo(by=None, project=project)
    assert not Project.objects.exists() and not is_due()


def test_it_is_not_due_where_somebody_works_already() -> None:
    make_project()
    assert not is_due()


def test_a_real_account_in_the_way_is_told(texts_alone: None) -> None:
    make_user(PEOPLE[0].name, password=None)
    with pytest.raises(CommandError, match="real account 'demo-ada'"):
        call_command("make_demo")
