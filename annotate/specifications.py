"""Specifications that large reward models are trained by from the admin: YAML, of whoever runs this installation.

They name folders and servers, and variables with keys, so a project's manager chooses among those that stand in
`DATA_DIR/specs`; to write another one takes a superuser.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

from annotate.actions.jobs import Refused

FOLDER = Path(settings.DATA_DIR) / "specs"
MAX_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Specification:
    """`backend` names the reward model, `settings` are its own: that the backend takes them is seen when it begins."""

    backend: str
    settings: dict[str, Any]


def names() -> list[str]:
    """Of the files that may be chosen."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if path.is_file())


def named(name: str) -> Specification:
    """The one of this name.

    Raises:
        Refused: there is none, or it cannot be used.
    """
    if name not in names():
        raise Refused(f"There is no specification {name!r:.80} in {FOLDER}.")
    path = FOLDER / f"{name}.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path.name} cannot be read: {error}") from None
    return parsed(text, path.name)


def parsed(text: str, where: str = "The specification") -> Specification:
    """
    Raises:
        Refused: it is no YAML mapping of fields with a backend.
    """
    if len(text) > MAX_CHARACTERS:
        raise Refused(f"{where} is longer than {MAX_CHARACTERS:,} characters.")
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise Refused(f"{where} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise Refused(f"{where} must hold a mapping of fields, such as 'backend: transformers'.")
    try:
        json.dumps(found, allow_nan=False)
    except (TypeError, ValueError):
        raise Refused(
            f"{where} may hold text, numbers, lists and mappings alone: no dates, no .nan."
        ) from None
    backend = found.pop("backend", None)
    if not isinstance(backend, str) or not backend:
        raise Refused(f"{where}: backend is missing: transformers, vllm or judge.")
    return Specification(backend, found)
