"""After an import its video, sound and 3D are prepared by a job; until then their pairs are asked of nobody."""

from pathlib import Path
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command

from annotate import integrity
from annotate.actions.jobs import run_job
from annotate.actions.queue import claim_next
from annotate.models import Asset, Derivative, Job, JobKind, JobState, Pair, Stream
from tests.factories import make_annotator, make_project
from tests.imports.reading import import_files, row, write_json
from tests.media.clips import sound, video

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]


def media_folder(tmp_path: Path) -> Path:
    root = tmp_path / "media"
    root.mkdir()
    (root / "a.mp4").write_bytes(video(sound="aac"))
    (root / "b.webm").write_bytes(video("video/webm", codec="libvpx-vp9", frames=10))
    (root / "a.wav").write_bytes(sound())
    (root / "b.mp3").write_bytes(sound("audio/mpeg", codec="libmp3lame"))
    return root


def rows() -> list[dict[str, object]]:
    return [
        row(1, response1={"media": "a.mp4", "model": "m"}, response2={"media": "b.webm", "model": "n"}),
        row(2, response1={"media": "a.wav", "model": "m"}, response2={"media": "b.mp3", "model": "n"}),
        row(3),
    ]


def test_pairs_wait_for_their_media(tmp_path: Path) -> None:
    project = make_project(reserve_share=0, validation_share=0, claims_in_hand=9)
    import_files(project, write_json(tmp_path / "p.json", rows()), media=media_folder(tmp_path))
    assert list(Pair.objects.filter(project=project).order_by("pk").values_list("ready", flat=True)) == [
        False,
        False,
        True,
    ]
    assert Stream.objects.get(project=project).total == 1
    job = Job.objects.get(project=project, kind=JobKind.DERIVE)
    assert job.state == JobState.QUEUED and not integrity.violations()
    annotator = make_annotator(project)
    claim = claim_next(annotator=annotator, claim_id=uuid4())
    assert claim and claim.pair.external_id == "r3"
    assert claim_next(annotator=annotator, claim_id=uuid4()) is None

    job = run_job(job.pk)
    assert job.state == JobState.DONE and (job.done, job.total) == (4, 4)
    assert not Asset.objects.filter(project=project, prepared=False).exists()
    assert Stream.objects.get(project=project).total == 3 and not integrity.violations()
    kinds = {
        asset.extension: set(asset.derivatives.values_list("kind", flat=True))
        for asset in Asset.objects.filter(project=project)
    }
    pictures, sounds = {"web", "poster", "thumb", "frames"}, {"web", "peaks"}
    assert kinds == {"mp4": pictures, "webm": pictures, "wav": sounds, "mp3": sounds}
    for made in Derivative.objects.filter(asset__project=project):
        assert default_storage.size(made.key) == made.size
    claimed = {claim_next(annotator=annotator, claim_id=uuid4()).pair.external_id for _ in range(2)}  # type: ignore[union-attr]
    assert claimed == {"r1", "r2"}
    assert not integrity.violations()


def test_what_cannot_be_prepared_says_why_and_is_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file that fails holds up its own pairs and nothing else."""
    project = make_project(reserve_share=0, validation_share=0)
    import_files(project, write_json(tmp_path / "p.json", rows()), media=media_folder(tmp_path))
    bad = Asset.objects.get(project=project, extension="webm")
    with default_storage.open(bad.key) as file:
        content = file.read()
    default_storage.delete(bad.key)
    default_storage.save(bad.key, ContentFile(content[: len(content) // 2]))
    assert run_job(Job.objects.get(project=project, kind=JobKind.DERIVE).pk).state == JobState.DONE
    bad.refresh_from_db()
    assert not bad.prepared and bad.problem.endswith(".")
    waiting = Pair.objects.filter(project=project, ready=False)
    assert [pair.external_id for pair in waiting] == ["r1"] and not integrity.violations()

    call_command("derive_media", project=project.slug)  # what failed is left alone
    bad.refresh_from_db()
    assert bad.problem and not bad.prepared
    default_storage.delete(bad.key)
    default_storage.save(bad.key, ContentFile(content))
    call_command("derive_media", project=project.slug, again=True)
    assert "4 files are prepared" in capsys.readouterr().out
    bad.refresh_from_db()
    assert bad.prepared and not bad.problem and not waiting.all().exists() and not integrity.violations()


def test_the_command_that_imports_prepares_too(tmp_path: Path) -> None:
    project = make_project()
    path = write_json(tmp_path / "p.json", rows())
    call_command("import_pairs", str(path), project=project.slug, media=str(media_folder(tmp_path)))
    assert Job.objects.get(project=project, kind=JobKind.DERIVE).state == JobState.DONE
    assert Asset.objects.filter(project=project, prepared=True).count() == 4
