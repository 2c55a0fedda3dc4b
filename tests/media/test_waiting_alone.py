"""A partition of nothing but pairs that wait for their media is drawn from once they are prepared."""

from pathlib import Path
from uuid import uuid4

import pytest

from annotate import integrity
from annotate.actions.jobs import run_job
from annotate.actions.queue import claim_next
from annotate.models import Job, JobKind, Stream
from tests.factories import make_annotator, make_project
from tests.imports.reading import import_files, row, write_json
from tests.media.clips import sound


@pytest.mark.django_db(transaction=True)
def test_a_project_of_sounds_alone_is_asked(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    (media / "a.wav").write_bytes(sound())
    (media / "b.wav").write_bytes(sound(seconds=0.5))
    sides = {f"response{n}": {"media": name, "model": "m"} for n, name in enumerate(("a.wav", "b.wav"), 1)}
    project = make_project(reserve_share=0, validation_share=0)
    import_files(project, write_json(tmp_path / "p.json", [row(1, **sides)]), media=media)
    assert Stream.objects.get(project=project).total == 0
    run_job(Job.objects.get(project=project, kind=JobKind.DERIVE).pk)
    assert Stream.objects.get(project=project).total == 1 and not integrity.violations()
    assert claim_next(annotator=make_annotator(project), claim_id=uuid4())
