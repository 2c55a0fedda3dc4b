"""Rows for ms-swift: the words and media that our own training of a judge shows, and the same reward."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from annotate.models import Partition
from tests.exports.everything import make_everything, release
from tests.released.making import LONG, make_release
from workers.released import swift_reward
from workers.reward_models.generative.reward import worth
from workers.reward_models.judge_template import DEFAULT

pytestmark = pytest.mark.django_db
PLACES = {"images": "<image>", "videos": "<video>", "audios": "<audio>"}


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_both_orders_in_the_words_of_a_judge(tmp_path: Path) -> None:
    make_release(tmp_path / "release", train=2, validation=1, reserve=1)
    call_command("swift_rows", release=tmp_path / "release", out=tmp_path / "out")
    train, validation = lines(tmp_path / "out/train.jsonl"), lines(tmp_path / "out/validation.jsonl")
    assert (len(train), len(validation)) == (8, 4)
    long = [row for row in train if LONG in row["messages"][0]["content"]]
    for first, second in zip(long[::2], long[1::2], strict=True):
        assert first["messages"][0] == {
            "role": "system",
            "content": DEFAULT.fill(LONG, ties=False, structured=False),
        }
        said = [row["messages"][1]["content"] for row in (first, second)]
        assert [one["role"] for one in first["messages"]] == ["system", "user"]
        assert {first["solution"], second["solution"]} == {"A", "B"}
        for row, text in zip((first, second), said, strict=True):
            answers = dict(
                zip("AB", text.partition("[Response A]\n")[2].split("\n[Response B]\n"), strict=True)
            )
            assert "LONGER" in answers[row["solution"]] and text.startswith("[Prompt]\ntrain ")
    with pytest.raises(CommandError, match="not an empty folder"):
        call_command("swift_rows", release=tmp_path / "release", out=tmp_path / "out")
    (tmp_path / "spec.yaml").write_text("mix: {general: 1}\nrollouts: 3\n")
    with pytest.raises(CommandError, match="rollouts: no such field"):
        call_command(
            "swift_rows", release=tmp_path / "release", out=tmp_path / "new", spec=tmp_path / "spec.yaml"
        )


def test_media_of_all_tasks_are_files_at_their_places(tmp_path: Path) -> None:
    project = make_everything((Partition.RESERVE, Partition.TRAIN))
    call_command("swift_rows", release=release(project, tmp_path / "release"), out=tmp_path / "out")
    rows = lines(tmp_path / "out/train.jsonl")
    assert len(rows) == 9 * 2 * 2
    heads = {"webp": b"RIFF", "wav": b"RIFF", "mp4": None}
    for row in rows:
        text = row["messages"][1]["content"]
        for name, placeholder in PLACES.items():
            files = [Path(path) for path in row.get(name, [])]
            assert text.count(placeholder) == len(files)
            for file in files:
                content = file.read_bytes()
                head = heads[file.suffix[1:]]
                assert content[: len(head)] == head if head else content[4:8] == b"ftyp"
    kinds = {name for row in rows for name in row if name in PLACES}
    assert kinds == set(PLACES)
    # The sides are exchanged with their media.
    by_id = {row["id"]: row for row in rows}
    made = next(row for row in rows if row["id"].endswith("/0") and len(row.get("videos", [])) == 2)
    assert by_id[made["id"][:-1] + "1"]["videos"] == made["videos"][::-1]


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize(
    "reply",
    [
        "It is longer. [[A]]",
        "It is longer. [[B]]\n",
        "[[A]]",
        "Because. \\boxed{B}",
        "Because. \\boxed{\\text{A}}",
        "[[ A ]] it is",
        "A is [[A]], B is [[B]]",
        "No tie here: [[C]]",
        "nothing",
        "",
        "x [[A]] y [[A]]",
    ],
)
def test_the_reward_is_that_of_our_own_training(reply: str, ended: bool) -> None:
    for solution, label in (("A", 1), ("B", -1)):
        ours = worth(reply, label, ended=ended).reward(swift_reward.FORMAT_REWARD)
        assert swift_reward.reward(reply, solution, ended=ended) == pytest.approx(ours)
