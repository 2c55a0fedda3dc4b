"""Large models through the same door as the embedded one: trained by a specification, scored, and honest about what they cannot judge."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command

from annotate.actions.jobs import run_job
from annotate.actions.learning import start_scoring, start_training
from annotate.curves import Curves
from annotate.models import Draw, Job, JobKind, Rationale, Revision, Score
from tests.factories import make_comparison, make_pair
from tests.learning.stub import StubModel
from tests.learning.world import LONG, at_work, ended_well, learn, planted
from tests.reward_models.chat_server import Reply, chat_server
from tests.reward_models.large import tiny
from tests.reward_models.pooling_server import pooling_server
from workers import artefacts, loop, ranking
from workers.features import feature_cache
from workers.items import compared
from workers.reward_models.builtin import BuiltinModel
from workers.reward_models.features.cache import MemoryCache
from workers.reward_models.settings import SettingsError

pytestmark = pytest.mark.django_db


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    backbone = tmp_path / "backbone"
    backbone.mkdir()
    tiny.make(backbone, "qwen2")
    path = tmp_path / "spec.yaml"
    path.write_text(f"backbone: {backbone}\nmethod: head\nlearning_rate: 0.1\nepochs: 20\nbatch: 4\n")
    return path


def test_trained_by_a_specification_then_scored(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = planted(judged=6, open_pairs=4, reserve=4)
    call_command("train_rm", project=project.slug, backend="transformers", spec=spec)
    told = capsys.readouterr().out
    assert "revision 1 (transformers), trained on 12 judgments of 12 comparisons" in told
    assert "Accuracy on 8 labels of the reserve: 1.000" in told
    # Its curves stand in the job, of the model alone: the one that sees no criterion draws none over them.
    curves = Curves(Job.objects.get(kind=JobKind.TRAIN).spec["curves"])
    losses = curves.points("loss")
    assert [step for step, _ in losses] == list(range(1, 61)) and losses[-1][1] < 0.2 < 0.6 < losses[0][1]
    assert curves.points("accuracy")[-1] == (60, 1.0)
    call_command("score_pairs", project=project.slug)
    assert "8 comparisons are scored by revision 1 (8 of them now)." in capsys.readouterr().out
    assert ended_well(project)
    call_command("export_rm", project=project.slug, out=spec.parent / "out")
    assert "out: reward_model.json, value_head.safetensors" in capsys.readouterr().out
    with pytest.raises(CommandError, match="has no such revision of the backend transformers"):
        call_command("export_rm", project=project.slug, out=spec.parent / "out", revision=7)
    # The criterion is seen.
    margins = Score.objects.order_by("comparison__pair", "comparison__criterion").values_list(
        "margin", flat=True
    )
    assert max(abs(one - other) for one, other in zip(margins[::2], margins[1::2], strict=True)) > 0.1


def test_what_is_wrong_with_a_specification_is_said(spec: Path, tmp_path: Path) -> None:
    project = planted(judged=2, open_pairs=1, reserve=0)

    def refused(words: str, path: Path | None = spec) -> None:
        with pytest.raises(CommandError, match=words):
            call_command("train_rm", project=project.slug, backend="transformers", spec=path)

    refused("cannot be read", tmp_path / "none.yaml")
    refused("a large model is trained by a specification", None)
    spec.write_text("- a")
    refused("must hold a mapping of fields")
    spec.write_text("a: [")
    refused("is no YAML")
    spec.write_text("backbone: /nowhere\n")
    refused(r"there is no config\.json")
    spec.write_text("backbone: /nowhere\nepoch: 2\n")
    refused("epoch: no such field")
    assert not Revision.objects.exists()
    with pytest.raises(SettingsError, match="backbone: the embedded model has nothing to set"):
        BuiltinModel.train([], np.array([], np.int8), cache=MemoryCache(), settings={"backbone": "x"})


def test_another_training_is_not_taken_for_this_one(spec: Path) -> None:
    project = planted(judged=2, open_pairs=1, reserve=0)
    start_training(
        by=None, project=project, backend="transformers", settings={"backbone": "x"}, send_it=False
    )
    with pytest.raises(CommandError, match="is unfinished, and trains transformers otherwise"):
        call_command("train_rm", project=project.slug, backend="transformers", spec=spec)
    # The embedded model goes on learning meanwhile.
    assert learn(project).backend == "builtin"


def test_large_jobs_wait_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from annotate.actions import jobs

    sent: list[str] = []
    monkeypatch.setattr(jobs, "send_on_commit", lambda *args, queue, time_limit: sent.append(queue))
    project = planted(judged=2, open_pairs=1, reserve=0)
    revision = learn(project)
    sent.clear()
    start_training(by=None, project=project, backend="transformers", settings={"backbone": "x"})
    Revision.objects.filter(pk=revision.pk).update(backend="transformers")
    revision.refresh_from_db()
    start_scoring(by=None, revision=revision, everything=True)
    assert sent == ["gpu", "gpu"]


def test_what_a_model_cannot_judge_has_no_score_and_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = planted(judged=6, open_pairs=12, reserve=4)
    score = StubModel.score

    def partly(self, items, *, cache):
        blank = {
            n: "it cannot look at video"
            for n, item in enumerate(items)
            if item.prompt_text[:2] in ("3 ", "5 ")
        }
        return score(self, items, cache=cache).leaving_out(blank)

    monkeypatch.setattr(StubModel, "score", partly)
    call_command("train_rm", project=project.slug)
    call_command("score_pairs", project=project.slug)
    told = capsys.readouterr().out
    assert "20 comparisons are scored" in told and "4 are left out: it cannot look at video" in told
    job = Job.objects.filter(project=project, kind=JobKind.SCORE).latest("pk")
    assert job.spec["left_out"] == {"it cannot look at video": 4} and job.spec["pairs_left_out"] == 2
    # Nobody asks it again in vain; pairs that are new are asked about.
    at_work(project)
    before = Job.objects.filter(kind=JobKind.SCORE).count()
    loop.draw(project)
    assert Job.objects.filter(kind=JobKind.SCORE).count() == before


def test_a_served_model_that_is_gone_is_said() -> None:
    project = planted(judged=6, open_pairs=2, reserve=2)

    def value(body: dict[str, Any]) -> float:
        sign = -1 if "short" in body["messages"][-1]["content"] else 1
        return sign * len(body["messages"][2]["content"]) / 10

    with pooling_server(value) as server:
        settings = {"url": server.url, "model": "reward", "retries": 0}
        start_training(by=None, project=project, backend="vllm", settings=settings, send_it=False)
        job = Job.objects.get(project=project, kind=JobKind.TRAIN)
        run_job(job.pk, by_hand=True)
        revision = Revision.objects.get()
        assert revision.accuracy == 1.0 and revision.backend == "vllm"
        server.model = "another"
        with pytest.raises(CommandError, match=r"cannot be asked.*no such model"):
            call_command("score_pairs", project=project.slug)
        assert not Score.objects.exists()
        server.model = "reward"
        call_command("score_pairs", project=project.slug)
        assert Score.objects.count() == 4


def length_judge(body: dict[str, Any]) -> Reply:
    """The longer response wins, under a criterion that says "short" the shorter one."""
    a, b = (part["text"] for part in body["messages"][1]["content"][1:3])
    longer = "A" if len(a) > len(b) else "B"
    shorter = "B" if longer == "A" else "A"
    return Reply(f"I looked. [[{shorter if 'short' in body['messages'][0]['content'] else longer}]]")


def test_a_judge_is_registered_promoted_and_goes_by_entropy(tmp_path: Path) -> None:
    # Without draws by chance, which might be all three.
    project = planted(judged=4, open_pairs=3, reserve=2, sampling="auto", uniform_share=0)
    at_work(project)
    with chat_server(length_judge) as server:
        path = tmp_path / "judge.yaml"
        path.write_text(
            f"url: {server.url}\nmodel: m\nreplies: {tmp_path / 'replies'}\nprice_in: 1\nprice_out: 2\n"
        )
        call_command("train_rm", project=project.slug, backend="judge", spec=path)
        call_command("score_pairs", project=project.slug)
        revision = Revision.objects.get()
        assert (revision.backend, revision.accuracy, revision.settings["price_out"]) == ("judge", 1.0, 2)
        assert Score.objects.count() == Rationale.objects.count() == 6
        one = Rationale.objects.first()
        assert one and one.consistent and "I looked." in one.forward_text and one.replies == 2 and one.cost
        # Scored again nothing is asked again.
        asked = len(server.asked)
        call_command("score_pairs", project=project.slug, all=True)
        assert Score.objects.count() == 18 and len(server.asked) == asked  # 12 were tested or calibrated on
    assert loop.draw(project) > 0
    assert set(Draw.objects.filter(route="policy").values_list("policy", flat=True)) == {"entropy-3 r1"}


def test_between_trainings_of_a_large_model_a_head_learns_from_what_it_keeps(spec: Path) -> None:
    project = planted(judged=12, open_pairs=6, reserve=4, refit_judgments=1)
    call_command("train_rm", project=project.slug, backend="transformers", spec=spec)
    call_command("score_pairs", project=project.slug, all=True)
    large = Revision.objects.get()
    assert large.features.startswith("phi-") and not large.ranks
    Revision.objects.update(read_at=large.read_at - timedelta(days=1))  # there are new judgments
    loop.tend(project)
    job = Job.objects.get(project=project, kind=JobKind.TRAIN, state="queued")
    assert job.spec["backend"] == "cached" and job.spec["settings"] == {"features": large.features}
    run_job(job.pk)
    for queued in Job.objects.filter(project=project, kind=JobKind.SCORE, state="queued"):
        run_job(queued.pk)
    small = Revision.objects.latest("number")
    assert ended_well(project) and small.backend == "cached" and small.ranks and small.scored_at
    assert small.accuracy == 1.0 and small.blind_accuracy == pytest.approx(0.5, abs=0.01)
    pool = ranking.freeze(small)
    assert len(pool) == 6 and not pool.unscored
    rows = pool.comparisons
    units = list(zip(rows["pair"].tolist(), rows["criterion"].tolist(), strict=True))
    scored = artefacts.load(small).score(compared(units), cache=feature_cache())
    assert rows["margin"] == pytest.approx(scored.margin, abs=1e-4) and len(set(scored.margin)) == 12
    # What the large one has not scored has no features, and is said to be left out.
    make_comparison(make_pair(project, prompt="new", response1="much longer", response2="brief"), LONG)
    run_job(start_scoring(by=None, revision=small, send_it=False).pk, by_hand=True)
    assert Job.objects.latest("pk").spec["left_out"] == {"the large model has not scored it": 1}
    # It stays while small ones come and go.
    for _ in range(4):
        settings = {"features": large.features}
        start_training(by=None, project=project, backend="cached", settings=settings, send_it=False)
        run_job(Job.objects.filter(kind=JobKind.TRAIN).latest("pk").pk)
        run_job(Job.objects.filter(kind=JobKind.SCORE).latest("pk").pk)
    large.refresh_from_db()
    assert large.state == "ready" and Revision.objects.filter(state="dropped").count() == 2
