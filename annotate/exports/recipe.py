"""What a release is to hold, as a small YAML file: read strictly, kept with the release, written into it.

    manage.py export_bench --print-recipe

prints one that says what holds without any. Whatever is wrong is told with its line, its field and how to mend it.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import yaml

from annotate.exports.formats import NAMES
from annotate.models import Partition, TaskType
from annotate.stats.labels import Settled

VERSION = 1
FILE = "RECIPE.yaml"
MOST_CHARACTERS = 200_000
_LINE_ENDS = "\x85\u2028\u2029"
_MOST_TOLD = 20  # problems of one recipe


class RecipeError(ValueError):
    """A recipe that is not one. The message has a line for each problem."""


class Ties(StrEnum):
    """What becomes of comparisons whose label is a tie."""

    KEEP = "keep"  # rows of the formats that have a place for a label
    DROP = "drop"
    BOTH = "both"  # kept, and where a row needs a chosen side there is one for either order


class Whose(StrEnum):
    """Whose labels a part takes. Models' are those of criteria that models wrote; nobody has judged by these."""

    PEOPLE = "people"  # and reviewers'
    MODELS = "models"
    ALL = "all"


@dataclass(frozen=True)
class Mix:
    """What one part of a release takes.

    Args:
        labels: whose.
        min_judgments: usable verdicts that a label needs; None: as many as the project asks for.
        min_agreement: the share of the usable verdicts that a label of people's must have, 0 to 1.
        weights: rows of one source to rows of another; of sources not named there are as many as there are.
        quotas: rows wanted of a task type, and the most that are taken.
        cap_source, cap_criterion: the most rows of any one source, of any one criterion; None: no limit.
    """

    labels: Whose = Whose.PEOPLE
    min_judgments: int | None = None
    min_agreement: float = 0.0
    ties: Ties = Ties.KEEP
    weights: Mapping[str, float] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)
    cap_source: int | None = None
    cap_criterion: int | None = None


# Prompts by their words, pictures by their looks, prompts by what they mean: the last only where it is asked for. It costs
# tens of milliseconds of a processor a prompt, and the model knows English best.
NEAR_DUPLICATES = ("text", "image", "meaning")
# Cosine from which prompts mean the same. Of tests/exports/rewordings.py 11 of 12 prompts in other words reach it (runs of
# bytes find none) and 1 of 8 that ask something else; of 270 different ones of PandaLM and LLMBar no two reach 0.73.
SAME_MEANING = 0.85


@dataclass(frozen=True)
class Deal:
    """Splits dealt anew: the shares of test and validation, the rest being train. Another seed deals another way."""

    test: float
    validation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.test > 0 and self.validation >= 0 and self.test + self.validation < 1):
            raise ValueError(
                f"leaves nothing for one of the splits with the shares of test ({self.test}) and validation"
                f" ({self.validation}): give test above 0, validation 0 or more, and together less than 1."
            )


@dataclass(frozen=True)
class Splits:
    """What stands on which side.

    Args:
        near_duplicates: what that is nearly the same is kept on one side, of NEAR_DUPLICATES.
        deal: None: by the partitions that imports fixed.
        hold_out_models, hold_out_criteria: rows with a response of these models, or by these criteria, stand in test or in
            no split.
        same_meaning: the cosine from which prompts mean the same, where these are compared by meaning.
    """

    near_duplicates: tuple[str, ...] = ("text", "image")
    deal: Deal | None = None
    hold_out_models: tuple[str, ...] = ()
    hold_out_criteria: tuple[str, ...] = ()
    same_meaning: float = SAME_MEANING


@dataclass(frozen=True)
class Recipe:
    """A whole recipe. Of `sources`, `task_types`, `languages` and `criteria` empty means all."""

    formats: tuple[str, ...] = ("omni", "trl")
    sources: tuple[str, ...] = ()
    task_types: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    settled: Settled = Settled.USE
    groups: bool = False
    seed: int = 0
    splits: Splits = Splits()
    bench: Mix = Mix()
    validation: Mix = Mix(ties=Ties.DROP)
    train: Mix = Mix(labels=Whose.ALL, ties=Ties.DROP)
    licences: Mapping[str, str] = field(default_factory=dict)

    def mix(self, partition: str) -> Mix:
        """Of the part that a partition's rows go to."""
        return {
            Partition.RESERVE: self.bench,
            Partition.VALIDATION: self.validation,
            Partition.TRAIN: self.train,
        }[Partition(partition)]

    def as_json(self) -> dict[str, Any]:
        """With the fields in the order of the file, each as YAML and JSON write it."""
        return {"version": VERSION} | {
            name: _plain(list(value) if isinstance(value, tuple) else value)
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Recipe":
        """What `as_json` made. Lists are tuples again, and names are what they were."""
        given = {name: stored[name] for name in stored if name != "version"}
        for part in ("bench", "validation", "train"):
            # Before a recipe said whose, labels were people's.
            mix = {"labels": Whose.PEOPLE} | given[part]
            given[part] = Mix(**{**mix, "labels": Whose(mix["labels"]), "ties": Ties(mix["ties"])})
        splits = {name: _tuple(value) for name, value in given["splits"].items()}
        given["splits"] = Splits(**{**splits, "deal": Deal(**splits["deal"]) if splits["deal"] else None})
        lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        return cls(**{**given, **lists, "settled": Settled(given["settled"])})

    def as_yaml(self) -> str:
        told = _written(self)
        text: str = yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
        if any(
            mark in text for mark in _LINE_ENDS
        ):  # which PyYAML writes as they are, and reads as ends of lines
            text = yaml.safe_dump(told, sort_keys=False)
        return text


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, StrEnum) else value


def _written(recipe: Recipe) -> dict[str, Any]:
    """In the words of the file: what is unlimited or everything has a word, and caps stand together."""
    told = recipe.as_json()
    for name in ("sources", "task_types", "languages", "criteria"):
        told[name] = told[name] or "all"
    splits = told["splits"]
    splits["near_duplicates"] = splits["near_duplicates"] or "none"
    splits["deal"] = splits["deal"] or "none"
    splits["hold_out"] = {of: splits.pop(f"hold_out_{of}") for of in ("models", "criteria")}
    for part in ("bench", "validation", "train"):
        mix = told[part]
        mix["min_judgments"] = mix["min_judgments"] or "project"
        caps = {of: mix.pop(f"cap_{of}") for of in ("source", "criterion")}
        mix["caps"] = {of: most or "none" for of, most in caps.items()}
    return told


_PART = """\
  labels: {labels}  # people, models (what wins by criteria that models wrote, where nobody has judged) or all
  min_judgments: project  # usable verdicts that a label needs: 1 to 9, or as many as the project asks for
  min_agreement: 0  # share of the usable verdicts that a label of people's must have: 0 to 1
  ties: {ties}  # keep, drop or both: kept, and a row for either order where one must be chosen
  weights: {{}}  # rows of one source to rows of another, such as {{mine: 2, theirs: 1}}; nothing is repeated
  quotas: {{}}  # rows wanted of a task type, and the most that are taken, such as {{text_to_audio: 400}}
  caps: {{source: none, criterion: none}}  # the most rows of any one source, of any one criterion
"""


def default_text() -> str:
    """The recipe that holds where none is given, with what may stand in each place."""
    return f"""\
# What a release holds. What is left out here is as it stands in this file.
version: {VERSION}
# Each in a folder of its own: {", ".join(NAMES)}.
formats: [omni, trl]
# all, or a list.
sources: all
task_types: all
languages: all
criteria: all
# What reviewers settled is the label (use), is left out (leave_out) or plays no part (ignore).
settled: use
# Tell how groups of annotators judged.
groups: false
# Which rows weights, quotas and caps take is decided by a hash of this and the row's id.
seed: 0
splits:
  # What that is nearly the same stands on one side: none, or a list of text (prompts by their words), image, and
  # meaning (prompts by the embeddings of their sentences: slow).
  near_duplicates: [text, image]
  # Cosine of embeddings from which prompts mean the same: 0.5 to 1.
  same_meaning: {SAME_MEANING}
  # none: by the partitions that imports fixed; or dealt anew, such as {{test: 0.1, validation: 0.1, seed: 0}}.
  deal: none
  # Rows with a response of these models, by these criteria, stand in test or in no split.
  hold_out: {{models: [], criteria: []}}
bench:
{_PART.format(labels="people", ties="keep")}validation:
{_PART.format(labels="people", ties="drop")}train:
{_PART.format(labels="all", ties="drop")}# What the card says of sources, such as {{mine: CC-BY-4.0}}. Of others it says that nobody said.
licences: {{}}
"""


def parse(text: str) -> Recipe:
    """
    Raises:
        RecipeError: it is no YAML, or no recipe.
    """
    if len(text) > MOST_CHARACTERS:
        raise RecipeError(
            f"The recipe has {len(text):,} characters; at most {MOST_CHARACTERS:,} are read. Shorten it."
        )
    try:
        if any(isinstance(token, (yaml.AliasToken, yaml.AnchorToken)) for token in yaml.scan(text)):
            raise RecipeError("The recipe uses anchors (&name, *name): write what they stand for.")
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise RecipeError(f"{where}this is no YAML: {error.problem or error.context}.") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"This is no YAML: {error}") from None
    reader = _Reader()
    recipe = reader.recipe(root)
    if reader.problems:
        more = len(reader.problems) - _MOST_TOLD
        told = reader.problems[:_MOST_TOLD] + ([f"... and {more} more."] if more > 0 else [])
        raise RecipeError("\n".join(told))
    return recipe


class _Wrong(Exception):
    """What is wrong with a node, and how to mend it."""

    def __init__(self, node: yaml.Node, said: str) -> None:
        super().__init__(said)
        self.node = node


_Read = Callable[[yaml.Node], Any]


class _Reader:
    """Reads the nodes of a recipe and notes all that is wrong, each with its line."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def recipe(self, root: yaml.Node | None) -> Recipe:
        if root is None:  # an empty file
            return Recipe()
        default = Recipe()
        fields: dict[str, _Read] = {
            "version": _one_of(VERSION),
            "formats": _list_of(_one_of(*NAMES), empty=False),
            "sources": _all_or(_text),
            "task_types": _all_or(_one_of(*TaskType.values)),
            "languages": _all_or(_text),
            "criteria": _all_or(_text),
            "settled": lambda node: Settled(_one_of(*map(str, Settled))(node)),
            "groups": _one_of(True, False),
            "seed": _whole(0, 2**63 - 1),
            "splits": self._splits,
            **{part: self._mix(part, getattr(default, part)) for part in ("bench", "validation", "train")},
            "licences": _table(_text, _text),
        }
        found = self._fields(root, "", fields)
        found.pop("version", None)
        return Recipe(**found) if not self.problems else default

    def _mix(self, part: str, default: Mix) -> _Read:
        fields: dict[str, _Read] = {
            "labels": lambda node: Whose(_one_of(*map(str, Whose))(node)),
            "min_judgments": _or("project", _whole(1, 9)),
            "min_agreement": _number(0, 1),
            "ties": lambda node: Ties(_one_of(*map(str, Ties))(node)),
            "weights": _table(_text, _number(0, None)),
            "quotas": _table(_one_of(*TaskType.values), _whole(0, None)),
            "caps": lambda node: self._fields(
                node,
                f"{part}.caps",
                {"source": _or("none", _whole(1, None)), "criterion": _or("none", _whole(1, None))},
            ),
        }

        def read(node: yaml.Node) -> Mix:
            found = self._fields(node, part, fields)
            caps = found.pop("caps", {})
            given = {**found, **{f"cap_{of}": most for of, most in caps.items()}}
            return Mix(**{**asdict(default), **given})

        return read

    def _splits(self, node: yaml.Node) -> Splits:
        fields: dict[str, _Read] = {
            "near_duplicates": _or("none", _list_of(_one_of(*NEAR_DUPLICATES), empty=False)),
            "same_meaning": _number(0.5, 1),
            "deal": _or("none", self._deal),
            "hold_out": lambda node: self._fields(
                node, "splits.hold_out", {"models": _list_of(_text), "criteria": _list_of(_text)}
            ),
        }
        found = self._fields(node, "splits", fields)
        if "near_duplicates" in found:
            found["near_duplicates"] = found["near_duplicates"] or ()
        held = found.pop("hold_out", None) or {}
        return Splits(**found, **{f"hold_out_{of}": some for of, some in held.items()})

    def _deal(self, node: yaml.Node) -> Deal | None:
        fields: dict[str, _Read] = {
            "test": _number(0, 1),
            "validation": _number(0, 1),
            "seed": _whole(0, 2**63 - 1),
        }
        noted = len(self.problems)
        found = self._fields(node, "splits.deal", fields)
        if len(self.problems) > noted:
            return None
        if "test" not in found:
            raise _Wrong(node, "names no share of test. Give it, such as {test: 0.1, validation: 0.1}.")
        try:
            return Deal(**found)
        except ValueError as error:
            raise _Wrong(node, str(error)) from None

    def _fields(self, node: yaml.Node, path: str, fields: Mapping[str, _Read]) -> dict[str, Any]:
        """The fields of a mapping that are there and right; what is not is noted."""
        if not isinstance(node, yaml.MappingNode):
            self._note(node, path or "the recipe", f"must hold fields: {', '.join(fields)}.")
            return {}
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "this key"
            where = f"{path}.{name}" if path else str(name)
            if name not in fields:
                self._note(key, where, f"is no field of a recipe. Here there are: {', '.join(fields)}.")
            elif name in found:
                self._note(key, where, "stands here twice: leave one of them out.")
            else:
                found[name] = None
                try:
                    found[name] = fields[name](value)
                except _Wrong as wrong:
                    self._note(wrong.node, where, str(wrong))
        return found

    def _note(self, node: yaml.Node, where: str, said: str) -> None:
        self.problems.append(f"line {node.start_mark.line + 1}, {where}: {said}")


def _value(node: yaml.Node) -> Any:
    """A scalar as YAML reads it; None of what is no scalar, or is of a kind that is not read here."""
    if not isinstance(node, yaml.ScalarNode):
        return None
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError):
        return None


def _shown(node: yaml.Node) -> str:
    return f"{node.value!r:.60}" if isinstance(node, yaml.ScalarNode) else "no single value"


def _text(node: yaml.Node) -> str:
    value = _value(node)
    if not isinstance(value, str) or not value:
        raise _Wrong(node, f"is {_shown(node)}; must be a text. Put it in quotes.")
    return value


def _one_of(*choices: Any) -> _Read:
    def read(node: yaml.Node) -> Any:
        value = _value(node)
        if not any(value == one and type(value) is type(one) for one in choices):
            names = [str(one).lower() if isinstance(one, bool) else str(one) for one in choices]
            raise _Wrong(node, f"is {_shown(node)}; must be {_either(names)}.")
        return value

    return read


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


def _whole(least: int, most: int | None) -> _Read:
    def read(node: yaml.Node) -> int:
        value = _value(node)
        if type(value) is not int or value < least or (most is not None and value > most):
            raise _Wrong(node, f"is {_shown(node)}; must be a whole number {_span(least, most)}.")
        return value

    return read


def _number(least: float, most: float | None) -> _Read:
    def read(node: yaml.Node) -> float:
        value = _value(node)
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value < 2**53
        if not fits or (most is not None and value > most):
            raise _Wrong(node, f"is {_shown(node)}; must be a number {_span(least, most)}.")
        return float(value)

    return read


def _span(least: float, most: float | None) -> str:
    return f"of at least {least}" if most is None else f"from {least} to {most}"


def _or(word: str, read: _Read) -> _Read:
    """Nothing where the word stands."""

    def read_one(node: yaml.Node) -> Any:
        if _value(node) == word:
            return None
        try:
            return read(node)
        except _Wrong as wrong:
            raise _Wrong(node, f"{str(wrong).removesuffix('.')}, or {word}.") from None

    return read_one


def _list_of(read: _Read, *, empty: bool = True) -> _Read:
    def read_list(node: yaml.Node) -> tuple[Any, ...]:
        if not isinstance(node, yaml.SequenceNode) or not (node.value or empty):
            raise _Wrong(node, "must be a list, such as [one, two].")
        found = [read(one) for one in node.value]
        for number, value in enumerate(found):
            if value in found[:number]:
                raise _Wrong(node.value[number], f"names {value!r} twice: leave one of them out.")
        return tuple(found)

    return read_list


def _all_or(read: _Read) -> _Read:
    read_list = _list_of(read, empty=False)

    def read_one(node: yaml.Node) -> tuple[Any, ...]:
        if _value(node) == "all":
            return ()
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise _Wrong(node, f"is {_shown(node)}; must be all, or a list such as [one, two].")
        found: tuple[Any, ...] = read_list(node)
        return found

    return read_one


def _table(read_key: _Read, read_value: _Read) -> _Read:
    def read(node: yaml.Node) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise _Wrong(node, "must be names with values, such as {one: 2, two: 1}.")
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = read_key(key)
            if name in found:
                raise _Wrong(key, f"names {name!r} twice: leave one of them out.")
            try:
                found[name] = read_value(value)
            except _Wrong as wrong:
                raise _Wrong(value, f"{name} {wrong}") from None
        return found

    return read
