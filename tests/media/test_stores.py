"""Import, prepare, serve and release, on the local disk and in an object store alike."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.test import Client

from annotate.actions.jobs import run_job
from annotate.actions.people import annotator_for
from annotate.actions.queue import claim_next
from annotate.modalities import HOUSES, image
from annotate.models import Asset, Derivative, Job, JobKind, Modality
from tests.factories import make_member, make_project
from tests.imports.reading import import_files, labels, row, write_json
from tests.media.clips import SECRET, decoded, sound, video
from tests.media.pictures import coded, exif, picture, pixels
from tests.media.test_derive_killed import solid
from tests.stores import Store

pytestmark = pytest.mark.django_db(transaction=True)

TASKS = {
    "text_to_video": ("video", [video(sound="aac"), video("video/webm", codec="libvpx-vp9", frames=8)]),
    "text_to_audio": ("audio", [sound(), sound("audio/ogg", codec="libopus")]),
    "text_to_3D": ("mesh", [solid(1), solid(2)]),
    "text_to_image": ("image", [coded("JPEG", picture(64, 48, seed=n), exif=exif(6)) for n in (1, 2)]),
    "text_to_image, large": (
        "image",
        [coded("JPEG", picture(2100, 24, seed=n), exif=exif(6)) for n in (1, 2)],
    ),
}


def fetched(client: Client, url: str, **headers: str) -> tuple[str, bytes]:
    """The type and the bytes that a browser gets, over a redirect where there is one."""
    answer: Any = client.get(url, headers=headers)
    if answer.status_code == 302:
        assert urlsplit(answer["Location"]).scheme == "http"
        with urlopen(Request(answer["Location"], headers=headers), timeout=10) as response:
            return response.headers["Content-Type"], response.read()
    assert answer.status_code == (206 if headers else 200), (url, unquote(str(answer)))
    return answer["Content-Type"], b"".join(answer.streaming_content)


@pytest.mark.parametrize("task", TASKS)
def test_the_whole_way(task: str, store: Store, tmp_path: Path) -> None:
    modality, files = TASKS[task]
    task, _, large = task.partition(", ")
    media = tmp_path / "media"
    media.mkdir()
    for number, content in enumerate(files):
        (media / str(number)).write_bytes(content)
    judged = {"text": "Which is clearer?", "judgments": labels("response1", "response1", "response1")}
    rows = [
        row(
            1,
            task_type=task,
            response1={"media": "0"},
            response2={"media": "1"},
            criteria=[judged, "Which is nicer?"],
        )
    ]
    project = make_project(task_type=task, reserve_share=1, validation_share=0)
    import_files(project, write_json(tmp_path / "p.json", rows), media=media)
    for job in Job.objects.filter(project=project, kind=JobKind.DERIVE):
        assert run_job(job.pk).done == 2
    assert Asset.objects.filter(project=project, modality=modality, prepared=True).count() == 2

    user = make_member(project)
    claim = claim_next(annotator=annotator_for(user, project), claim_id=uuid4())
    assert claim
    client = Client()
    client.force_login(user, backend="webapp.sessions.Accounts")
    shown = (client.get(f"/api/v1/claims/{claim.pk}/").json())["a"]["media"]
    assert (shown["modality"], shown["url"]) == (modality, f"/media/{claim.pk}/a/web")
    kinds = HOUSES[Modality(modality)].KINDS
    if modality == "image" and not large:
        for kind in set(kinds) - set(image.AT_IMPORT):
            assert client.get(f"/media/{claim.pk}/a/{kind}").status_code == 404
        kinds = image.AT_IMPORT
    for kind in kinds:
        types = set()
        for slot in "ab":
            media_type, content = fetched(client, f"/media/{claim.pk}/{slot}/{kind}")
            types.add(media_type)
            side = (slot == "a") != claim.flip
            asset = (claim.pair.response1 if side else claim.pair.response2).asset
            assert len(content) == Derivative.objects.get(asset=asset, kind=kind).size
            assert SECRET.encode() not in content and b"SECRETCAMERA" not in content
        assert len(types) == 1  # nothing tells the sides apart
    assert client.get(f"/media/{claim.pk}/a/original").status_code == 404
    if large:
        assert shown["tiled"]
        offsets = json.loads(fetched(client, f"/media/{claim.pk}/a/levels")[1])["levels"][0]["offsets"]
        one = f"bytes={offsets[1]}-{offsets[2] - 1}"
        tile = fetched(client, f"/media/{claim.pk}/a/tiles", Range=one)[1]
        assert pixels(tile) and len(tile) == offsets[2] - offsets[1]

    call_command("export_bench", project=project.slug, out=tmp_path / "out", verbosity=0)
    assert json.loads((tmp_path / "out" / "MANIFEST.json").read_text())["files"]
    released = [path for path in (tmp_path / "out/bench/media_data").rglob("*") if path.is_file()]
    originals = {path: path.read_bytes() for path in released if "sheet" not in path.name}
    assert len(released) >= 2
    for content in originals.values():
        assert SECRET.encode() not in content and b"SECRETCAMERA" not in content
    if modality in ("video", "audio"):
        given = [decoded(content, "") for content in files]
        assert all(decoded(content, "") in given for content in originals.values())
