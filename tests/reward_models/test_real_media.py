"""Features of real files, from exactly the renditions that the sandbox makes of them."""

import hashlib
import io

import numpy as np
import pytest

from annotate.modalities.sandbox import MediaSandbox
from tests.media.sandboxed import examine, kind_of
from tests.paths import SHARED_DATA, needs_shared_data
from workers.reward_models.base import MediumRef
from workers.reward_models.features.media import signal_features


@needs_shared_data
@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("image/kodim03.png", "image/png"),
        ("video/mllm2.avi", "video/x-msvideo"),
        ("audio/bach.ogg", "audio/ogg"),
        ("mesh/Duck.glb", "model/gltf-binary"),
    ],
)
def test_a_real_file_has_features(name: str, media_type: str) -> None:
    data = (SHARED_DATA / name).read_bytes()
    with MediaSandbox() as pool:
        made = examine(pool, data, media_type).made
    modality = kind_of(media_type).modality.value
    opens = {kind: (lambda content=content: io.BytesIO(content)) for kind, content in made.items()}
    row = signal_features(modality).describe(MediumRef(hashlib.sha256(data).digest(), modality, opens))
    assert len(row) == len(signal_features(modality).names)
    assert np.isfinite(np.array(row, dtype=np.float16)).all()
