"""Recipes for writing criteria: what is taken, and by what name each slip is refused."""

from pathlib import Path
from typing import Any

import pytest

from tests.writing.models import as_file, recipe
from workers.writing import words
from workers.writing.recipe import RecipeError, read, recipe_of

URL = "http://localhost:1/v1"


def test_a_recipe_holds_its_defaults_and_is_named_by_all_of_it() -> None:
    found = recipe_of(recipe(URL))
    assert (found.per_pair, found.labels, found.asked_for) == (1, ("response1", "response2"), 2)
    assert (found.alike, found.pairs.partition) == (0.7, "train")
    assert found.words == words.SYSTEM
    assert recipe_of(found.values).digest == found.digest  # what is stored is a recipe again
    assert recipe_of(recipe(URL, seed=1)).digest != found.digest
    assert recipe_of(recipe(URL, sides="response2")).labels == ("response2",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"perpair": 2}, "perpair: no such field"),
        ({"per_pair": 0}, "per_pair: is 0; must be at least 1 and at most 10"),
        ({"per_pair": "two"}, "per_pair: is 'two'; must be a whole number"),
        ({"sides": "left"}, "sides: is 'left'; must be both or response1 or response2"),
        ({"agree": 4}, "agree: is 4; there are 3 verifiers"),
        ({"sample": 1.5}, "sample: is 1.5; must be at least 0 and at most 1"),
        ({"alike": float("nan")}, "alike: is nan"),
        ({"pairs": {"partition": "reserve"}}, "pairs: partition: is 'reserve'; must be train or validation"),
        ({"pairs": {"task_types": ["text_to_smell"]}}, "pairs: task_types: no task type 'text_to_smell'"),
        ({"pairs": {"limit": 3}}, "pairs: limit: no such field"),
        ({"writer": {"url": URL}}, "writer: model: is missing"),
        ({"writer": {"url": URL, "model": "w", "orders": "one"}}, "writer.orders: means nothing here"),
        ({"verifiers": []}, "verifiers: must be a list of at least one endpoint"),
        ({"verifiers": [{"url": URL, "model": "writer"}], "agree": 1}, "verifiers[0]: is the writer itself"),
        ({"verifiers": [{"url": URL, "model": "one", "tries": 0}], "agree": 1}, "verifiers[0]: tries: is 0"),
        ({"verifiers": [{"url": URL, "model": "one"}] * 2}, "verifiers: 'one' stands there twice"),
        ({"template": "Write something."}, "template: must hold {asked} once, and holds it 0 times"),
    ],
)
def test_a_slip_is_refused_by_the_field(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as refused:
        recipe_of(recipe(URL) | change)
    assert said in str(refused.value)


@pytest.mark.parametrize("missing", ["writer", "verifiers"])
def test_who_writes_and_who_verifies_must_be_said(missing: str) -> None:
    with pytest.raises(RecipeError, match=f"{missing}: is missing"):
        recipe_of({name: value for name, value in recipe(URL).items() if name != missing})


def test_a_template_is_read_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("Be kind. {asked} {form}")
    found = read(as_file(tmp_path, recipe(URL, template="words.txt")))
    assert found.words == "Be kind. {asked} {form}"
    with pytest.raises(RecipeError, match=r"recipe.yaml: template: .*gone.txt cannot be read"):
        read(as_file(tmp_path, recipe(URL, template="gone.txt")))


@pytest.mark.parametrize(("content", "said"), [("a: [", "is no YAML"), ("- a", "a recipe is a mapping")])
def test_a_file_that_is_no_recipe(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(content)
    with pytest.raises(RecipeError, match=said):
        read(path)
    with pytest.raises(RecipeError, match="cannot be read"):
        read(tmp_path / "nowhere.yaml")
