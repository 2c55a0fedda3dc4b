"""A file that cannot be released names itself, a pair that holds it and what can be done; the rest still can be."""

from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from annotate.models import Asset, Modality, Partition, Project
from tests.factories import judge, make_asset, make_comparison, make_pair, make_project
from tests.media import clips

pytestmark = pytest.mark.django_db


def clip(project: Project, frames: int) -> Asset:
    content = clips.video("video/webm", codec="libvpx-vp9", frames=frames)
    return make_asset(project, content, modality=Modality.VIDEO, extension="webm")


def judged(project: Project, source: str, first: Asset, second: Asset) -> None:
    pair = make_pair(
        project,
        task_type="text_to_video",
        response1=first,
        response2=second,
        source=source,
        external_id="clip-7",
        partition=Partition.RESERVE,
    )
    judge(make_comparison(pair, "Which is calmer?"), "response2")


def release(project: Project, out: Path, *options: str) -> None:
    call_command("export_bench", f"--project={project.slug}", f"--out={out}", "--min-labels=1", *options)


@pytest.mark.parametrize(
    ("left", "why"),
    [
        (
            b"\x1a\x45\xdf\xa3 webm",
            "cannot be freed of its metadata: it cannot be read as video/webm: .* leave its source out",
        ),
        (None, "is not in storage: there is no assets/.* Restore it from a backup"),
    ],
)
def test_by_asset_and_pair_with_what_to_do(tmp_path: Path, left: bytes | None, why: str) -> None:
    project = make_project(task_type="text_to_video")
    whole, other, broken = clip(project, 3), clip(project, 4), clip(project, 5)
    judged(project, "studio", whole, other)
    judged(project, "street", whole, broken)
    default_storage.delete(broken.key)
    if left:
        default_storage.save(broken.key, ContentFile(left))
    said = rf"Asset {broken.pk} \(video/webm, in pair street/clip-7\) {why}"
    with pytest.raises(CommandError, match=said):
        release(project, tmp_path / "all")
    assert not (tmp_path / "all/MANIFEST.json").exists()
    release(project, tmp_path / "some", "--source=studio")
    assert len(list((tmp_path / "some/bench/media_data/video").iterdir())) == 2
