"""A release read back for replay: media by paths that lead to the originals, the better side under its own number."""

import json
from pathlib import Path
from typing import Any

import pytest

from annotate.models import Partition, Project, TaskType
from tests.exports.test_columns import png
from tests.exports.test_meshes import mesh, release
from tests.factories import judge, make_asset, make_comparison, make_pair, make_project
from workers.simulation.released import Found, write_rows

pytestmark = pytest.mark.django_db


def rows_of(project: Project, tmp_path: Path) -> tuple[Path, list[dict[str, Any]], Found]:
    out, rows = tmp_path / "release", tmp_path / "rows.jsonl"
    release(project, out)
    found = write_rows(out, rows)
    return out, [json.loads(line) for line in rows.read_text().splitlines()], found


@pytest.mark.parametrize("partition", [Partition.RESERVE, Partition.TRAIN])
def test_meshes_are_meshes_again(partition: Partition, tmp_path: Path) -> None:
    """They are published as their sheets, with the meshes beside them."""
    project = make_project(task_type=TaskType.TEXT_TO_3D)
    pair = make_pair(
        project, response1=mesh(project, 1), response2=mesh(project, 2), partition=partition, external_id="t"
    )
    judge(make_comparison(pair, "Which is taller?"), "response2")
    out, (row,), _ = rows_of(project, tmp_path)
    assert (row["id"], row["source"], row["task_type"]) == ("t", "test", "text_to_3D")
    for name, height in (("response1", 1), ("response2", 2)):
        assert f"v 0 {height} 0" in (out / row[name]["media"]).read_text()


@pytest.mark.parametrize("partition", [Partition.RESERVE, Partition.TRAIN])
def test_pictures_of_a_prompt_stand_with_it(partition: Partition, tmp_path: Path) -> None:
    project = make_project(task_type=TaskType.TEXT_IMAGE_TO_TEXT)
    pair = make_pair(
        project,
        prompt="What is it?",
        response1="A cup.",
        response2="A dog.",
        media=[make_asset(project, png("red"))],
        partition=partition,
    )
    judge(make_comparison(pair, "Which is right?"), "response2")
    out, (row,), found = rows_of(project, tmp_path)
    assert found == Found(labels=1, without_content=0)
    assert (out / row["media"][0]).read_bytes().startswith(b"\x89PNG")
    assert [row[name]["text"] for name in ("response1", "response2")] == ["A cup.", "A dog."]
    assert [one["judgments"][0]["verdict"] for one in row["criteria"]] == ["response2"]


def test_a_tie_alone_is_left_out_and_counted(tmp_path: Path) -> None:
    project = make_project(task_type=TaskType.TEXT_TO_TEXT)
    pair, other = make_pair(project), make_pair(project)
    judge(make_comparison(pair, "Which is shorter?"), "tie")
    judge(make_comparison(pair, "Which is longer?"), "response1")
    judge(make_comparison(other, "Which is shorter?"), "tie")
    _, (row,), found = rows_of(project, tmp_path)
    assert row["id"] == pair.external_id
    assert {one["text"]: one["judgments"][0]["verdict"] for one in row["criteria"]} == {
        "Which is shorter?": "tie",
        "Which is longer?": "response1",
    }
    assert found == Found(labels=2, without_content=1)
