"""Specifications that commands are given: a file, a preset of this repository, or one with the other's fields over it."""

from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import CommandError

from workers.released.presets import preset


def read_spec(path: Path | None, preset_name: str | None = None) -> dict[str, Any]:
    """The preset's fields, and those of the file in their place. Empty where neither is given.

    Raises:
        CommandError: naming the option, the file and what is wrong with it.
    """
    values: dict[str, Any] = {}
    if preset_name is not None:
        try:
            values = preset(preset_name)
        except LookupError as error:
            raise CommandError(f"--preset: {error}") from None
    if path is None:
        return values
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--spec: {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise CommandError(f"--spec: {path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or not found:
        raise CommandError(f"--spec: {path} must hold a mapping of fields, such as 'backbone: models/qwen'")
    return values | found
