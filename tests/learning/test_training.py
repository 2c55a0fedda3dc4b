"""The training job: which judgments a model learns from, how it is tested, and how it is kept."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from annotate.actions.jobs import Refused, run_job
from annotate.actions.learning import start_training
from annotate.models import Job, JobKind, JobState, Pair, Partition, Revision, Score, Verdict
from tests.factories import judge, make_comparison, make_pair, make_project
from tests.learning.stub import StubModel
from tests.learning.world import LONG, SHORT, learn, planted
from workers import artefacts
from workers.reward_models import base

pytestmark = pytest.mark.django_db


def test_revision_says_what_it_was_trained_and_tested_on() -> None:
    project = planted(judged=6, reserve=4)
    revision = learn(project)
    assert (revision.number, revision.backend, revision.state) == (1, "builtin", "ready")
    assert (revision.judgments, revision.comparisons) == (12, 12)
    # The stub knows the rule: right on the reserve. Blind to the criterion it is right on half of it.
    assert (revision.held_out, revision.accuracy, revision.blind_accuracy) == (8, 1.0, 0.5)
    assert revision.accuracy_low == revision.accuracy_high == 1.0
    # Half of the time it is seeing the criterion that makes it right, on every prompt alike.
    assert (revision.gain, revision.gain_low, revision.gain_high) == (0.5, 0.5, 0.5)
    assert revision.artefact
    stored = Path(default_storage.path(revision.artefact)).read_bytes()
    assert revision.artefact_sha256 is not None
    assert (bytes(revision.artefact_sha256), revision.artefact_size) == (sha256(stored).digest(), len(stored))
    assert artefacts.load(revision).labels == 12  # type: ignore[attr-defined]
    assert learn(project).number == 2


def test_only_what_counts_in_train_is_learned_from() -> None:
    project = make_project()
    comparison = make_comparison(make_pair(project), LONG, k=5)
    for verdict in (Verdict.RESPONSE1, Verdict.RESPONSE2, Verdict.TIE, Verdict.CANNOT_TELL):
        judge(comparison, verdict)
    judge(comparison, Verdict.MEDIA_BROKEN, broken="prompt")
    judge(comparison, Verdict.RESPONSE1, seated=False)
    for partition in (Partition.RESERVE, Partition.VALIDATION):
        judge(make_comparison(make_pair(project, partition=partition), LONG), Verdict.RESPONSE1)
    revision = learn(project)
    assert (revision.judgments, revision.comparisons) == (3, 1)
    assert revision.held_out == 1


def test_nothing_is_learned_from_what_the_reserve_tests() -> None:
    project = planted(judged=3, reserve=2)
    kept = Pair.objects.filter(project=project, partition=Partition.RESERVE).first()
    assert kept
    judge(make_comparison(make_pair(project, group=kept.group), LONG), Verdict.RESPONSE1)
    assert learn(project).judgments == 6


def test_without_reserve_there_is_no_accuracy() -> None:
    revision = learn(planted(judged=2, reserve=0))
    assert revision.held_out == 0 and revision.accuracy is None and revision.blind_accuracy is None


def test_nothing_to_learn_from_is_said() -> None:
    project = planted(judged=0)
    job = start_training(by=None, project=project, send_it=False)
    with pytest.raises(Refused, match="no pair of the train partition"):
        run_job(job.pk, by_hand=True)
    assert Job.objects.get(pk=job.pk).state == JobState.FAILED
    assert not Revision.objects.exists()


def test_asked_twice_it_trains_once() -> None:
    project = planted(judged=1)
    first = start_training(by=None, project=project)
    assert start_training(by=None, project=project) == first
    assert Job.objects.filter(kind=JobKind.TRAIN).count() == 1


def test_file_of_a_run_that_was_killed_is_cleared_away() -> None:
    project = planted(judged=1)
    job = start_training(by=None, project=project, send_it=False)
    folder = artefacts.new_folder()
    left = Path(default_storage.path(folder)) / "model"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a mod")
    Job.objects.filter(pk=job.pk).update(spec=job.spec | {"folder": folder})
    run_job(job.pk)
    assert not left.parent.exists()
    kept = Revision.objects.get().artefact
    assert kept and kept.rpartition("/")[0] != folder


def test_a_long_training_that_was_killed_goes_on_with_what_it_had_read(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setitem(base.BACKENDS, "large", "tests.learning.stub:StubModel")
    project = planted(judged=2, reserve=1)
    job = start_training(by=None, project=project, backend="large", settings={"x": 1}, send_it=False)
    train = StubModel.train

    def killed(*_: Any, **__: Any) -> StubModel:
        raise SystemExit  # as nothing else ends it: the row stays as it is

    monkeypatch.setattr(StubModel, "train", killed)
    with pytest.raises(SystemExit):
        run_job(job.pk)
    judge(make_comparison(make_pair(project), LONG), Verdict.RESPONSE1)
    monkeypatch.setattr(StubModel, "train", train)
    run_job(job.pk)
    assert Revision.objects.get().judgments == 4
    assert not (tmp_path / "checkpoints" / f"job-{job.pk}").exists()
    # The next one reads what there is.
    run_job(start_training(by=None, project=project, backend="large", settings={"x": 1}, send_it=False).pk)
    assert Revision.objects.latest("number").judgments == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"accuracy": None},
        {"accuracy": 1.2},
        {"accuracy_low": 0.9, "accuracy_high": 0.8},
        {"held_out": 0},
        {"artefact": ""},
        {"artefact_sha256": None},
        {"artefact_size": 0},
        {"gain": None},
        {"gain_low": 0.9},
        {"state": "broken"},
        {"problem": "nothing"},
        {"judgments": 0},
    ],
)
def test_the_table_refuses(changes: dict[str, object]) -> None:
    revision = learn(planted(judged=2, reserve=2))
    with pytest.raises(IntegrityError), transaction.atomic():
        Revision.objects.filter(pk=revision.pk).update(**changes)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("margin", "nan"),
        ("margin", "inf"),
        ("p_tie", 1.1),
        ("p_tie", "nan"),
        ("variance", -0.1),
        ("bald", "nan"),
    ],
)
def test_scores_are_numbers(field: str, value: float | str) -> None:
    learn(planted(judged=2, open_pairs=1))
    assert Score.objects.count() == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        Score.objects.update(**{field: float(value)})


def test_criteria_under_which_the_same_pair_ends_otherwise_get_opposite_margins() -> None:
    learn(planted(open_pairs=1))
    margins = dict(Score.objects.values_list("comparison__criterion__text", "margin"))
    assert margins[LONG] == -margins[SHORT] != 0
