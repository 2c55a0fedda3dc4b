"""What a file holds once it is decoded: equal for two files that show and sound the same to the last bit."""

import io
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from annotate.modalities import HEAD_BYTES, sniff
from annotate.models import Modality
from tests.media.clips import decoded
from tests.media.pictures import pixels


def content(data: bytes) -> Any:
    """Digests of the pixels, frames (with their times), samples, or the surface of a media file."""
    kind = sniff(data[:HEAD_BYTES], len(data))
    if kind.modality == Modality.IMAGE:
        return [sha256(frame).hexdigest() for frame in pixels(data)]
    if kind.modality == Modality.MESH:
        scene = trimesh.load_scene(io.BytesIO(data), file_type=kind.extension, process=False)
        return [_surface(part) for part in scene.dump()]
    return decoded(data, kind.media_type)


def _surface(part: Any) -> list[str]:
    """Corners of faces where the scene puts them, and what covers them."""
    covers: list[Any] = [part.triangles]
    look = part.visual
    if look.kind == "texture":
        picture = getattr(look.material, "baseColorTexture", None)
        covers += [look.uv, np.asarray(picture) if picture else np.zeros(0)]
    elif look.kind:
        covers += [look.vertex_colors]
    return [sha256(np.ascontiguousarray(cover).tobytes()).hexdigest() for cover in covers]


def released(out: Path) -> dict[str, Any]:
    """What the media of a benchmark hold, by the SHA-256 of their originals; sheets of meshes are none."""
    media = out / "bench/media_data"
    files = [path for path in media.rglob("*") if path.is_file()]
    originals = [path for path in files if not (path.parent.name == "mesh" and path.suffix == ".png")]
    return {path.stem: content(path.read_bytes()) for path in originals}
