"""A project's statistics from its rows: each figure of a small project by hand, and the job that keeps them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from annotate.access import Denied, Unknown
from annotate.actions.jobs import run_job
from annotate.actions.reports import is_outdated, start_report
from annotate.costs import Done, cost_of, read_done
from annotate.models import Annotator, ClaimKind, Judgment, Project, Report, Revision, Role
from annotate.quality import read_repeats
from annotate.reports import full_report
from annotate.verdicts import USABLE_OF_LEVEL, read_pair_models, read_verdicts, read_wanted
from tests.factories import (
    judge,
    make_annotator,
    make_comparison,
    make_criterion,
    make_member,
    make_pair,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 10)


class Site:
    """Three annotators, two criteria on the same four pairs of models x and y, and one pair of x and z."""

    def __init__(self) -> None:
        self.project = make_project()
        self.people = [make_annotator(self.project, pseudonym=name) for name in ("Ada", "Bo", "Cy")]
        said = {
            "Truth": ["111", "112", "22t", "222"],
            "Brevity": ["222", "221", "221", "11t"],
        }
        pairs = [make_pair(self.project, models=("x", "y")) for _ in range(4)]
        for criterion, columns in said.items():
            for pair, verdicts in zip(pairs, columns, strict=True):
                comparison = make_comparison(pair, criterion)
                for annotator, verdict in zip(self.people, verdicts, strict=True):
                    self.judge(comparison, verdict, annotator)
        self.last = make_comparison(make_pair(self.project, models=("x", "z")), "Truth")
        self.judge(self.last, "1", self.people[0], strength=3)
        judge(self.last, "cannot_tell", self.people[1], seconds=90)

    def judge(self, comparison: Any, said: str, annotator: Annotator, **fields: Any) -> Judgment:
        """Ada always says what stands left; the others see response 1 left."""
        verdict = {"1": "response1", "2": "response2", "t": "tie"}[said]
        flip = annotator.pseudonym == "Ada" and said == "2"
        return judge(
            comparison, verdict, annotator, flip=flip, **{"seconds": 10.0 * len(annotator.pseudonym)} | fields
        )


@pytest.fixture
def site() -> Site:
    return Site()


def values(rows: list[dict[str, Any]], name: str, figure: str) -> dict[str, Any]:
    return {row[name]: row[figure]["value"] for row in rows}


def test_every_verdict_comes_once_with_what_is_known_of_it(site: Site) -> None:
    verdicts = read_verdicts(site.project)
    assert len(verdicts) == 26
    by_level = dict.fromkeys(range(-1, 7), 0)
    for level in verdicts.level.tolist():
        by_level[level] += 1
    # Without a strength a preference is a clear one; the one with strength 3 is at the end of the scale.
    assert by_level == {-1: 1, 0: 1, 1: 9, 2: 0, 3: 2, 4: 0, 5: 13, 6: 0}
    assert USABLE_OF_LEVEL[[0, 3, 6]].tolist() == [0, 2, 1]
    assert sorted(set(verdicts.flip.tolist())) == [0, 1]
    assert sorted(set(verdicts.seconds.tolist())) == [20.0, 30.0, 90.0]
    models = read_pair_models(site.project)
    first, second = models.of(np.array([verdicts.pair.max()]))
    assert (models.names[first[0]], models.names[second[0]]) == ("x", "z")


def test_progress_and_forecast(site: Site) -> None:
    now = datetime.now(UTC).date()
    progress = full_report(site.project, now)["progress"]
    assert (progress["comparisons"], progress["labels"], progress["judged"]) == (9, 27, 26)
    assert (progress["begun"], progress["full"]) == (9, 8)
    assert progress["no_opinion"]["value"] == pytest.approx(1 / 26, abs=1e-6)
    assert progress["days"] == [{"day": now.isoformat(), "verdicts": 26, "annotators": 3}]
    assert progress["forecast"] == {
        "left": 1,
        "rate": round(26 / 7, 2),
        "done": (now + timedelta(days=1)).isoformat(),
        "why": "",
    }
    later = full_report(site.project, now + timedelta(days=30))["progress"]["forecast"]
    assert (later["done"], later["why"]) == ("", "Nobody judged in the last 7 days.")
    assert [row.full for row in read_wanted(site.project)] == [8]


def test_agreement_is_told_by_criterion_pair_and_time(site: Site) -> None:
    found = full_report(site.project, TODAY)["agreement"]
    assert (found["overall"]["comparisons"], found["overall"]["verdicts"]) == (9, 25)
    assert found["overall"]["pairable"] == 8
    assert found["overall"]["percent"]["value"] == pytest.approx(100 * (3 + 5 / 3) / 8, abs=1e-6)
    assert found["overall"]["labels"] == {"response1": 4, "response2": 5}
    assert [row["task_type"] for row in found["by_task_type"]] == ["text_to_text"]
    pairs = {tuple(row["annotators"]): row for row in found["by_pair"]}
    assert set(pairs) == {("Ada", "Bo"), ("Ada", "Cy"), ("Bo", "Cy")}
    assert pairs["Ada", "Bo"]["kappa"]["value"] == 1
    assert pairs["Ada", "Cy"]["percent"]["value"] == pytest.approx(3 / 8)
    (span,) = found["over_time"]
    assert span["comparisons"] == 9
    assert span["alpha"]["value"] == found["overall"]["alpha"]["value"]


def test_agreement_over_time_goes_by_the_last_verdict(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seventy days are cut into spans of three."""
    now = timezone.now()
    comparison = make_comparison(make_pair(site.project), "Later")
    judge(comparison, "response1", site.people[0])
    monkeypatch.setattr("django.utils.timezone.now", lambda: now + timedelta(days=69))
    judge(comparison, "tie", site.people[1])
    spans = full_report(site.project, TODAY)["agreement"]["over_time"]
    assert [span["comparisons"] for span in spans] == [9, 1]
    assert (date.fromisoformat(spans[0]["to"]) - date.fromisoformat(spans[0]["from"])).days == 2
    assert spans[1]["percent"]["value"] == 0


def test_annotators_are_compared(site: Site) -> None:
    rows = full_report(site.project, TODAY)["annotators"]["rows"]
    assert {row["annotator"]: row["verdicts"] for row in rows} == {"Ada": 9, "Bo": 8, "Cy": 8}
    left = values(rows, "annotator", "left")
    assert left["Ada"] == 1
    assert left["Bo"] == pytest.approx(3 / 8)
    agreement = values(rows, "annotator", "agreement")
    assert agreement["Ada"] == pytest.approx((3 + 5 / 2) / 8)
    assert agreement["Cy"] == pytest.approx(3 / 8)
    assert agreement["Ada"] > agreement["Cy"]
    assert {row["annotator"]: row["seconds"] for row in rows} == {"Ada": 30, "Bo": 20, "Cy": 20}
    assert {row["same_again"]["why"] for row in rows} == {"None yet."}


def ask_again(first: Judgment, verdict: str) -> Judgment:
    """The annotator's answer to a repeat of the claim of `first`."""
    assert first.claim
    again = judge(
        first.comparison,
        verdict,
        first.annotator,
        seated=False,
        flip=not first.claim.flip,
        kind=ClaimKind.REPEAT,
        of=first,
    )
    return again


def test_what_was_asked_again_tells_how_steady_somebody_is(site: Site) -> None:
    ada = site.people[0]
    firsts = list(Judgment.objects.filter(annotator=ada, verdict="response1")[:4])
    for first in firsts:
        ask_again(first, "response2")  # Ada said what stood left, and says so again
    rows = full_report(site.project, TODAY)["annotators"]["rows"]
    told = next(row for row in rows if row["annotator"] == "Ada")
    assert told["same_again"]["value"] is None
    assert told["same_again"]["why"] == "Fewer than 5 answers to what was asked again (4)."
    ask_again(Judgment.objects.filter(annotator=ada, verdict="response2")[0], "response2")
    found = full_report(site.project, TODAY)
    assert found["agreement"]["overall"]["verdicts"] == 25, "a repeat does not count"
    told = next(row for row in found["annotators"]["rows"] if row["annotator"] == "Ada")
    assert (told["repeated"], told["verdicts"]) == (5, 9)
    assert told["same_again"]["value"] == pytest.approx(1 / 5)
    assert told["left_again"]["value"] == pytest.approx((4 + 1 / 2) / 5)
    # Wilson's interval of 1 in 5, worked out by hand.
    assert told["same_again"]["low"] == pytest.approx(0.0362, abs=1e-3)
    assert told["same_again"]["high"] == pytest.approx(0.6245, abs=1e-3)


def test_a_repeat_is_held_against_what_was_said_by_then(site: Site) -> None:
    """A first answer that is changed after the repeat does not make its annotator steady."""
    ada = site.people[0]
    for first in Judgment.objects.filter(annotator=ada, verdict="response1"):
        ask_again(first, "response2")
        judge(first.comparison, "response2", supersedes=first)
    assert len(read_repeats(site.project).first) == 4
    assert set(read_repeats(site.project).first.tolist()) == {0}


def test_a_criterion_that_overturns_the_others(site: Site) -> None:
    rows = full_report(site.project, TODAY)["criteria"]["rows"]
    overturns = values(rows, "criterion", "overturns")
    # Three of the four pairs that both criteria decide have opposite winners.
    assert overturns == {"Truth": pytest.approx(3 / 4), "Brevity": pytest.approx(3 / 4)}
    assert values(rows, "criterion", "ties") == {
        "Truth": pytest.approx(1 / 13, abs=1e-6),
        "Brevity": pytest.approx(1 / 12, abs=1e-6),
    }


def test_models_are_ranked_by_project_and_criterion(site: Site) -> None:
    boards = full_report(site.project, TODAY)["leaderboards"]
    assert [(board["kind"], board["title"]) for board in boards] == [
        ("project", "All comparisons"),
        ("criterion", "Truth"),
        ("criterion", "Brevity"),
    ]
    everything, truth, brevity = boards
    assert [row["model"] for row in everything["rows"]][-1] == "z"
    assert {row["model"]: (row["wins"], row["losses"], row["ties"]) for row in everything["rows"]} == {
        "x": (10, 13, 2),
        "y": (13, 9, 2),
        "z": (0, 1, 0),
    }
    assert brevity["rows"][0]["model"] == "y"
    assert {row["model"] for row in truth["rows"]} == {"x", "y", "z"}


def test_merged_criteria_are_one(site: Site) -> None:
    brevity = make_criterion(site.project, "Brevity")
    brevity.canonical = make_criterion(site.project, "Truth")
    brevity.save()
    found = full_report(site.project, TODAY)
    assert [row["criterion"] for row in found["criteria"]["rows"]] == ["Truth"]
    assert found["agreement"]["overall"]["comparisons"] == 5


def test_what_it_cost_goes_by_verdict_and_by_hour(site: Site) -> None:
    project = site.project
    told = full_report(project, TODAY)["cost"]
    assert (told["spent"], told["why"]) == (None, "No rate is set: give one in the project's settings.")
    project.pay_per_verdict = 0.05
    # Ada's nine verdicts took 30 s each, Bo's and Cy's sixteen 20 s, and one without an opinion 90 s: each on a claim of
    # its own. What is revised or taken back is not paid twice.
    hours = (9 * 30 + 16 * 20 + 90) / 3600
    told = full_report(project, TODAY)["cost"]
    assert (told["verdicts"], told["hours"], told["untimed"]) == (26, round(hours, 2), 0)
    assert (told["spent"], told["each"], told["left"]) == (1.3, 0.05, 0.05)
    project.pay_per_hour = 36
    told = full_report(project, TODAY)["cost"]
    assert told["spent"] == pytest.approx(1.3 + 36 * hours, abs=0.01)
    assert told["left"] == pytest.approx(told["spent"] / 26, abs=0.01)
    untimed = make_comparison(make_pair(project), "Wit")
    site.judge(untimed, "1", site.people[0], seconds=None)
    told = full_report(project, TODAY)["cost"]
    assert (told["verdicts"], told["untimed"]) == (27, 1)
    other = make_project(pay_per_hour=12)
    judge(make_comparison(make_pair(other), "Wit"), "response1", seconds=None)
    told = full_report(other, TODAY)["cost"]
    assert told["spent"] is None and "how long it took" in told["why"]


def test_verdicts_of_one_claim_share_its_time_and_revisions_cost_nothing(site: Site) -> None:
    pair = make_pair(site.project)
    first, second, third = (make_comparison(pair, criterion) for criterion in ("Truth", "Brevity", "Wit"))
    judgment = judge(first, "response1", site.people[0], seconds=40)
    for comparison in (second, third):
        Judgment.objects.create(
            claim=judgment.claim,
            annotator=judgment.annotator,
            comparison=comparison,
            verdict="response2",
            seconds=40,
            created_at=judgment.created_at,
        )
    revised = judge(first, "tie", supersedes=judgment, seconds=55)
    before = 9 * 30 + 16 * 20 + 90
    assert read_done(site.project) == Done(29, 29, before + 55)
    judge(first, "retracted", supersedes=revised, seconds=None)
    assert read_done(site.project) == Done(28, 28, before + 40)


@given(
    verdicts=st.integers(0, 1000),
    timed=st.floats(0, 1),
    seconds=st.floats(0, 1e6),
    left=st.integers(0, 1000),
    per_verdict=st.floats(0, 100),
    per_hour=st.floats(0, 100),
)
def test_costs_add_up(
    verdicts: int, timed: float, seconds: float, left: int, per_verdict: float, per_hour: float
) -> None:
    done = Done(verdicts, round(timed * verdicts), seconds if round(timed * verdicts) else 0.0)
    found = cost_of(done, left, per_verdict=per_verdict, per_hour=per_hour)
    assert (found["spent"] is None) == bool(
        not (per_verdict or per_hour) or (per_hour and verdicts and not done.timed)
    )
    assert (found["left"] is None) == bool(found["why"])
    if found["left"] is not None and verdicts:
        assert found["left"] == pytest.approx(found["spent"] / verdicts * left, abs=0.01 * (1 + left))


def test_revisions_of_the_model_are_held_against_people(site: Site) -> None:
    assert full_report(site.project, TODAY)["revisions"] == []
    for number, (accuracy, held_out) in enumerate([(0.6, 40), (None, 0), (0.7, 50)], 1):
        ends = {} if accuracy is None else {"accuracy_low": accuracy - 0.1, "accuracy_high": accuracy + 0.1}
        Revision.objects.create(
            project=site.project,
            number=number,
            backend="builtin",
            artefact=f"revisions/{number}",
            artefact_sha256=bytes(32),
            artefact_size=1,
            read_at=timezone.now(),
            newest_judgment=uuid4(),
            judgments=10 * number,
            comparisons=number,
            seconds=1,
            held_out=held_out,
            accuracy=accuracy,
            blind_accuracy=None if accuracy is None else 0.5,
            **ends,
        )
    told = full_report(site.project, TODAY)["revisions"]
    assert [(row["revision"], row["accuracy"]["value"], row["held_out"]) for row in told] == [
        (1, 0.6, 40),
        (3, 0.7, 50),
    ]


def test_a_project_without_judgments_says_why_there_is_nothing() -> None:
    found = full_report(make_project(), TODAY)
    assert found["progress"]["forecast"]["why"] == "There is nothing to judge yet."
    assert found["agreement"]["overall"]["alpha"]["why"] == "No comparison has two verdicts or more."
    assert found["annotators"]["left"]["why"].startswith("Nobody knows which response stood left")
    assert found["leaderboards"][0]["why"].startswith("No verdict compares")
    assert found["annotators"]["rows"] == found["criteria"]["rows"] == []


def test_the_job_keeps_one_report_a_project(site: Site) -> None:
    manager = make_member(site.project, Role.MANAGER, make_user(password=None))
    assert is_outdated(None)
    job = start_report(by=manager, project=site.project, send_it=False)
    assert start_report(by=manager, project=site.project, send_it=False) == job, "one at a time"
    run_job(job.pk, by_hand=True)
    report = Report.objects.get(project=site.project)
    assert (report.verdicts, report.content["progress"]["judged"]) == (25, 26)
    assert not is_outdated(report)

    Report.objects.update(read_at=report.read_at - timedelta(hours=1))
    assert is_outdated(Report.objects.get()), "there are newer judgments, and it is old enough"
    again = start_report(by=None, project=site.project, send_it=False)
    assert again != job
    run_job(again.pk, by_hand=True)
    assert Report.objects.get().read_at > report.read_at


def test_only_managers_ask_for_it(site: Site) -> None:
    for role in (Role.ANNOTATOR, Role.REVIEWER):
        with pytest.raises(Denied):
            start_report(by=make_member(site.project, role), project=site.project)
    with pytest.raises(Unknown):
        start_report(by=make_user(password=None), project=site.project)
    assert not Project.objects.filter(report__isnull=False).exists()
