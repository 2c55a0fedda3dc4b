"""What a run of `write_criteria` is asked for, as docs/criteria.md describes it: read strictly, so that no slip costs money."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from annotate.models import Partition, TaskType
from workers.reward_models import settings
from workers.reward_models.judge import JudgeSpec, SpecError
from workers.reward_models.settings import SettingsError
from workers.writing import words

MAX_TEMPLATE = 20_000  # characters
# Of a judge's specification what has no meaning here: verifiers are asked in both orders, with a tie to choose.
_MEANINGLESS = ("orders", "ties", "template")


class RecipeError(Exception):
    """A recipe that cannot be used. The message names the field."""


@dataclass(frozen=True)
class PairChoice:
    """Which pairs: of a partition, of these sources and task types (empty: all), and at most so many (0: all)."""

    partition: str = field(
        default=Partition.TRAIN, metadata={"choices": (str(Partition.TRAIN), str(Partition.VALIDATION))}
    )
    sources: tuple[str, ...] = ()
    task_types: tuple[str, ...] = ()
    most: int = 0


@dataclass(frozen=True)
class _Plain:
    """The fields of a recipe that are single values."""

    per_pair: int = field(default=1, metadata={"least": 1, "most": 10})
    sides: str = field(default="both", metadata={"choices": ("both", "response1", "response2")})
    agree: int = field(default=1, metadata={"least": 1, "most": 20})
    alike: float = field(default=0.7, metadata={"least": 0.1, "most": 1})
    sample: float = field(default=0.05, metadata={"least": 0, "most": 1})
    seed: int = field(default=0, metadata={"least": 0, "most": 2**31})
    template: str = ""


@dataclass(frozen=True)
class Recipe:
    """A checked recipe. `values` is it as JSON, with the template's words and all defaults: what a run stores.

    `per_pair` criteria are asked for under each of `labels`. A proposal is kept where at least `agree` verifiers name its
    side in both orders. `alike`: from this likeness on, two criteria on one pair are taken for the same. `sample`: the share
    of new criteria that people are to look at. `words`: the writer's system turn.
    """

    writer: JudgeSpec
    verifiers: tuple[JudgeSpec, ...]
    pairs: PairChoice
    per_pair: int
    labels: tuple[str, ...]
    agree: int
    alike: float
    sample: float
    seed: int
    words: str
    values: Mapping[str, Any]

    @property
    def digest(self) -> str:
        written = json.dumps(self.values, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(written.encode()).hexdigest()

    @property
    def asked_for(self) -> int:
        """Criteria a pair."""
        return self.per_pair * len(self.labels)


def read(path: Path) -> Recipe:
    """
    Raises:
        RecipeError: the file cannot be read, is no YAML, or holds a field that cannot be used.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    try:
        if isinstance(values, dict) and isinstance(values.get("template"), str):
            values = values | {"template": _template(path.parent / values["template"])}
        return recipe_of(values)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def _template(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"template: {path} cannot be read: {error}") from None


def recipe_of(values: Any) -> Recipe:
    """The recipe that these values hold; `template` is the words themselves.

    Raises:
        RecipeError: naming the field that is unknown, missing or out of range, and what it may be.
    """
    if not isinstance(values, dict):
        raise RecipeError("a recipe is a mapping with writer and verifiers")
    known = ("writer", "verifiers", "pairs", *(one.name for one in fields(_Plain)))
    if strange := sorted(str(name) for name in values.keys() - set(known)):
        raise RecipeError(f"{strange[0]}: no such field. There are: {', '.join(known)}")
    if missing := [name for name in ("writer", "verifiers") if name not in values]:
        raise RecipeError(f"{missing[0]}: is missing")
    writer = _endpoint(values["writer"], "writer")
    if not isinstance(values["verifiers"], list) or not values["verifiers"]:
        raise RecipeError("verifiers: must be a list of at least one endpoint")
    verifiers = tuple(
        _endpoint(one, f"verifiers[{number}]") for number, one in enumerate(values["verifiers"])
    )
    for number, one in enumerate(verifiers):
        if (one.url, one.model) == (writer.url, writer.model):
            raise RecipeError(f"verifiers[{number}]: is the writer itself; another model must verify")
    if twice := [one.title for one in verifiers if sum(one.title == other.title for other in verifiers) > 1]:
        raise RecipeError(f"verifiers: {twice[0]!r} stands there twice; give each a name of its own")
    try:
        plain = settings.read(
            _Plain,
            {key: value for key, value in values.items() if key not in ("writer", "verifiers", "pairs")},
            "a recipe",
        )
    except SettingsError as error:
        raise RecipeError(str(error)) from None
    try:
        pairs = settings.read(PairChoice, values.get("pairs", {}), "it")
    except SettingsError as error:
        raise RecipeError(f"pairs: {error}") from None
    if strange := [one for one in pairs.task_types if one not in TaskType.values]:
        raise RecipeError(f"pairs: task_types: no task type {strange[0]!r:.60}")
    if plain.agree > len(verifiers):
        raise RecipeError(f"agree: is {plain.agree}; there are {len(verifiers)} verifiers")
    template = plain.template or words.SYSTEM
    if len(template) > MAX_TEMPLATE:
        raise RecipeError(f"template: has {len(template):,} characters; at most {MAX_TEMPLATE:,} are taken")
    if problem := words.problem(template):
        raise RecipeError(f"template: {problem}")
    stored = {
        "writer": values["writer"],
        "verifiers": values["verifiers"],
        "pairs": {one.name: value for one in fields(pairs) if (value := getattr(pairs, one.name))},
        **{one.name: getattr(plain, one.name) for one in fields(plain)},
        "template": template,
    }
    return Recipe(
        writer=writer,
        verifiers=verifiers,
        pairs=pairs,
        per_pair=plain.per_pair,
        labels=("response1", "response2") if plain.sides == "both" else (plain.sides,),
        agree=plain.agree,
        alike=plain.alike,
        sample=plain.sample,
        seed=plain.seed,
        words=template,
        values=json.loads(json.dumps(stored)),
    )


def _endpoint(values: Any, where: str) -> JudgeSpec:
    try:
        spec = JudgeSpec.from_json(values)
    except SpecError as error:
        raise RecipeError(f"{where}: {error}") from None
    for name in _MEANINGLESS:
        if name in values:
            raise RecipeError(f"{where}.{name}: means nothing here; leave it out")
    return spec
