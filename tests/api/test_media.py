"""What a claim tells of its media: what their probes found, as the schema says."""

from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pytest

from annotate.modalities.base import Kind
from annotate.modalities.sandbox import MediaSandbox, Request
from annotate.models import Modality, Project
from tests.api.conftest import join
from tests.factories import make_asset, make_comparison, make_pair, make_project
from tests.media.clips import sound, video
from tests.media.glb import cube, glb, solid


@pytest.fixture
def project(db: None) -> Project:
    return make_project(reserve_share=0, validation_share=0)


@pytest.mark.parametrize(
    ("modality", "media_type", "content", "told"),
    [
        (Modality.VIDEO, "video/mp4", video(sound="aac"), {"width": 160, "fps": 25.0, "has_audio": True}),
        (Modality.AUDIO, "audio/wav", sound(), {"sample_rate": 48_000, "channels": 2}),
        (Modality.AUDIO, "audio/wav", sound(samples=np.zeros((48_000, 1))), {"loudness": None}),
        (Modality.MESH, "model/gltf-binary", glb(*solid(*cube())), {"faces": 12, "textured": False}),
    ],
    ids=["video", "sound", "silence", "mesh"],
)
def test_what_a_viewer_is_told(
    modality: Modality, media_type: str, content: bytes, told: dict[str, Any], project: Project
) -> None:
    extension = {"model/gltf-binary": "glb"}.get(media_type, media_type.rpartition("/")[2])
    with MediaSandbox(1) as sandbox, TemporaryFile() as file:
        file.write(content)
        file.flush()
        probe = sandbox.examine(Request(file, Kind(modality, media_type, extension))).probe
    asset = make_asset(
        project, content, modality=modality, media_type=media_type, extension=extension, probe=probe
    )
    make_comparison(make_pair(project, response1=asset, response2=asset))
    medium = join(project).claim().body["a"]["media"]
    assert medium["modality"] == modality
    assert {name: medium[name] for name in told} == told
