"""Published hyperparameters, as specifications in this repository."""

from importlib import resources
from typing import Any

import yaml

_PACKAGE = "workers.released"


def names() -> list[str]:
    folder = resources.files(_PACKAGE) / "presets"
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml"))


def preset(name: str) -> dict[str, Any]:
    """
    Raises:
        LookupError: there is none of this name.
    """
    if name not in names():
        raise LookupError(f"No preset is called {name!r}. There are: {', '.join(names())}.")
    found: dict[str, Any] = yaml.safe_load(
        (resources.files(_PACKAGE) / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    )
    return found
