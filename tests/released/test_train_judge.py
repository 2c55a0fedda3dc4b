"""manage.py train_judge: from a release to a judge in a folder, and on to a benchmark."""

import csv
import json
from contextlib import closing
from pathlib import Path

import pytest
import torch
from django.core.management import CommandError, call_command

from tests.released.making import make_release
from tests.released.test_mix import row
from tests.reward_models.generative.judging import taught
from workers.released.judge_card import Rollouts
from workers.released.mix import Mix
from workers.released.presets import preset
from workers.reward_models.generative.reward import Worth
from workers.reward_models.generative.settings import JudgeSettings
from workers.reward_models.generative.training import Rollout

pytestmark = pytest.mark.django_db


def test_a_judge_from_a_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    folder = tmp_path / "judge"
    folder.mkdir()
    taught(folder, steps=30)
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        f"template: {folder}/template.txt\nrollouts: 3\nprompts: 2\nmost_reply: 10\nepochs: 1\nlora_rank: 4\n"
        "learning_rate: 0.01\nmicro_batch: 12\n"
    )
    release, out = tmp_path / "release", tmp_path / "out"
    make_release(release, train=2, validation=1, reserve=1)
    capsys.readouterr()
    call_command("train_judge", release=release, base=str(folder), spec=spec, out=out)
    told = capsys.readouterr().out
    assert "2 steps on 4 rows of" in told and "on 2 validation rows, both orders" in told
    assert {path.name for path in out.iterdir()} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "curves.csv",
        "judge.json",
        "reward.png",
        "rollouts.jsonl",
    }
    assert not (tmp_path / "out.checkpoints").exists()

    # Every reply is kept with its words, and the curve is the mean of what they were worth.
    replies = [json.loads(line) for line in (out / "rollouts.jsonl").read_text().splitlines()]
    assert len(replies) == 4 * 2 * 3 and {one["turned"] for one in replies} == {True, False}
    assert all(one["reply"] or one["reward"] == 0 for one in replies)
    with (out / "curves.csv").open() as file:
        steps = list(csv.DictReader(file))
    for step in steps:
        worth = [one["reward"] for one in replies if one["step"] == int(step["step"])]
        assert float(step["reward"]) == pytest.approx(sum(worth) / len(worth))
    assert steps[-1]["validation_accuracy"]
    card = (out / "README.md").read_text()
    assert "| `rollouts` | 3 |" in card and "2 rows of 1 prompts" in card

    call_command("eval_bench", bench=str(release), judge=f"local:{out}", out=tmp_path / "evaluated")
    assert "out on release: 2 rows" in capsys.readouterr().out
    said = [json.loads(line) for line in (tmp_path / "evaluated" / "rows.jsonl").read_text().splitlines()]
    assert len(said) == 2

    with pytest.raises(CommandError, match="is there already"):
        call_command("train_judge", release=release, base=str(folder), out=out)
    spec.write_text("rollout: 3\n")
    with pytest.raises(CommandError, match="rollout: no such field"):
        call_command("train_judge", release=release, base=str(folder), spec=spec, out=tmp_path / "other")
    with pytest.raises(CommandError, match="backbone: is missing"):
        call_command("train_judge", release=release, out=tmp_path / "other")
    with pytest.raises(CommandError, match=r"local|is no folder that manage\.py train_judge wrote"):
        call_command("eval_bench", bench=str(release), judge=f"local:{tmp_path}", out=tmp_path / "e")


def test_what_is_drawn_again_after_a_kill_is_written_once(tmp_path: Path) -> None:
    def drawn(step: int, text: str) -> Rollout:
        return Rollout(step, 0, False, text, Worth(None, False, False, ""), 0.0)

    path = tmp_path / "rollouts.jsonl"
    rows = [row(0, "a", "brief")]
    with closing(Rollouts(path, rows)) as first:
        for step in (1, 2, 3):
            first.hear(drawn(step, f"first {step}"))
    with path.open("a") as file:
        file.write('{"step": 4, "re')
    with closing(Rollouts(path, rows)) as second:
        for step in (2, 3):
            second.hear(drawn(step, f"second {step}"))
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(one["step"], one["reply"]) for one in found] == [
        (1, "first 1"),
        (2, "second 2"),
        (3, "second 3"),
    ]


def test_the_published_settings_are_those_of_the_paper() -> None:
    values = preset("omni-reward-r1")
    assert Mix.from_json(values.pop("mix")).most == 10_000
    settings = JudgeSettings.from_json(values | {"backbone": "x"})
    assert (settings.method, settings.learning_rate, settings.weight_decay) == ("full", 1e-6, 1e-2)
    assert (settings.epochs, settings.rollouts) == (2, 6)
