"""General and instruction-tuning pairs by recipe."""

from collections import Counter

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from annotate.imports.record import PairRow, Place, Side
from annotate.imports.schemas.context import OVERALL
from tests.paths import ROOT
from workers.evaluation.benches import BenchRow
from workers.released.mix import Mix, mixed
from workers.released.presets import names, preset
from workers.released.rows import Row
from workers.reward_models.generative.settings import JudgeSettings
from workers.reward_models.large.settings import LargeSettings
from workers.reward_models.settings import SettingsError


def row(n: int, subset: str, criterion: str) -> Row:
    pair = PairRow(
        Place(0, n), "", f"{subset}/{n}", "text_to_text", (("user", "?"),), (), Side("a"), Side("b")
    )
    return Row(BenchRow(f"{subset}/{n}", "text_to_text", f"g{n}", pair, criterion, 1, "f"), subset)


ROWS = [row(n, "skywork", OVERALL) for n in range(40)] + [row(n, "omni", "It is brief.") for n in range(20)]


def counts(found: list[Row]) -> Counter[str]:
    return Counter(one.subset for one in found)


@pytest.mark.parametrize(
    ("recipe", "wanted"),
    [
        ({}, {"skywork": 40, "omni": 20}),
        ({"general": 0.25}, {"skywork": 10, "omni": 20}),
        ({"instruction": 2}, {"skywork": 40, "omni": 40}),
        ({"general": 0, "skywork": 0.5, "instruction": 1.5}, {"skywork": 20, "omni": 30}),
        ({"most": 15, "instruction": 2}, {"skywork": 15, "omni": 30}),
    ],
)
def test_a_recipe_takes_rows_by_subset_before_kind(recipe: dict, wanted: dict[str, int]) -> None:
    found = mixed(ROWS, Mix.from_json(recipe))
    assert counts(found) == wanted
    # Each as often as any other of its subset, give or take the fraction.
    for subset in wanted:
        often = Counter(one.row.id for one in found if one.subset == subset).values()
        assert max(often) - min(often) <= 1
    assert [one.row.id for one in found] == [one.row.id for one in mixed(ROWS, Mix.from_json(recipe))]


@given(st.floats(0, 3), st.floats(0, 3), st.integers(0, 5))
def test_more_weight_keeps_what_was_taken(one: float, other: float, seed: int) -> None:
    less, more = sorted((one, other))
    # Instruction-tuning rows stay, so that something is left.
    small, large = (mixed(ROWS, Mix({"general": weight}), seed) for weight in (less, more))
    assert not Counter(r.row.id for r in small) - Counter(r.row.id for r in large)
    assert abs(counts(small)["skywork"] - 40 * less) <= 1


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ([], "mix: must be a mapping"),
        ({"general": -1}, "mix.general: is -1; must be a number from 0 to 100"),
        ({"general": True}, "mix.general: is True"),
        ({"most": 1.5}, "mix.most: is 1.5; must be a whole number"),
        ({"skywrok": 1}, "mix.skywrok: the release has no such subset. There are: omni, skywork"),
        ({"general": 0, "instruction": 0}, "mix: leaves no row"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said(recipe: object, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        mixed(ROWS, Mix.from_json(recipe))


def test_the_published_settings_are_those_of_the_paper() -> None:
    assert "omni-reward-bt" in names()
    values = preset("omni-reward-bt")
    assert Mix.from_json(values.pop("mix")).most == 50_000
    settings = LargeSettings.from_json(values | {"backbone": "x"})
    assert (settings.learning_rate, settings.weight_decay, settings.epochs, settings.batch) == (
        2e-6,
        1e-3,
        2,
        64,
    )
    assert (settings.method, settings.loss, settings.template) == ("full", "bradley_terry", "omni-reward")
    assert (settings.max_tokens, settings.image_pixels, settings.frame_pixels) == (18_000, 768**2, 256**2)
    with pytest.raises(LookupError, match="There are: omni-reward"):
        preset("omni")


@pytest.mark.parametrize("name", ["rm-ddp", "rm-fsdp", "judge-ddp"])
def test_the_examples_for_many_gpus_are_read(name: str) -> None:
    values = yaml.safe_load((ROOT / f"docs/examples/{name}.yaml").read_text()) | {"backbone": "/models/any"}
    kind = JudgeSettings if name.startswith("judge") else LargeSettings
    assert kind.from_json(values).processes == 8
