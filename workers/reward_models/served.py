"""The file of a model that lives elsewhere: its settings and calibration, and no weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from workers.reward_models.base import UnfitArtefact


def save(path: Path, name: str, version: str, told: dict[str, Any]) -> None:
    """Write what is told, as JSON has it, with the backend's name and version."""
    config = {"backend": name, "version": version, **told}
    # A file of safetensors holds at least one tensor.
    save_file(
        {"empty": np.zeros(1, np.float32)}, path, metadata={"config": json.dumps(config, sort_keys=True)}
    )


def load(path: Path, name: str, version: str) -> dict[str, Any]:
    """What `save` was told.

    Raises:
        UnfitArtefact: it is no such file, or one of another backend or version.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            config: dict[str, Any] = json.loads((file.metadata() or {}).get("config", "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        raise UnfitArtefact(f"{path} is not a saved reward model: {error}.") from error
    for key, value in {"backend": name, "version": version}.items():
        if config.get(key) != value:
            raise UnfitArtefact(f"{path} has {key} {config.get(key)!r}, this code reads {value!r}.")
    return config
