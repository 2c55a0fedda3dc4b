"""A release's training rows read back: the right side chosen, its media, its subset, and nothing that was changed since."""

import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from PIL import Image

from annotate.imports.schemas.context import OVERALL
from annotate.models import Modality, Partition
from tests.evaluation.benches import picture
from tests.factories import judge, make_asset, make_comparison, make_pair, make_project
from tests.released.making import LONG, make_release
from workers.released.mix import Mix
from workers.released.reward_model import lesson, prompt_of
from workers.released.rows import ReleaseError, read

pytestmark = pytest.mark.django_db


def test_rows_are_what_was_judged(tmp_path: Path) -> None:
    project = make_release(tmp_path / "out")
    release = read(tmp_path / "out")
    assert (len(release.train), len(release.validation), release.project) == (24, 8, project.slug)
    firsts = set()
    for one in (*release.train, *release.validation):
        pair = one.row.pair
        loud_first = pair.response1.text.startswith("MUCH")
        firsts.add(loud_first)
        assert one.row.label == (1 if loud_first == (one.row.criterion == LONG) else -1)
        assert not one.general
    assert firsts == {True, False}, "the better one is not always the first"
    assert {one.subset for one in release.train} == {"omni_t2t_skywork", "skywork_reward"}
    assert {one.row.pair.turns[0][1].split()[0] for one in release.validation} == {"validation"}
    # Both criteria of a pair are of one prompt, with the sides in one order.
    by_pair: dict[str, set[str]] = {}
    for one in release.train:
        by_pair.setdefault(one.row.group, set()).add(one.row.pair.response1.text)
    assert all(len(sides) == 1 for sides in by_pair.values()) and len(by_pair) == 12


def test_general_preferences_and_prompts_with_a_system_turn_are_read_back(tmp_path: Path) -> None:
    """Of a general preference the release says no criterion; of a prompt's own system turn it makes one with it."""
    project = make_project()
    turns = [{"role": "system", "text": "Be brief."}, {"role": "user", "text": "Why?"}]
    for prompt in ("How?", turns):
        pair = make_pair(project, prompt=prompt, response1="So.", response2="Because.")
        judge(make_comparison(pair, OVERALL, k=1), "response1")
        judge(make_comparison(pair, LONG, k=1), "response2")
    tie = make_comparison(make_pair(project, prompt="Which?"), LONG, k=1)
    judge(tie, "tie")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("formats: [trl]\ntrain: {ties: both}\n")
    call_command("export_bench", project=project.slug, out=tmp_path / "out", min_labels=1, recipe=recipe)
    found = [
        (one.general, one.row.criterion, one.row.pair.turns, one.subset)
        for one in read(tmp_path / "out").train
    ]
    plain = (("user", "How?"),)
    own = (("system", "Be brief."), ("user", "Why?"))
    assert sorted(found[:4]) == sorted(
        (criterion == OVERALL, criterion, prompt, "test")
        for criterion in (OVERALL, LONG)
        for prompt in (plain, own)
    )
    assert [one[2] for one in found[4:]] == [(("user", "Which?"),)] * 2


def test_what_is_no_release_or_was_changed_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"holds no MANIFEST\.json: give the folder of a finished release"):
        read(tmp_path)
    out = tmp_path / "out"
    make_release(out, train=2, validation=0, reserve=0)
    path = out / "train" / "text_to_text-train.jsonl"
    rows = path.read_text()
    path.write_text(rows.replace("brief 0", "brief 9"))
    with pytest.raises(
        ReleaseError, match=r"text_to_text-train\.jsonl is not the file that MANIFEST\.json names"
    ):
        read(out)
    path.write_text(rows)
    manifest = out / "MANIFEST.json"
    told = manifest.read_text()
    manifest.write_text(json.dumps(json.loads(told) | {"format": "other/2"}))
    with pytest.raises(ReleaseError, match="its format is 'other/2', not 'evenhand-release/1'"):
        read(out)
    manifest.write_text(json.dumps(json.loads(told) | {"files": []}))
    with pytest.raises(ReleaseError, match="holds no training rows"):
        read(out)


def test_pictures_stand_on_their_side_and_known_prompts_are_kept_out(tmp_path: Path) -> None:
    project = make_project(task_type="text_image_to_image")

    def asset(colour: str):
        return make_asset(
            project, picture(colour), modality=Modality.IMAGE, extension="png", media_type="image/png"
        )

    for n, colour in enumerate(("red", "green")):
        pair = make_pair(
            project,
            prompt="Make it blue.",
            media=[asset(colour)],
            response1=asset(f"rgb(0,0,{250 - n})"),
            response2=asset(f"rgb(250,{n},0)"),
            partition=Partition.TRAIN,
        )
        judge(make_comparison(pair, "It is blue.", k=1), "response1")
    call_command("export_bench", project=project.slug, out=tmp_path / "out", min_labels=1)
    release = read(tmp_path / "out")
    with lesson(release, Mix()) as found:
        assert len(found.items) == 2 and not found.watched and not found.left_out
        for item, verdict in zip(found.items, found.verdicts, strict=True):
            (asked,) = item.prompt_media
            better = item.first if verdict > 0 else item.second
            assert asked.modality == "image" and better.medium
            with better.medium.files["web"]() as file, Image.open(file) as shown:
                red, _, blue = np.asarray(shown.convert("RGB"))[5, 5]
            assert blue > 200 > 50 > red
        known = prompt_of(found.items[0])
    # The same words about another picture are another prompt.
    with lesson(release, Mix(), kept_out={known}) as rest:
        assert [prompt_of(item) == known for item in rest.items] == [False]
        assert rest.left_out == {"its prompt stands in the reserve that the model is tested on": 1}
