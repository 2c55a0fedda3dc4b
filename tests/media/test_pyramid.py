"""A picture larger than what is shown of it at once is cut into tiles of several sizes, after its import."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from annotate import integrity
from annotate.actions.erasure import erase_demo
from annotate.actions.jobs import run_job
from annotate.actions.queue import claim_next
from annotate.modalities import image
from annotate.modalities.base import MediaError
from annotate.modalities.pyramid import TILE, sizes_of
from annotate.modalities.sandbox import MediaSandbox
from annotate.models import Asset, Job, JobKind, Pair, Role
from tests.factories import make_annotator, make_member, make_project
from tests.imports.reading import import_files, row, write_json
from tests.media.hostile import png_of
from tests.media.pictures import coded, exif, picture, srgb_profile
from tests.media.sandboxed import Opened, examine

Pixels = npt.NDArray[np.int16]


@pytest.fixture(scope="module")
def images() -> Iterator[MediaSandbox]:
    with MediaSandbox(1) as pool:
        yield pool


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """No pixel of it follows from those beside it."""
    shape = (height, width, len(mode))
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8), mode)


def moving(width: int, height: int) -> bytes:
    frames = [Image.new("RGB", (width, height), colour) for colour in ("red", "blue")]
    return coded("GIF", frames[0], save_all=True, append_images=frames[1:])


def levels(opened: Opened) -> list[dict[str, Any]]:
    told = json.loads(opened.made["levels"])
    assert told["tile"] == TILE
    found: list[dict[str, Any]] = told["levels"]
    return found


def laid(opened: Opened, number: int) -> Image.Image:
    """A level, put together from its tiles as a viewer does."""
    level = levels(opened)[number]
    columns = -(-level["width"] // TILE)
    whole = Image.new("RGBA", (level["width"], level["height"]))
    for n, (start, end) in enumerate(zip(level["offsets"], level["offsets"][1:], strict=False)):
        with Image.open(io.BytesIO(opened.made["tiles"][start:end]), formats=["WEBP"]) as tile:
            assert not tile.getexif() and "icc_profile" not in tile.info
            whole.paste(tile.convert("RGBA"), (n % columns * TILE, n // columns * TILE))
    return whole


def values(picture: Image.Image) -> Pixels:
    return np.asarray(picture.convert("RGBA")).astype(np.int16)


def off(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of what is not transparent, of 255."""
    assert one.size == other.size
    a, b = values(one), values(other)
    return float(np.abs(a - b)[b[..., 3] > 0].mean())


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_levels_are_what_pillow_makes_of_the_picture(images: MediaSandbox, mode: str) -> None:
    whole = noise(4700, 1100, mode)
    opened = examine(images, coded("PNG", whole, compress_level=1), "image/png")
    assert opened.probe["tiled"] and set(opened.made) == {"web", "thumb", "tiles", "levels"}
    assert [(level["width"], level["height"]) for level in levels(opened)] == [(4700, 1100), (2350, 550)]
    assert (values(laid(opened, 0)) == values(whole)).all()  # the picture itself
    smooth = coded("PNG", picture(40, 24).resize((4700, 1100), Image.Resampling.BICUBIC))
    opened = examine(images, smooth, "image/png")
    with Image.open(io.BytesIO(smooth)) as given:
        half = given.resize((2350, 550), Image.Resampling.LANCZOS)
    assert off(laid(opened, 1), half) < 1.5


def test_offsets_are_of_whole_files_one_after_the_other(images: MediaSandbox) -> None:
    opened = examine(images, coded("PNG", noise(2100, 1030), compress_level=1), "image/png")
    (level,) = levels(opened)
    assert len(level["offsets"]) == 5 * 3 + 1
    assert level["offsets"][0] == 0 and level["offsets"][-1] == len(opened.made["tiles"])
    for start, end in zip(level["offsets"], level["offsets"][1:], strict=False):
        tile = opened.made["tiles"][start:end]
        assert tile[:4] == b"RIFF" and int.from_bytes(tile[4:8], "little") + 8 == len(tile)
    with Image.open(io.BytesIO(opened.made["tiles"][level["offsets"][-2] :])) as last:
        assert last.size == (2100 - 4 * TILE, 1030 - 2 * TILE)


@pytest.mark.parametrize(("width", "height"), [(8192, 8192), (2049, 1), (65_535, 1024), (6000, 4001)])
def test_each_level_is_half_of_the_one_before(width: int, height: int) -> None:
    sizes = sizes_of(width, height, 2048)
    assert sizes[0] == (width, height) and max(sizes[-1]) > 2048 >= (max(sizes[-1]) + 1) // 2
    assert sizes_of(2048, 2048, 2048) == []


def test_tiles_are_upright_and_in_the_same_colours_as_the_whole(images: MediaSandbox) -> None:
    """A JPEG that lies on its side, in another profile: its tiles show what the rendition shows."""
    swapped = bytearray(srgb_profile())
    r, g = (swapped.index(tag, 128) for tag in (b"rXYZ", b"gXYZ"))
    swapped[r : r + 4], swapped[g : g + 4] = b"gXYZ", b"rXYZ"
    lying = picture(40, 24).resize((3000, 1000), Image.Resampling.BICUBIC)
    data = coded("JPEG", lying, quality=92, exif=exif(6), icc_profile=bytes(swapped))
    opened = examine(images, data, "image/jpeg")
    assert (opened.probe["width"], opened.probe["height"]) == (1000, 3000)
    alone = examine(images, data, "image/jpeg", image.AT_IMPORT)  # decoded at a half, as an import does
    with Image.open(io.BytesIO(alone.made["web"])) as web:
        assert off(laid(opened, 0).resize(web.size, Image.Resampling.LANCZOS), web) < 2.5
    assert b"SECRETCAMERA" not in opened.made["tiles"]


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (coded("PNG", Image.new("RGB", (2048, 300))), "image/png"),
        (moving(2100, 8), "image/gif"),
    ],
    ids=["as large as what is shown", "moving"],
)
def test_others_have_no_tiles(images: MediaSandbox, data: bytes, media_type: str) -> None:
    opened = examine(images, data, media_type)
    assert set(opened.made) == {"web", "thumb"} and "tiled" not in opened.probe


def test_the_largest_that_is_taken_fits_into_the_memory_allowed(images: MediaSandbox) -> None:
    """With all that can be wrong with it at once: it lies, has alpha, and colours to be converted."""
    data = coded(
        "PNG", Image.new("RGBA", (8192, 8192), (9, 99, 199, 128)), compress_level=1, exif=exif(6),
        icc_profile=srgb_profile(),
    )  # fmt: skip
    opened = examine(images, data, "image/png", ("tiles", "levels"))
    assert [len(level["offsets"]) for level in levels(opened)] == [16 * 16 + 1, 8 * 8 + 1]
    end = levels(opened)[1]["offsets"][0]
    start = levels(opened)[0]["offsets"][-2]
    with Image.open(io.BytesIO(opened.made["tiles"][start:end])) as tile:
        assert tile.size == (TILE, TILE) and tile.getpixel((300, 300)) == (9, 99, 199, 128)


@pytest.mark.parametrize(("width", "height"), [(8193, 8192), (65_536, 2), (2, 65_536)])
def test_sizes_made_to_harm_are_refused(images: MediaSandbox, width: int, height: int) -> None:
    with pytest.raises(MediaError, match=f"{width} x {height} pixels; at most"):
        examine(images, png_of(width, height), "image/png")


def media_folder(tmp_path: Path) -> Path:
    root = tmp_path / "media"
    root.mkdir()
    for n in (1, 2):
        (root / f"large{n}.png").write_bytes(coded("PNG", Image.new("RGB", (2600, 700 + n), (n, 99, 9))))
        (root / f"small{n}.png").write_bytes(coded("PNG", Image.new("RGB", (64, 48), (n, 99, 9))))
    return root


def rows() -> list[dict[str, object]]:
    return [
        row(1, response1={"media": "large1.png"}, response2={"media": "large2.png"}),
        row(2, response1={"media": "small1.png"}, response2={"media": "small2.png"}),
        row(3, response1={"media": "small1.png"}, response2={"media": "large1.png"}),
    ]


def stored() -> set[str]:
    root = Path(default_storage.path("assets"))
    return {f"assets/{path.relative_to(root)}" for path in root.rglob("*") if path.is_file()}


@pytest.mark.django_db(transaction=True)
def test_pairs_of_large_pictures_wait_for_their_tiles(tmp_path: Path) -> None:
    """An import makes what a picture needs to be seen; its tiles a job makes, and once all is erased none is left."""
    before = stored()
    project = make_project(reserve_share=0, validation_share=0, demo=True)
    import_files(project, write_json(tmp_path / "p.json", rows()), media=media_folder(tmp_path))
    pairs = Pair.objects.filter(project=project).order_by("pk")
    assert list(pairs.values_list("ready", flat=True)) == [False, True, False]
    assert not integrity.violations()
    claim = claim_next(annotator=make_annotator(project), claim_id=uuid4())
    assert claim and claim.pair.external_id == "r2"

    job = run_job(Job.objects.get(project=project, kind=JobKind.DERIVE).pk)
    assert (job.done, job.total) == (2, 2)
    assert all(pairs.values_list("ready", flat=True)) and not integrity.violations()
    for asset in Asset.objects.filter(project=project):
        kinds = set(asset.derivatives.values_list("kind", flat=True))
        assert kinds == set(image.KINDS if asset.probe["width"] > 2048 else image.AT_IMPORT)

    # Those that come again are ready at once.
    again = [row(9, response1={"media": "large1.png"}, response2={"media": "large2.png"})]
    import_files(project, write_json(tmp_path / "q.json", again), media=tmp_path / "media")
    assert Pair.objects.get(project=project, external_id="r9").ready
    assert not Job.objects.filter(project=project, kind=JobKind.DERIVE).exclude(pk=job.pk).exists()

    erase_demo(by=make_member(project, Role.MANAGER), project=project)
    assert stored() == before
