"""LLaMA-Factory's own parser and converter read every data set of a release: run in the consumers' environment.

    python llamafactory_reads.py DIR

Its package `data` wants an audio decoder at import, which parsing and converting do not use: the two modules are taken out of
it by themselves.
"""

import json
import os
import sys
import types
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

from datasets import load_dataset


def modules_of_data() -> tuple[Any, Any]:
    """llamafactory.data's parser and converter."""
    found = find_spec("llamafactory")
    assert found and found.submodule_search_locations
    bare = types.ModuleType("llamafactory.data")
    bare.__path__ = [f"{found.submodule_search_locations[0]}/data"]
    sys.modules["llamafactory.data"] = bare
    return import_module("llamafactory.data.parser"), import_module("llamafactory.data.converter")


def main(release: Path) -> None:
    parser, converter = modules_of_data()
    folder = release / "llamafactory"
    names = list(json.loads((folder / "dataset_info.json").read_text()))
    total = 0
    with TemporaryDirectory() as scratch:
        for described in parser.get_dataset_list(names, str(folder)):
            assert described.load_from == "file" and described.ranking and described.formatting == "sharegpt"
            rows = load_dataset(
                "json", data_files=str(folder / described.dataset_name), split="train", cache_dir=scratch
            )
            convert = converter.SharegptDatasetConverter(described, SimpleNamespace(media_dir=str(folder)))
            for row in rows:
                total += 1
                check(convert(row), row)
    print(f"LLaMA-Factory: {len(names)} data sets, {total} rows")


def check(made: dict[str, Any], row: dict[str, Any]) -> None:
    """Nothing was skipped as abnormal, and every medium is a file that is there."""
    assert made["_prompt"] and made["_prompt"][-1]["role"] == "user", row["id"]
    assert [turn["content"] for turn in made["_response"]] == [
        row["chosen"]["value"],
        row["rejected"]["value"],
    ]
    first = row["conversations"][0]
    assert made["_system"] == (first["value"] if first["from"] == "system" else "")
    for kind in ("_images", "_videos", "_audios"):
        for path in flat(made[kind] or []):
            assert Path(path).is_file(), path


def flat(media: Any) -> list[str]:
    return [path for one in media for path in (flat(one) if isinstance(one, list) else [one])]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
