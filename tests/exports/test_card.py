"""What a card says of how a release came about, against figures reckoned here by hand."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import DatasetCard

from annotate.actions.pools import ask_of_people, asks
from annotate.exports.figures import Figures, Source, half_width
from annotate.exports.front_matter import front_matter as head_of
from annotate.exports.plan import Plan
from annotate.exports.recipe import Recipe
from annotate.models import Partition, TaskType
from tests.exports.everything import release
from tests.factories import judge, make_annotator, make_comparison, make_pair, make_project

pytestmark = pytest.mark.django_db


def table(card: str, title: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    lines = card.split(f"\n## {title}\n", 1)[1].split("\n## ")[0].splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


@pytest.fixture
def released(tmp_path: Path) -> tuple[str, dict[str, Any]]:
    """Six pairs of two sources; of eight judgments with a known order response1 stood first in six."""
    project = make_project()
    busy = make_annotator(project)
    verdicts = ["response1", "response1", "response2", "tie", "response1", "response2"]
    for number, verdict in enumerate(verdicts):
        pair = make_pair(
            project,
            partition=Partition.RESERVE,
            source="mine" if number < 4 else "th|eirs",
            metadata={"license": "MIT"} if number == 0 else {},
        )
        judge(make_comparison(pair, "Which is truer?"), verdict, busy, flip=number == 2)
        if number < 2:
            judge(make_comparison(pair, "Which is longer?"), "response2", flip=number == 1)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("licences: {th|eirs: 'CC BY 4.0'}\n")
    out = release(project, tmp_path / "out", "--recipe", str(recipe))
    return (out / "README.md").read_text(), json.loads((out / "MANIFEST.json").read_text())


def test_position_is_told_with_its_interval(released: tuple[str, dict[str, Any]]) -> None:
    card, manifest = released
    # For the first: response1 unflipped three times (numbers 0, 1, 4), response2 flipped twice (2, and 1 by length); for
    # the second: response2 unflipped twice (5, and 0 by length). The tie is for none.
    told = manifest["position"]["text_to_text"]
    assert told["shown"] == 8
    assert told["response1_first"]["value"] == 0.75
    assert told["for_the_first"]["value"] == pytest.approx(5 / 7, abs=1e-6)
    ((config, shown, first, bias),) = table(card, "Position")
    assert (config, shown) == ("text_to_text", "8")
    assert first.startswith("0.750 (0.4") and bias.startswith("0.714 (0.3")


def test_the_pool_and_the_sources_are_told(released: tuple[str, dict[str, Any]]) -> None:
    card, manifest = released
    assert "3 annotators gave 8 counted judgments: 1 the median annotator, 6 the busiest." in card
    assert manifest["annotators"] == {"annotators": 3, "counted_judgments": 8, "median": 1, "most": 6}
    assert manifest["sources"] == {
        "mine": {"pairs": 4, "licence": "MIT"},
        "th|eirs": {"pairs": 2, "licence": "CC BY 4.0"},
    }
    assert r"| th\|eirs | 2 | CC BY 4.0 |" in card


def test_sizes_labels_and_tie_share(released: tuple[str, dict[str, Any]]) -> None:
    card, _ = released
    ((config, rows, pairs, *widths),) = table(card, "Sample sizes")
    assert (config, rows, pairs) == ("text_to_text", "8", "6")
    assert widths == [f"{half_width(rate, of):.1f}" for rate, of in ((0.5, 8), (0.8, 8), (0.8, 6))]
    # One of eight; Wilson's interval, reckoned here by hand.
    assert table(card, "Labels")[0] == ["reserve", "text_to_text", "3", "4", "1", "12.5 (2.2 to 47.1)"]
    head = yaml.safe_load(card.split("---")[1])
    assert [config["config_name"] for config in head["configs"]] == ["text_to_text", "labels", "judgments"]


def test_half_a_width_is_wilson_s() -> None:
    """By the published formula, z = 1.959964: at 50 % of 100 it is 50 z / sqrt(100 + z^2) points."""
    assert half_width(0.5, 100) == pytest.approx(50 * 1.959964 / (100 + 1.959964**2) ** 0.5, abs=1e-4)
    assert half_width(0.5, 0) is None


def test_a_release_of_nothing_says_so(tmp_path: Path) -> None:
    card = (release(make_project(), tmp_path / "out") / "README.md").read_text()
    assert "Nothing was labelled yet: this release holds no rows." in card
    assert "0 annotators gave 0 counted judgments" in card


def front_matter(out: Path) -> Any:
    """As the Hub's own library reads it."""
    return DatasetCard((out / "README.md").read_text()).data


def test_the_front_matter_is_what_the_hub_reads(tmp_path: Path) -> None:
    project = make_project(name="Preferences: ours", task_type=TaskType.OTHER)
    for number, (task, language) in enumerate(
        (("text_to_text", "German"), ("text_to_text", "pt-BR"), ("text_to_text", "Klingon"), ("other", ""))
    ):
        pair = make_pair(project, task_type=task, source=f"s{number}", metadata={"licence": "CC BY 4.0"})
        ask_of_people(by=None, project=project, pair_ids=[pair.pk], asked=asks(language))
        judge(make_comparison(pair), "response1")
    data = front_matter(release(project, tmp_path / "out", "--formats", "jsonl,rewardbench"))
    assert (data.pretty_name, data.license) == ("Preferences: ours", "cc-by-4.0")
    assert data.language == ["de", "pt"]
    assert data.task_categories == ["text-generation"] and data.size_categories == ["n<1K"]
    names = [one["config_name"] for one in data.configs]
    assert names == ["rewardbench", "labels", "judgments"]
    for one in data.configs:
        assert [list(files) for files in one["data_files"]] == [["split", "path"]] * len(one["data_files"])


@pytest.mark.parametrize(
    ("said", "declared", "expected"),
    [
        ((), {}, {"license": "unknown"}),
        (("MIT", "cc0"), {}, {"license": ["cc0-1.0", "mit"]}),
        (("MIT", ""), {}, {"license": "other", "license_name": "by-source", "license_link": "README.md"}),
        (("MIT", ""), {"b": "Apache-2.0"}, {"license": ["apache-2.0", "mit"]}),
        (
            ("our own terms", "MIT"),
            {},
            {"license": "other", "license_name": "by-source", "license_link": "README.md"},
        ),
    ],
)
def test_the_licence_is_claimed_where_every_source_has_one(
    said: tuple[str, ...], declared: dict[str, str], expected: dict[str, Any]
) -> None:
    names = zip("ab", said or ("", ""), strict=True)
    sources = {name: Source(1, (licence,) if licence else ()) for name, licence in names}
    plan = Plan(recipe=Recipe(licences=declared), figures=Figures(sources=sources))
    head = yaml.safe_load(text := head_of("Ours", [], plan))
    assert {name: value for name, value in head.items() if name.startswith("license")} == expected, text
    assert "configs" not in head


@pytest.mark.parametrize(
    ("rows", "size"),
    [(999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**6, "1M<n<10M"), (10**7, "10M<n<100M")],
)
def test_the_size_is_told_by_labels(rows: int, size: str) -> None:
    plan = Plan(
        labels=Counter({("train", "text_to_text", "tie"): 1, ("train", "other", "response1"): rows - 1})
    )
    assert yaml.safe_load(head_of("Ours", [], plan))["size_categories"] == [size]
