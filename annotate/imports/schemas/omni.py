"""OmniRewardBench's layout: a row is (pair, criterion, label), nine configs, as JSON with paths or as Parquet.

A pair is named by what the two forms share - config, prompt, models, texts, media paths - because the published
`id` is not said to be the pair's. Rows of one pair are so gathered whether `id` repeats or not, and the same pair
has the same name in both forms.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from annotate.imports import checks
from annotate.imports.record import AskedCriterion, FileError, Label, MediaRef, PairRow, Place, RowError, Side
from annotate.imports.schemas.context import PUBLISHED, Context
from annotate.imports.schemas.evenhand import media as own_media
from annotate.models import Modality

COLUMNS = {"criteria", "criteria_preference", "response1", "response2"}
SOURCE = "OmniRewardBench"
MEDIA_FOLDER = "media_data/"


@dataclass(frozen=True)
class Config:
    """The prompt's media column with its modality, and what the responses are (None: text)."""

    column: str | None = None
    asked: Modality | None = None
    media_responses: bool = False
    answered: Modality | None = None


CONFIGS = {
    "text_to_text": Config(),
    "text_image_to_text": Config("image", Modality.IMAGE),
    "text_video_to_text": Config("video", Modality.VIDEO),
    "text_audio_to_text": Config("audio", Modality.AUDIO),
    "text_to_image": Config(media_responses=True, answered=Modality.IMAGE),
    "text_to_video": Config(media_responses=True, answered=Modality.VIDEO),
    "text_to_audio": Config(media_responses=True, answered=Modality.AUDIO),
    # Published as renderings of the mesh; a mesh is taken as well.
    "text_to_3D": Config(media_responses=True),
    "text_image_to_image": Config("image", Modality.IMAGE, True, Modality.IMAGE),
}


def schema(context: Context) -> Callable[[Mapping[str, Any], Place], PairRow]:
    name = config_of(context)
    config = CONFIGS[name]

    def read(row: Mapping[str, Any], place: Place) -> PairRow:
        prompt = checks.text(row.get("prompt"), "prompt")
        media = () if config.column is None else (_media(row, config.column, config.asked),)
        sides = [_side(row, number, config) for number in (1, 2)]
        return PairRow(
            place=place,
            source=context.source or SOURCE,
            external_id=_pair_name(name, prompt, media, sides),
            task_type=name,
            turns=(("user", prompt),),
            media=media,
            response1=sides[0],
            response2=sides[1],
            criteria=(_criterion(row, context),),
        )

    return read


def config_of(context: Context) -> str:
    """The config: as told, else from the file's name, its folder, or the project.

    Raises:
        FileError: none of them says it.
    """
    path = PurePosixPath(context.file.replace("\\", "/"))
    for candidate in (context.task_type, path.name.split("_preferences")[0], path.stem, path.parent.name):
        if candidate in CONFIGS:
            return candidate
    # A shard of Parquet is often named config-test-00000-of-00001.
    for config in sorted(CONFIGS, key=len, reverse=True):
        if path.name.startswith(config):
            return config
    if context.project_task_type in CONFIGS:
        return context.project_task_type
    raise FileError(
        "these are rows of OmniRewardBench, but of which config? Say so with --task-type, or name the file"
        f" <config>_preferences.json. Configs: {', '.join(CONFIGS)}."
    )


def _media(row: Mapping[str, Any], column: str, expects: Modality | None) -> MediaRef:
    value, path = row.get(column), row.get(f"{column}_path")
    if isinstance(value, dict) and value.get("bytes") is None:
        value = value.get("path")
    if value is None:
        value = path
    if value is None or value == "":
        raise RowError(column, "is missing: give the media file's path, or its bytes in Parquet.")
    ref = own_media(value, column)
    path = checks.text(path, f"{column}_path", limit=checks.MAX_PATH) if path else ref.path
    return MediaRef(column, path.removeprefix("./").removeprefix(MEDIA_FOLDER), ref.data, expects)


def _side(row: Mapping[str, Any], number: int, config: Config) -> Side:
    column = f"response{number}"
    model = checks.name(row.get(f"model{number}") or "", f"model{number}", empty=True)
    if config.media_responses:
        return Side(media=_media(row, column, config.answered), model=model)
    return Side(text=checks.text(row.get(column), column), model=model)


def _pair_name(config: str, prompt: str, media: tuple[MediaRef, ...], sides: list[Side]) -> str:
    content = [config, prompt, [_named(ref) for ref in media]]
    content += [[side.model, side.text, _named(side.media)] for side in sides]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _named(ref: MediaRef | None) -> str:
    """A media file in the pair's name: its path where the form gives one, else its content."""
    if ref is None:
        return ""
    # A path without folder is what `datasets` leaves of a file that it embeds: not the published one.
    if ref.data is not None and "/" not in ref.path:
        return hashlib.sha256(ref.data).hexdigest()
    return ref.path


def _criterion(row: Mapping[str, Any], context: Context) -> AskedCriterion:
    verdict = row.get("criteria_preference")
    labels: tuple[Label, ...] = ()
    if verdict is not None and verdict != "" and context.labels:
        if verdict not in ("response1", "response2", "tie"):
            raise RowError("criteria_preference", f"is {verdict!r:.60}; must be response1, response2 or tie.")
        row_id = row.get("id")
        evidence = {"id": checks.name(row_id, "id", empty=True)} if row_id is not None else {}
        labels = (Label(PUBLISHED, verdict, evidence=evidence),)
    k = context.k or (1 if labels else None)
    text = checks.text(row.get("criteria"), "criteria", empty=False)
    return checks.criterion(AskedCriterion(text, k, labels), "criteria")
