"""A project with pairs of all nine task types and real media, and what its release should say of them."""

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from django.core.files.storage import default_storage
from django.core.management import call_command
from PIL import Image as Picture

from annotate.exports.tasks import MADE
from annotate.imports.schemas.context import OVERALL
from annotate.models import Asset, Modality, Pair, Partition, Project, TaskType
from tests.exports.test_meshes import mesh
from tests.factories import judge, make_asset, make_comparison, make_pair, make_project
from tests.media import clips
from tests.media.pictures import coded, picture

TASKS = [task for task in TaskType if task != TaskType.OTHER]
TRUER = "Which is truer?"


@cache
def _clip(number: int) -> bytes:
    return clips.video(frames=3 + number, size=(32, 32))


@cache
def _tone(number: int) -> bytes:
    samples = np.stack([clips.tone(0.05, 16_000, 200.0 * (number + 1))], axis=1)
    return clips.sound(rate=16_000, samples=samples)


def medium(project: Project, modality: Modality, number: int) -> Asset:
    if modality == Modality.MESH:
        return mesh(project, number + 1)
    made: dict[Modality, tuple[Any, str, str]] = {
        Modality.IMAGE: (lambda: coded("PNG", picture(12, 8, seed=number)), "png", "image/png"),
        Modality.VIDEO: (lambda: _clip(number), "mp4", "video/mp4"),
        Modality.AUDIO: (lambda: _tone(number), "wav", "audio/wav"),
    }
    content, extension, media_type = made[modality]
    return make_asset(project, content(), modality=modality, extension=extension, media_type=media_type)


def make_everything(partitions: tuple[Partition, ...] = (Partition.RESERVE, Partition.TRAIN)) -> Project:
    """Of each task type a pair in each partition. By TRUER response2 wins, by OVERALL response1; in reserve TRUER ties."""
    project = make_project(task_type=TaskType.OTHER)
    for of, partition in enumerate(partitions):
        for task in TASKS:
            made, number = MADE[task], 3 * of
            answered = made.response[-1] if made.response else None
            responses = [
                medium(project, answered, number + n) if answered else f"Answer {n} of {partition}."
                for n in (1, 2)
            ]
            pair = make_pair(
                project,
                task_type=task,
                prompt=f"What is {partition} of {task}?",
                media=[medium(project, one, number) for one in made.prompt],
                response1=responses[0],
                response2=responses[1],
                partition=partition,
                external_id=f"{task}-{partition}",
                metadata={"licence": "CC0-1.0"},
            )
            judge(make_comparison(pair, TRUER), "response2")
            judge(make_comparison(pair, OVERALL), "response1")
            if partition == Partition.RESERVE:
                judge(make_comparison(pair, "Which is longer?"), "tie")
    return project


def release(project: Project, out: Path, *options: str) -> Path:
    call_command("export_bench", "--project", project.slug, "--out", str(out), "--min-labels", "1", *options)
    return out


@dataclass(frozen=True)
class Media:
    """The media of one pair, decoded from what was uploaded: of the prompt, of response1, of response2."""

    prompt: list[Any]
    response1: Any
    response2: Any


def media_of(project: Project, task: str, partition: str, *, pictures: bool = False) -> Media:
    """`pictures`: of a mesh its sheet, which columns of pictures hold."""
    pair = Pair.objects.select_related("response1__asset", "response2__asset").get(
        project=project, external_id=f"{task}-{partition}"
    )
    prompt = [one.asset for one in pair.prompt.prompt_assets.all()]
    sides = [
        asset and decoded(_content(asset, pictures), asset.extension)
        for asset in (pair.response1.asset, pair.response2.asset)
    ]
    return Media([decoded(_content(asset, pictures), asset.extension) for asset in prompt], *sides)


def _content(asset: Asset, pictures: bool) -> bytes:
    key = asset.key
    if pictures and asset.modality == Modality.MESH:
        key = asset.derivatives.get(kind="sheet").key
    with default_storage.open(key) as file:
        content: bytes = file.read()
    return content


def decoded(content: bytes, extension: str) -> Any:
    """What a player or viewer would show: pixels, samples, frames, a mesh's faces."""
    if content.startswith(b"\x89PNG"):
        with Picture.open(io.BytesIO(content)) as opened:
            return opened.size, opened.convert("RGB").tobytes()
    if extension == "obj":
        return [line for line in content.decode().splitlines() if line[:2] in ("v ", "f ")]
    return clips.decoded(content, {"mp4": "video/mp4", "wav": "audio/wav"}[extension])


def decoded_file(path: Path) -> Any:
    return decoded(path.read_bytes(), path.suffix[1:])
