"""manage.py train_rm --release: from a release to a folder, to a revision, and on to a benchmark."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command
from PIL import Image

from annotate.models import Revision
from tests.evaluation.benches import text_bench
from tests.learning.world import planted
from tests.released.making import make_release
from tests.reward_models.large import tiny
from workers import artefacts
from workers.reward_models.large.model import TransformersModel

pytestmark = pytest.mark.django_db


@pytest.fixture
def backbone(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path / "backbone"
    folder.mkdir()
    return tiny.make(folder, "qwen2")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(
        "learning_rate: 0.02\nepochs: 4\nbatch: 8\nlora_rank: 4\nlora_alpha: 8\nwatch_every: 2\npatience: 0\n"
        "calibration_share: 0\nmix: {skywork_reward: 0.5}\n"
    )
    return path


def test_a_large_model_from_a_release(
    backbone: Path, spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release, out = tmp_path / "release", tmp_path / "out"
    make_release(release)
    capsys.readouterr()
    call_command("train_rm", release=release, base=str(backbone), lora=True, spec=spec, out=out)
    told = capsys.readouterr().out
    assert "Trained on 20 rows" in told and "on 8 validation rows" in told
    assert {path.name for path in out.iterdir()} == {
        "README.md",
        "accuracy.png",
        "adapter_config.json",
        "adapter_model.safetensors",
        "curves.csv",
        "loss.png",
        "model.safetensors",
        "reward_model.json",
        "training.json",
        "value_head.safetensors",
    }
    assert not (tmp_path / "out.checkpoints").exists(), "what it would have gone on from is cleared away"

    # The curves are those of the training, the pictures are pictures.
    model = artefacts.load_folder(out)
    assert isinstance(model, TransformersModel)
    with (out / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["training_loss"]) for row in rows] == model.losses and len(rows) == 4 * 3
    looked = [row for row in rows if row["validation_loss"]]
    assert [(int(row["step"]), float(row["validation_loss"])) for row in looked] == [
        (look.step, look.loss) for look in model.looks
    ]
    for name in ("loss.png", "accuracy.png"):
        with Image.open(out / name) as picture:
            assert picture.size == (1200, 800) and len(np.unique(np.asarray(picture))) > 3

    # The card tells the data, the settings, and figures that are the model's own.
    card, facts = (out / "README.md").read_text(), json.loads((out / "training.json").read_text())
    manifest = facts["release"]["manifest_sha256"]
    assert len(manifest) == 64 and manifest in card
    accuracy = facts["validation"]["accuracy"]
    best = min(model.looks, key=lambda look: look.loss)
    assert accuracy["value"] == best.accuracy and accuracy["n"] == 8 and accuracy["groups"] == 4
    for said in (
        f"| this model | {accuracy['value']:.3f} | {accuracy['low']:.3f} to {accuracy['high']:.3f} |",
        f"after step {best.step} of 12 taken",
        "| `learning_rate` | 0.02 |",
        "| `method` | lora |",
        "| text_to_text | skywork_reward, by a criterion | 4 | 4 |",
        "| text_to_text | omni_t2t_skywork, by a criterion | 16 | 4 |",
        'Recipe: `{"skywork_reward": 0.5, "most": 0}`',
        "Expected calibration error on the validation split",
        model.backbone.revision,
    ):
        assert said in card, said

    # It is evaluated as it lies there.
    call_command("eval_bench", bench=str(release), judge=f"rm:{out}", out=tmp_path / "evaluated")
    assert "out on release: 4 rows" in capsys.readouterr().out
    with pytest.raises(CommandError, match=r"--out: .* is there already and is not an empty folder"):
        call_command("train_rm", release=release, base=str(backbone), spec=spec, out=out)


def test_the_embedded_model_from_a_release_as_a_revision_of_another_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release, out = tmp_path / "release", tmp_path / "out"
    make_release(release)
    project = planted(judged=2, open_pairs=2, reserve=4)
    # The reserve asks a prompt of the release: nothing is learned of it.
    known = project.pairs.filter(partition="reserve").first()
    assert known
    type(known.prompt).objects.filter(pk=known.prompt_id).update(turns=[{"role": "user", "text": "train 3"}])
    call_command("train_rm", release=release, base="builtin", project=project.slug, out=out)
    told = capsys.readouterr().out
    assert "revision 1 (builtin), trained on 22 judgments of 22 comparisons" in told
    assert "Accuracy on 8 labels of the reserve: " in told
    assert "Trained on 24 rows" in told
    revision = Revision.objects.get(project=project)
    assert (out / "model.safetensors").stat().st_size == revision.artefact_size
    assert {path.name for path in out.iterdir()} == {"README.md", "model.safetensors", "training.json"}
    assert "The embedded model has nothing to set." in (out / "README.md").read_text()


def test_what_is_asked_wrongly_is_said(backbone: Path, spec: Path, tmp_path: Path) -> None:
    release = tmp_path / "release"
    make_release(release, train=1, validation=0, reserve=0)

    def refused(told: str, **options: object) -> None:
        with pytest.raises(CommandError, match=told):
            call_command("train_rm", **options)

    refused("Say what to learn from")
    refused("--out: wants --release", out=tmp_path / "out", project="x")
    refused("--release: say where the model goes", release=release)
    refused("--lora: the backend builtin has no adapters", release=release, base="builtin", lora=True)
    refused("is of the backend builtin, not transformers", base="builtin", backend="transformers")
    refused("--preset: No preset is called 'x'", release=release, preset="x", out=tmp_path / "out")
    refused("a served model is not trained", release=release, backend="vllm", out=tmp_path / "out")
    refused(r"holds no MANIFEST\.json", release=tmp_path, base="builtin", out=tmp_path / "out")
    refused("There is no project 'x'", release=release, project="x")
    refused(
        "mix.skywork_rewrad: the release has no such subset",
        release=release,
        base=str(backbone),
        out=tmp_path / "out",
        spec=_written(tmp_path, "mix: {skywork_rewrad: 2}"),
    )
    refused(
        "epoch: no such field",
        release=release,
        base=str(backbone),
        out=tmp_path / "out",
        spec=_written(tmp_path, "epoch: 2"),
    )
    assert not (tmp_path / "out").exists()
    with pytest.raises(CommandError, match=r"is no folder that manage\.py train_rm --out wrote"):
        call_command(
            "eval_bench",
            bench=str(text_bench(tmp_path / "bench")),
            judge=f"rm:{tmp_path}",
            out=tmp_path / "e",
        )


def _written(folder: Path, text: str) -> Path:
    path = folder / "wrong.yaml"
    path.write_text(text)
    return path
