"""The budget page: its job learns from the project's own judgments, it shows what was kept and computes nothing."""

import random

import pytest
from django.test import Client
from django.urls import reverse

from annotate.actions.budgets import start_budget
from annotate.actions.jobs import Refused, run_job
from annotate.models import Budget, Draw, Job, JobKind, JobState, Pair, Partition, Project, Role, Route
from tests.factories import judge, make_annotator, make_comparison, make_member, make_pair, make_project
from tests.learning.world import LONG, SHORT
from workers.budget import _advice, _sizes

pytestmark = pytest.mark.django_db

WORDS = "bread water stone river lamp garden engine winter paper music".split()


def judged_project(train: int = 90, reserve: int = 40) -> Project:
    """Pairs under two opposed criteria whose labels the length says, every third train pair by chance."""
    project = make_project(slug="spending", name="Spending", pay_per_verdict=0.5)
    someone, rng = make_annotator(project), random.Random(4)
    for n in range(train + reserve):
        texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 40))) for _ in range(2)]
        partition = Partition.TRAIN if n < train else Partition.RESERVE
        pair = make_pair(
            project, prompt=f"Say something, {n}", response1=texts[0], response2=texts[1], partition=partition
        )
        longer = "response1" if len(texts[0]) > len(texts[1]) else "response2"
        shorter = "response2" if longer == "response1" else "response1"
        route = None if partition == Partition.RESERVE else Route.UNIFORM if n % 3 == 0 else Route.POLICY
        judge(make_comparison(pair, LONG, k=1), longer, someone, route=route)
        judge(make_comparison(pair, SHORT, k=1), shorter, someone, route=route)
    return project


def test_it_tells_curves_projection_and_cost(client: Client) -> None:
    project = judged_project()
    run_job(start_budget(by=None, project=project, send_it=False).pk, by_hand=True)
    content = Budget.objects.get(project=project).content
    assert (content["labels"], content["by_chance"], content["tested"]) == (180, 60, 80)
    everything, chance = content["curves"]["all"], content["curves"]["chance"]
    assert [point["labels"] for point in everything] == [25, 38, 56, 60, 84, 127, 180]
    assert [point["labels"] for point in chance] == [25, 38, 56, 60]
    assert everything[-1]["value"] > 0.9 and everything[-1]["low"] <= everything[-1]["value"]
    assert content["against"]["labels"] == 60
    assert [one["more"] for one in content["projection"]] == [0, 100, 1_000, 10_000]
    assert content["cost"]["next"] == [50, 500, 5_000] and content["cost"]["spent"] == 130
    # Asked twice, a job in the queue is asked for once; computed again, it is in the place of the one before.
    assert start_budget(by=None, project=project, send_it=False) == start_budget(by=None, project=project)
    run_job(Job.objects.latest("pk").pk, by_hand=True)
    assert Budget.objects.count() == 1

    client.force_login(make_member(project, Role.MANAGER), "webapp.sessions.Accounts")
    page = client.get(reverse("budget", args=["spending"])).content.decode()
    for told in ("180 labels", "At 60 labels each", "100 labels more", "5,000.00", "no revision has scored"):
        assert told in page, told
    assert "Budget" in client.get(reverse("dashboard", args=["spending"])).content.decode()


def test_without_labels_it_says_what_is_missing(client: Client) -> None:
    project = make_project(slug="spending")
    client.force_login(make_member(project, Role.MANAGER), "webapp.sessions.Accounts")
    assert client.post(reverse("budget", args=["spending"])).status_code == 302
    job = Job.objects.get(kind=JobKind.BUDGET)
    page = client.get(reverse("budget", args=["spending"])).content.decode()
    assert "Nothing was computed yet." in page and "Computing: waiting for a worker" in page
    with pytest.raises(Refused, match="nothing to compute yet"):
        run_job(job.pk, by_hand=True)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert "it takes counted verdicts" in client.get(reverse("budget", args=["spending"])).content.decode()
    assert not Draw.objects.exists() and not Pair.objects.exists()


def point(
    more: int, value: float | None, low: float = 0, high: float = 0, why: str = ""
) -> dict[str, object]:
    return {"more": more, "value": value, "low": low, "high": high, "why": why}


@pytest.mark.parametrize(
    ("then", "say", "why"),
    [
        (point(1_000, 0.805, 0.8, 0.808), "stop", "less than 0.01 whatever happens"),
        (point(1_000, 0.84, 0.82, 0.86), "go on", "even if it goes badly"),
        (point(1_000, 0.82, 0.79, 0.85), "cannot tell", "would narrow it"),
        (point(1_000, None, why="too short"), "cannot tell", "too short"),
    ],
)
def test_advice_follows_from_the_interval(then, say, why) -> None:
    told = _advice({"projection": [point(0, 0.8, 0.79, 0.81), then]})
    assert told["say"] == say and why in told["why"]


def test_curves_end_at_what_there_is() -> None:
    assert _sizes(0) == [] and _sizes(7) == [7] and _sizes(60) == [25, 38, 56, 60]
