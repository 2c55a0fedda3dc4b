"""Opens meshes in the child process; see child.py."""

from collections.abc import Mapping
from typing import Any, BinaryIO

from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from annotate.modalities import mesh_draco, mesh_files, mesh_glb, mesh_scene, mesh_turntable, mesh_web
from annotate.modalities.base import MediaError
from annotate.modalities.child import Unfit
from annotate.modalities.webp import THUMB_SIDE, save_webp

_PLUGINS = (JpegImagePlugin, PngImagePlugin, WebPImagePlugin)  # of textures


def prepare() -> None:
    """Load what Pillow would look for later."""
    assert _PLUGINS
    Image.MAX_IMAGE_PIXELS = None  # mesh_scene has a limit of its own, for all textures together
    Image.preinit()


def examine(
    source: BinaryIO, media_type: str, wanted: Mapping[str, BinaryIO]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """See child.py. The probe counts what is drawn: a part that is shown twice counts twice."""
    try:
        if media_type == "model/gltf-binary":
            glb = mesh_draco.unpacked(mesh_glb.read(source.read(), 3 * mesh_scene.MAX_FACES))
            scene = mesh_scene.of_glb(glb)
            mesh_scene.check_images(scene)
            web = mesh_glb.clean(glb, staged=True) if "web" in wanted else b""
        else:
            scene = mesh_files.read(source, media_type)
            web = mesh_web.glb_of(scene) if "web" in wanted else b""
    except MediaError as error:
        raise Unfit(str(error)) from None
    made: dict[str, dict[str, Any]] = {}
    if "web" in wanted:
        wanted["web"].write(web)
        made["web"] = {"media_type": "model/gltf-binary"}
    if "sheet" in wanted or "thumb" in wanted:
        sheet = mesh_turntable.sheet(scene)
        if "sheet" in wanted:
            sheet.save(wanted["sheet"], "PNG", compress_level=4)
            made["sheet"] = {"media_type": "image/png", "width": sheet.width, "height": sheet.height}
        if "thumb" in wanted:
            first = sheet.crop((0, 0, mesh_turntable.TILE, mesh_turntable.TILE))
            made["thumb"] = save_webp(first, wanted["thumb"], THUMB_SIDE, quality=85)
    return _probe(scene), made


def _probe(scene: mesh_scene.Scene) -> dict[str, Any]:
    return {
        "vertices": scene.vertices,
        "faces": scene.faces,
        "bounds": scene.file_bounds.tolist(),
        "textured": any(part.material.texture is not None for part in scene.parts),
        "colored": any(part.colors is not None for part in scene.parts),
        "points": not scene.faces,
    }
