"""Which revision is current: what takes over by itself, what by a button, what is rolled back to, and what is served meanwhile."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotate.actions.jobs import Refused, run_job
from annotate.actions.learning import finish_scoring, mark_broken, promote, start_comparison
from annotate.actions.projects import change_project
from annotate.learning import current_revision, sampling_revision
from annotate.models import (
    AuditEntry,
    Criterion,
    Draw,
    Job,
    JobKind,
    JobState,
    Project,
    Promotion,
    Revision,
    RevisionTest,
    Score,
)
from annotate.promotion import ruling
from tests.factories import make_comparison, make_pair
from tests.learning.stub import StubModel
from tests.learning.world import LONG, SHORT, ended_well, learn, planted
from tests.review.test_items import make_revision
from workers import artefacts, loop
from workers.reward_models.base import Scored

pytestmark = pytest.mark.django_db


def run_all(project: Project, kind: JobKind) -> None:
    for job in Job.objects.filter(project=project, kind=kind, state=JobState.QUEUED):
        run_job(job.pk)


def compared(candidate: Revision, against: Revision) -> RevisionTest:
    run_job(start_comparison(by=None, candidate=candidate, against=against, send_it=False).pk)
    return RevisionTest.objects.get(candidate=candidate, against=against)


@pytest.fixture
def worse(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the stub is wrong about everything that a model of an even number of labels is asked."""
    score = StubModel.score

    def turned(self: StubModel, items: Any, *, cache: Any) -> Scored:
        said = score(self, items, cache=cache)
        return (
            said
            if self.labels % 2
            else Scored(
                -said.margin,
                *(getattr(said, n) for n in ("p_second", "p_first", "p_tie", "variance", "bald")),
            )
        )

    monkeypatch.setattr(StubModel, "score", turned)


def test_at_once_each_revision_of_the_backend_takes_over() -> None:
    project = planted(judged=2)
    first, second = learn(project), learn(project)
    assert current_revision(project) == second == sampling_revision(project)
    # Another backend's waits for a button, whatever the rule.
    other = make_revision(project, 3, backend="vllm", promoted_at=None, scored_at=None)
    assert current_revision(project) == second and other.promoted_at is None and first.promoted_at


def test_the_one_before_is_served_until_the_promoted_one_has_scored_the_pool() -> None:
    project = planted(judged=2, promotion=Promotion.NEVER)
    for _ in range(2):
        learn(project)
    first, second = Revision.objects.order_by("number")
    assert current_revision(project) is None and sampling_revision(project) is None
    promote(by=None, revision=first)
    run_all(project, JobKind.SCORE)
    assert sampling_revision(project) == first
    scores = Score.objects.filter(revision=first).count()
    job = promote(by=None, revision=second)
    assert job and job.kind == JobKind.SCORE
    assert current_revision(project) == second and sampling_revision(project) == first
    run_job(job.pk)
    assert sampling_revision(project) == second
    # Scores of the one before stay, and nothing is scored twice when it is rolled back to.
    back = promote(by=None, revision=first, hold=True)
    assert back
    run_job(back.pk)
    assert current_revision(project) == first == sampling_revision(project)
    assert Score.objects.filter(revision=first).count() == scores
    assert promote(by=None, revision=first) is None
    trail = AuditEntry.objects.filter(deed__contains="revision").order_by("pk")
    told = [(entry.deed, entry.details) for entry in trail if entry.deed != "add revision"]
    assert told == [
        ("promote revision", {"before": None}),
        ("promote revision", {"before": 1}),
        ("roll back to revision", {"before": 2}),
    ]
    assert ended_well(project)


def test_hold_lets_nothing_take_over_any_more() -> None:
    project = planted(judged=2)
    first, second = learn(project), learn(project)
    promote(by=None, revision=first, hold=True)
    project.refresh_from_db()
    assert project.promotion == Promotion.NEVER
    third = learn(project)
    assert current_revision(project) == first
    # It is held against the current one all the same, and a button promotes it.
    run_all(project, JobKind.COMPARE)
    assert (
        RevisionTest.objects.get(candidate=third).content["why"]
        == "The project's rule leaves it to a button."
    )
    assert second.number == 2


@pytest.mark.parametrize(
    ("rule", "least", "labels", "promoted"),
    [
        (Promotion.NOT_WORSE, 8, 3, True),  # the same: not worse
        (Promotion.NOT_WORSE, 9, 3, False),  # too few labels tell
        (Promotion.BETTER, 8, 3, False),  # the same: not better
        (Promotion.NOT_WORSE, 8, 2, False),  # wrong about everything
    ],
)
def test_the_rule_promotes_by_the_reserve(
    rule: Promotion, least: int, labels: int, promoted: bool, worse: None
) -> None:
    project = planted(judged=3, reserve=4, promotion=rule, promotion_labels=least)
    current = make_current(project, labels=5)
    candidate = make_current(project, labels=labels, promoted_at=None)
    test = compared(candidate, current)
    assert test.content["takes_over"] is promoted
    project.refresh_from_db()
    assert current_revision(project) == (candidate if promoted else current)
    assert Job.objects.filter(kind=JobKind.SCORE, spec__revision=candidate.pk).exists() is promoted
    figures = test.content["protocols"]["without_ties"]
    assert (test.content["labels"], test.content["decided"], test.content["groups"]) == (8, 8, 4)
    assert (figures["against"]["value"], figures["candidate"]["value"]) == (1.0, 1.0 if labels % 2 else 0.0)
    assert figures["difference"]["value"] == (0.0 if labels % 2 else -1.0)
    # Four prompts can be exchanged in sixteen ways, of which two are as far apart.
    assert figures["p"] == (1.0 if labels % 2 else pytest.approx(1 / 8, abs=0.02))


def make_current(project: Project, *, labels: int, **fields: Any) -> Revision:
    """A revision of the stub with a file, as if trained on so many labels."""
    artefact = artefacts.store(StubModel(labels), artefacts.new_folder())
    number = Revision.objects.filter(project=project).count() + 1
    given: dict[str, Any] = {
        "artefact": artefact.key,
        "artefact_sha256": artefact.sha256,
        "artefact_size": artefact.size,
        "judgments": labels,
    }
    return make_revision(project, number, **given | fields)


def test_who_promoted_meanwhile_has_decided() -> None:
    project = planted(judged=3, reserve=4, promotion=Promotion.NOT_WORSE, promotion_labels=1)
    first = make_current(project, labels=5)
    second, third = (make_current(project, labels=5, promoted_at=None) for _ in range(2))
    job = start_comparison(by=None, candidate=third, against=first, send_it=False)
    promote(by=None, revision=second, send_it=False)
    run_job(job.pk)
    assert current_revision(project) == second
    # Nor does a rule roll back.
    assert not compared(first, second).content["takes_over"]


def test_merged_criteria_are_one_label_and_what_cannot_be_judged_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = planted(judged=3, reserve=3)
    long, short = (Criterion.objects.get(project=project, text=text) for text in (LONG, SHORT))
    first, second = (make_current(project, labels=5) for _ in range(2))
    Criterion.objects.filter(pk=short.pk).update(canonical=long)
    score = StubModel.score

    def partly(self: StubModel, items: Any, *, cache: Any) -> Scored:
        return score(self, items, cache=cache).leaving_out({0: "it is not shown video"})

    monkeypatch.setattr(StubModel, "score", partly)
    # One annotator judged both: only what they said by the canonical one counts.
    content = compared(second, first).content
    assert (content["labels"], content["left_out"]) == (2, {str(first): 1, str(second): 1})


def test_what_cannot_be_compared_or_promoted_is_refused() -> None:
    project = planted(judged=1, reserve=0)
    first, second = (make_current(project, labels=5) for _ in range(2))
    with pytest.raises(Refused, match="no two revisions of one project"):
        start_comparison(by=None, candidate=first, against=first)
    job = start_comparison(by=None, candidate=second, against=first, send_it=False)
    with pytest.raises(Refused, match="no comparison of the reserve has a label"):
        run_job(job.pk, by_hand=True)
    mark_broken(second, "Its file is gone.")
    second.refresh_from_db()
    for refused in (
        lambda: start_comparison(by=None, candidate=second, against=first),
        lambda: promote(by=None, revision=second),
    ):
        with pytest.raises(Refused, match=r"builtin 2 cannot be used: Its file is gone\."):
            refused()
    # What is broken gives way to the one before.
    assert current_revision(project) == first


def test_current_and_the_one_before_are_never_dropped() -> None:
    project = planted(judged=2)
    learned = [learn(project) for _ in range(2)]
    change_project(by=None, project=project, promotion=Promotion.NEVER)
    learned += [learn(project) for _ in range(4)]
    for revision in learned[2:]:
        finish_scoring(revision)
    dropped = Revision.objects.filter(project=project, state="dropped").values_list("number", flat=True)
    assert list(dropped) == [3]
    assert current_revision(project) == learned[1]


def test_what_stands_in_the_queue_is_scored_first(monkeypatch: pytest.MonkeyPatch) -> None:
    project = planted(judged=2, open_pairs=3)
    seen: list[str] = []
    score = StubModel.score

    def noting(self: StubModel, items: Any, *, cache: Any) -> Scored:
        seen.extend(item.prompt_text for item in items)
        return score(self, items, cache=cache)

    waiting = [make_pair(project, prompt=f"waiting {n}", queued=True) for n in range(2)]
    for pair in waiting:
        make_comparison(pair, LONG)
    for pair in reversed(waiting):  # drawn in another order than that of pairs, in which the pool is scored
        Draw.objects.create(project=project, route="reserve", epoch=9, pos=1, pair=pair)
    monkeypatch.setattr(StubModel, "score", noting)
    revision = learn(project)
    asked = [prompt for prompt in seen if prompt.startswith("waiting") or " tells " in prompt]
    assert asked[:2] == ["waiting 1", "waiting 0"] and len(asked) == 8
    assert Score.objects.filter(revision=revision).count() == 8
    job = Job.objects.get(project=project, kind=JobKind.SCORE)
    assert (job.done, job.total) == (8, 8) and job.spec["rate"] > 0
    loop.tend(project)
    assert not Job.objects.filter(project=project, state=JobState.QUEUED).exists()


@pytest.mark.parametrize(
    ("difference", "p", "takes_over", "why"),
    [
        ({"value": 0.1, "high": 0.2}, 0.01, True, "It is better: +0.100 without ties, p 0.0100"),
        ({"value": 0.1, "high": 0.2}, 0.06, False, "It is not shown to be better"),
        ({"value": -0.2, "high": -0.1}, 0.01, False, "It is worse without ties and with ties."),
    ],
)
def test_better_asks_for_significance(
    difference: dict[str, float], p: float, takes_over: bool, why: str
) -> None:
    one = {"difference": difference, "p": p}
    content = {"decided": 100, "protocols": {"without_ties": one, "with_ties": one}}
    said = ruling(Promotion.BETTER, 100, content)
    assert said.takes_over is takes_over and said.why.startswith(why)


def test_at_the_terminal_two_are_compared_and_one_promoted(
    capsys: pytest.CaptureFixture[str], worse: None
) -> None:
    project = planted(judged=3, reserve=4, open_pairs=2, promotion=Promotion.NEVER)
    with pytest.raises(CommandError, match="has no current revision: say --against N"):
        call_command("compare_rm", project=project.slug)
    current = make_current(project, labels=5)
    with pytest.raises(CommandError, match="has no revision beside builtin 1"):
        call_command("compare_rm", project=project.slug)
    with pytest.raises(CommandError, match="has no revision 7"):
        call_command("compare_rm", project=project.slug, revision=7)
    worse_one = make_current(project, labels=2, promoted_at=None)
    call_command("compare_rm", project=project.slug)
    told = capsys.readouterr().out
    assert "builtin 2 against builtin 1 on 8 labels of the reserve, 8 of them decided, of 4 prompts" in told
    assert (
        "Accuracy without ties: 0.000 (0.000 to 0.000), the other 1.000 (1.000 to 1.000);"
        " difference -1.000 (-1.000 to -1.000), p 0.1" in told
    )
    assert "The project's rule leaves it to a button." in told
    assert current_revision(project) == current
    call_command("compare_rm", project=project.slug, promote=True)
    assert "builtin 2 is current, and has scored what may still be asked." in capsys.readouterr().out
    assert current_revision(project) == sampling_revision(project) == worse_one
    assert Score.objects.filter(revision=worse_one).count() == 12
