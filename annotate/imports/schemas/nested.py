"""Columns within columns: `outputs[0].text` is the text of the first of the outputs. A column that has this very name comes first."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from annotate.imports.record import RowError

MAX_PATHS = 200  # of one file, that are offered to choose from
_DEPTH = 5
_FIRST = 4  # entries of a list that are offered, and the last one
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d{1,6})\]")


@lru_cache(1024)
def _steps(path: str) -> tuple[str | int, ...] | None:
    """The names and numbers of a path; None of a text that is none."""
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if not found:
            return None
        steps.append(found[1] if found[1] is not None else int(found[2]))
        at = found.end()
    return tuple(steps)


def value_of(row: Mapping[str, Any], path: str) -> Any:
    """What stands there. Where something on the way is null, null.

    Raises:
        RowError: there is no such place; the message says how far the path leads.
    """
    if path in row:
        return row[path]
    steps = _steps(path)
    if not steps or len(steps) < 2 or steps[0] not in row:
        raise RowError(path, f"the row has no such column. It has: {_names(row)}.")
    value: Any = row
    for number, step in enumerate(steps):
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            value = _read(value, path, steps[:number])
        if value is None:
            return None
        value = _step(value, step, path, steps[:number])
    return value


def _read(text: str, path: str, before: tuple[str | int, ...]) -> Any:
    """A cell that writes as JSON what others nest."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RowError(path, f"leads into {written(before)}, which is not JSON here.") from None


def _step(value: Any, step: str | int, path: str, before: tuple[str | int, ...]) -> Any:
    try:
        if isinstance(value, Mapping) and isinstance(step, str):
            return value[step]
        if isinstance(value, (list, tuple)) and isinstance(step, int):
            return value[step]
    except KeyError:
        raise RowError(path, f"{written(before)} has no {step!r} here. It has: {_names(value)}.") from None
    except IndexError:
        count = f"{len(value)} entr{'y' if len(value) == 1 else 'ies'}"
        raise RowError(path, f"{written(before)} has {count} here.") from None
    kinds: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}
    kind = kinds.get(type(value), "a single value")
    raise RowError(path, f"leads on from {written(before)}, which is {kind} here.")


def _names(value: Mapping[str, Any]) -> str:
    return ", ".join(str(key) for key in list(value)[:20]) or "nothing"


def written(steps: tuple[str | int, ...]) -> str:
    """A path as it is written."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def places_in(column: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The single values within a nested one, each with its path; of a list the first ones and the last."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return
    if isinstance(value, (dict, list)) and _steps(column) == (column,):
        yield from _places((column,), value)


def _places(steps: tuple[str | int, ...], value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value.keys() == {"bytes", "path"}:
        yield written(steps), value  # a file
    elif len(steps) > _DEPTH:
        return
    elif isinstance(value, dict):
        for name, one in value.items():
            if isinstance(name, str) and _steps(name) == (name,):
                yield from _places((*steps, name), one)
    elif isinstance(value, list):
        shown: list[int] = list(range(min(len(value), _FIRST)))
        for number in [*shown, -1] if len(value) > 1 else shown:
            yield from _places((*steps, number), value[number])
    else:
        yield written(steps), value
