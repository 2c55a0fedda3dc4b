"""Vectors of criteria: made by workers for what lacks one, compared by PostgreSQL, and missed by nobody who types."""

from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone

from annotate import library
from annotate.actions import embeddings
from annotate.actions.criteria import add_criterion
from annotate.actions.people import annotator_for
from annotate.meaning import missing_embeddings, near_criterion
from annotate.models import CriterionEmbedding, DataImport, Job, Project, TypedEmbedding
from annotate.queries import suggestions
from tests.factories import make_annotator, make_criterion, make_member, make_project
from workers import embedding, tasks
from workers.reward_models.features import minilm

pytestmark = pytest.mark.django_db
ENGAGING, HOLDS, POLITE = (
    "The story is engaging.",
    "The narrative holds the reader's interest.",
    "It is courteous.",
)


@pytest.fixture
def project() -> Project:
    project = make_project()
    for text in (ENGAGING, HOLDS, POLITE, "The story is dull."):
        make_criterion(project, text)
    return project


def test_what_lacks_a_vector_gets_it_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job.objects.create(kind="import", project=project)
    hidden = DataImport.objects.create(project=project, job=job, spec={})
    make_criterion(project, "Hidden.", data_import=hidden)
    assert embedding.embed_missing(3) == 3
    assert embedding.embed_missing(3) == 1
    assert embedding.embed_missing(3) == 0
    kept = CriterionEmbedding.objects.get(criterion__text=ENGAGING)
    assert kept.revision == minilm.VERSION
    assert np.linalg.norm(kept.vector) == pytest.approx(1, abs=1e-3)
    # Another model: all of them anew, and until then none is compared with those of before.
    monkeypatch.setattr(minilm, "VERSION", "another")
    assert len(missing_embeddings("another", 9)) == 4
    assert embedding.embed_missing(1) == 1
    assert near_criterion(project, CriterionEmbedding.objects.get(revision="another").pk, 5) == []


def test_near_ones_are_found_by_meaning_and_opposites_are_marked(project: Project) -> None:
    engaging = make_criterion(project, ENGAGING)
    retired = make_criterion(project, "The tale is engaging.", state="retired", in_library=False)
    foreign = make_criterion(make_project(), "The story is very engaging.")
    tasks.embed_missing()
    found = library.near(engaging)
    by = {row["text"]: row for row in found}
    assert by[HOLDS]["by"] == "meaning" and not by[HOLDS]["opposite"]
    assert by["The story is dull."]["opposite"]
    assert not {retired.pk, foreign.pk} & {row["id"] for row in found}
    # Without vectors those that are written alike are left.
    CriterionEmbedding.objects.all().delete()
    assert [row["text"] for row in library.near(engaging)] == ["The story is dull."]


def test_suggestions_need_no_worker_and_are_better_with_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr("annotate.meaning.send_on_commit", lambda *call, expires: sent.append(call))
    annotator = annotator_for(make_member(project), project)
    typed = "Which tale grips whoever reads it?"
    found, pending = suggestions(project, typed, annotator)
    assert HOLDS not in dict(found) and pending
    assert sent == [("workers.tasks.embed_typed", typed)]
    tasks.embed_missing()
    tasks.embed_typed(*sent[0][1:])
    found, pending = suggestions(project, f"  {typed} ", annotator)
    assert HOLDS in dict(found) and not pending
    assert [text for text, _ in suggestions(project, "grips", annotator)[0]] == []
    # What others wrote and nobody has accepted is suggested to them alone.
    mine = make_criterion(
        project, "It grips me as a reader.", state="proposed", in_library=False, author=annotator
    )
    tasks.embed_missing()
    assert mine.text in dict(suggestions(project, typed, annotator)[0])
    assert mine.text not in dict(suggestions(project, typed, make_annotator(project))[0])
    TypedEmbedding.objects.update(made_at=timezone.now() - embeddings.TYPED_KEPT * 2)
    tasks.embed_missing()
    assert not TypedEmbedding.objects.exists()


def test_a_new_criterion_asks_for_its_vector(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[str] = []
    monkeypatch.setattr("annotate.later.current_app.send_task", lambda name, **_: sent.append(name))
    with django_capture_on_commit_callbacks(execute=True):
        add_criterion(by=None, project=make_project(), text="New.")
    assert sent == ["workers.tasks.embed_missing"]


def test_the_command_embeds_all_there_are(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("embed_criteria")
    assert capsys.readouterr().out == f"4 criteria embedded by {minilm.VERSION}.\n"


def test_a_criterion_that_was_removed_meanwhile_is_passed_over(project: Project) -> None:
    gone = make_criterion(project, "Gone.")
    pk = gone.pk
    gone.delete()
    embeddings.keep_embeddings(revision="r", vectors={pk: [1.0] * minilm.WIDTH})
    assert not CriterionEmbedding.objects.exists()
