"""manage.py train_rm and score_pairs."""

import pytest
from django.core.management import CommandError, call_command

from annotate.models import Job, JobState, Revision, Score
from tests.factories import make_project
from tests.learning.world import ended_well, planted

pytestmark = pytest.mark.django_db


def test_train_then_score(capsys: pytest.CaptureFixture[str]) -> None:
    project = planted(judged=6, open_pairs=10, reserve=4)
    call_command("train_rm", project=project.slug)
    told = capsys.readouterr().out
    assert "revision 1 (builtin), trained on 12 judgments of 12 comparisons" in told
    assert (
        "Accuracy on 8 labels of the reserve: 1.000 (95 % interval 1.000 to 1.000); blind to the criterion 0.500"
        in told
    )
    call_command("score_pairs", project=project.slug)
    assert "20 comparisons are scored by revision 1 (20 of them now)." in capsys.readouterr().out
    call_command("score_pairs", project=project.slug, revision=1)
    assert "(0 of them now)" in capsys.readouterr().out
    call_command("score_pairs", "--all", project=project.slug)
    assert f"{20 + 12 + 8} comparisons are scored" in capsys.readouterr().out
    assert Revision.objects.get().kept
    assert Score.objects.count() == 40
    assert ended_well(project)


def test_what_is_wrong_is_said() -> None:
    project = make_project()
    for arguments, words in (
        (("train_rm", "--project", "none"), "There is no project 'none'"),
        (("train_rm", "--project", project.slug), "Nothing to learn from"),
        (("score_pairs", "--project", "none"), "There is no project 'none'"),
        (("score_pairs", "--project", project.slug), "There is no revision yet: manage.py train_rm"),
        (("score_pairs", "--project", project.slug, "--revision", "4"), "has no revision 4"),
    ):
        with pytest.raises(CommandError, match=words):
            call_command(*arguments)
    assert not Job.objects.filter(state=JobState.RUNNING).exists()
