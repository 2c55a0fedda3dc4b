"""OmniRewardBench's rows, all nine configs, as JSON with paths and as Parquet with embedded files."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from annotate.imports.schemas.omni import CONFIGS
from annotate.models import Comparison, Judgment, Pair, Seat
from tests.factories import make_project
from tests.imports.reading import content, import_files, refusal, write_json, write_parquet
from tests.media.clips import sound, video
from tests.media.pictures import coded, picture

pytestmark = pytest.mark.django_db

FILES: dict[str, tuple[Callable[[int], bytes], str]] = {
    "image": (lambda n: coded("PNG", picture(20, 10, seed=n)), "png"),
    "video": (cache(lambda n: video(frames=5 + n, size=(32, 32))), "mp4"),
    "audio": (cache(lambda n: sound(seconds=0.1 + n / 100)), "wav"),
}
PROMPT_MEDIA = {
    "text_image_to_text": "image",
    "text_video_to_text": "video",
    "text_audio_to_text": "audio",
    "text_image_to_image": "image",
}
RESPONSE_MEDIA = {
    "text_to_image": "image",
    "text_to_3D": "image",
    "text_to_video": "video",
    "text_to_audio": "audio",
    "text_image_to_image": "image",
}
CRITERIA = [("Truer to the prompt?", "response1"), ("More pleasing?", "response2"), ("Sharper?", "tie")]


def tables(config: str, root: Path, ids: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The same two pairs of three criteria each: rows of the JSON form, rows of the Parquet form."""
    as_json, as_parquet = [], []
    for pair in range(2):
        plain: dict[str, Any] = {"prompt": f"prompt {pair}", "model1": "m1", "model2": f"m{pair}"}
        embedded = dict(plain)
        for column, kind in (
            (PROMPT_MEDIA.get(config), PROMPT_MEDIA.get(config)),
            ("response1", RESPONSE_MEDIA.get(config)),
            ("response2", RESPONSE_MEDIA.get(config)),
        ):
            if column is None:
                continue
            if kind is None:
                plain[column] = embedded[column] = f"{column} of {pair}"
                continue
            make, extension = FILES[kind]
            number = 10 * pair + len(column) + column.count("1")
            path = f"{config}/{column}_{pair}.{extension}"
            (root / config).mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(make(number))
            plain[column] = path
            if kind == "video":  # named by path in both forms
                embedded[column] = path
            else:
                embedded[column] = {"bytes": make(number), "path": path.rsplit("/")[-1]}
                embedded[f"{column}_path"] = path
        for number, (criterion, verdict) in enumerate(CRITERIA):
            name = f"{config}_{pair}" if ids == "of the pair" else f"{config}_{pair}_{number}"
            label = {"criteria": criterion, "criteria_preference": verdict, "id": name}
            as_json.append({**plain, **label})
            as_parquet.append({**embedded, **label})
    return as_json, as_parquet


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("ids", ["of the pair", "of the row"])
def test_both_forms_of_every_config_are_the_same_pairs(tmp_path: Path, config: str, ids: str) -> None:
    root = tmp_path / "media_data"
    root.mkdir()
    as_json, as_parquet = tables(config, root, ids)
    json_path = write_json(tmp_path / f"{config}_preferences.json", as_json)
    (tmp_path / config).mkdir()
    parquet_path = write_parquet(tmp_path / config / "test-00000-of-00001.parquet", as_parquet)

    project = make_project()
    made = import_files(project, json_path, media=root)
    assert (made.pairs_new, made.judgments_new) == (2, 6)
    before = content(project)
    again = import_files(project, parquet_path, media=root)
    assert (again.pairs_new, again.pairs_same, again.judgments_new) == (0, 2, 0)
    assert content(project) == before

    assert set(Pair.objects.values_list("task_type", flat=True)) == {config}
    assert set(Comparison.objects.values_list("k", flat=True)) == {1}
    found = set(Judgment.objects.values_list("comparison__criterion__text", "verdict"))
    assert found == set(CRITERIA)
    assert Seat.objects.filter(head__isnull=False).count() == 6
    assert project.annotators.count() == 1
    first = Pair.objects.get(prompt__turns__contains=[{"text": "prompt 0"}])
    assert first.prompt.prompt_assets.count() == (config in PROMPT_MEDIA)
    assert (first.response1.asset is not None) == (config in RESPONSE_MEDIA)
    assert (first.response1.text == "response1 of 0") == (config not in RESPONSE_MEDIA)
    assert (first.response1.model_name, first.response2.model_name) == ("m1", "m0")
    assert Judgment.objects.exclude(evidence={}).count() == 6


def test_rows_of_a_pair_need_not_stand_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.imports.run.BATCH_ROWS", 2)
    rows, _ = tables("text_to_text", tmp_path, "of the row")
    project = make_project()
    made = import_files(
        project, write_json(tmp_path / "text_to_text_preferences.json", rows[::2] + rows[1::2])
    )
    assert Pair.objects.count() == 2 and Comparison.objects.count() == 6 and made.judgments_new == 6


def test_k_as_told(tmp_path: Path) -> None:
    rows, _ = tables("text_to_text", tmp_path, "of the row")
    import_files(make_project(), write_json(tmp_path / "text_to_text_preferences.json", rows), k=3)
    assert set(Comparison.objects.values_list("k", flat=True)) == {3}
    assert Pair.objects.filter(queued=True).count() == 2  # drawn, as there are free seats


def test_the_config_must_be_known(tmp_path: Path) -> None:
    rows, _ = tables("text_to_text", tmp_path, "of the row")
    path = write_json(tmp_path / "mine.json", rows)
    assert "which config" in refusal(make_project(task_type="other"), path)
    import_files(make_project(task_type="other"), path, task_type="text_to_text")


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"criteria_preference": "A"}, "criteria_preference", "must be response1, response2 or tie"),
        ({"criteria": ""}, "criteria", "is empty"),
        ({"response1": None}, "response1", "is missing"),
        ({"response1": "text_to_image/not_there.png"}, "response1", "not in the media folder"),
        ({"response2": "sound.wav"}, "response2", "is audio/wav; here belongs image"),
    ],
)
def test_bad_rows(tmp_path: Path, change: dict[str, Any], field: str, words: str) -> None:
    rows, _ = tables("text_to_image", tmp_path, "of the row")
    (tmp_path / "sound.wav").write_bytes(FILES["audio"][0](1))
    rows[1] |= change
    told = refusal(
        make_project(), write_json(tmp_path / "text_to_image_preferences.json", rows), media=tmp_path
    )
    assert f"row 2, {field}" in told and words in told
