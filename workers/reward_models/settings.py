"""Settings of a backend, read from a mapping: what is wrong is said by the field's name, with what it may be."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class SettingsError(ValueError):
    """A specification that cannot be used. The message names the field."""


def read(kind: type[T], values: Any, what: str) -> T:
    """`values` as the dataclass `kind`, of whose fields the metadata may say `choices` and `least`.

    Raises:
        SettingsError: a field is unknown, missing, of another kind or out of range.
    """
    if not isinstance(values, Mapping):
        raise SettingsError(f"{what} is a mapping of fields, not {type(values).__name__}")
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    if strange := sorted(str(name) for name in values.keys() - known.keys()):
        raise SettingsError(f"{strange[0]}: no such field. There are: {', '.join(known)}")
    hints = get_type_hints(kind)
    read: dict[str, Any] = {}
    for name, one in known.items():
        if name not in values:
            if one.default is MISSING and one.default_factory is MISSING:
                raise SettingsError(f"{name}: is missing")
            continue
        read[name] = _checked(name, values[name], hints[name], one.metadata)
    return kind(**read)


def _checked(name: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> Any:
    if choices := limits.get("choices"):
        if value not in choices:
            raise SettingsError(f"{name}: is {value!r:.60}; must be {' or '.join(choices)}")
        return value
    if get_origin(kind) is tuple:
        of = get_args(kind)[0]
        if not isinstance(value, list) or not value or not all(isinstance(one, of) for one in value):
            raise SettingsError(f"{name}: is {value!r:.80}; must be a list of {of.__name__}")
        return tuple(value)
    if kind is bool or kind is str:
        if not isinstance(value, kind):
            raise SettingsError(
                f"{name}: is {value!r:.60}; must be {'yes or no' if kind is bool else 'text'}"
            )
        return value
    whole = kind is int
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise SettingsError(f"{name}: is {value!r:.60}; must be a {'whole ' if whole else ''}number")
    least, most = limits.get("least", 0), limits.get("most", math.inf)
    if not least <= value <= most or not math.isfinite(value):
        upto = "" if most == math.inf else f" and at most {most:g}"
        raise SettingsError(f"{name}: is {value!r:.60}; must be at least {least:g}{upto}")
    return kind(value)
