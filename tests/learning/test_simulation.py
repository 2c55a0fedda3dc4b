"""Campaigns replayed: in memory they draw what the queue draws, through the queue everything is the product's own."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from PIL import Image

from annotate.demo.rules import ASKED_BY_TEXT
from annotate.imports.places import local_file
from annotate.imports.spec import ImportSpec
from annotate.integrity import violations
from annotate.models import Draw, Judgment, Partition, Project
from tests.factories import judge, make_comparison, make_pair, make_project
from workers.features import feature_cache
from workers.reward_models import base
from workers.reward_models.features import encoder
from workers.simulation import memory, planted, through_queue
from workers.simulation.curves import curve, labels_to_reach, rising, saving
from workers.simulation.memory import CHANCE, Plan
from workers.simulation.scratch import scratch
from workers.simulation.world import world_of

pytestmark = pytest.mark.django_db

LONG, SHORT = "The answer is long.", "The answer is short."
WORDS = "bread water stone river lamp garden engine winter paper music".split()


@pytest.fixture(autouse=True)
def embedded_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(base.BACKENDS, "builtin", "workers.reward_models.builtin:BuiltinModel")


@pytest.fixture(scope="module", autouse=True)
def loaded_model() -> None:
    """Loaded before a test's transaction begins, which must not be idle for long."""
    encoder.embed(["loaded"])


def labelled(path: Path, pairs: int = 60) -> Path:
    """Pairs of texts, each under two opposed criteria, with the label that its length says."""
    rng = random.Random(5)
    rows = []
    for n in range(pairs):
        texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 30))) + "." for _ in range(2)]
        difference = len(texts[0]) - len(texts[1])
        longer = "tie" if abs(difference) < 20 else "response1" if difference > 0 else "response2"
        shorter = {"response1": "response2", "response2": "response1"}.get(longer, longer)
        rows.append(
            {
                "id": str(n),
                "prompt": f"Say something, number {n}",
                "response1": texts[0],
                "response2": texts[1],
                "criteria": [
                    {"text": text, "judgments": [{"annotator": "x", "verdict": said}]}
                    for text, said in ((LONG, longer), (SHORT, shorter))
                ],
            }
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("policy", ["powerbald", CHANCE, "margin"])
def test_memory_draws_exactly_what_the_queue_draws(policy: str, tmp_path: Path) -> None:
    """Pairs, routes, probabilities, order, epoch by epoch, and the same accuracy after each refit."""
    spec = ImportSpec(files=(local_file(labelled(tmp_path / "pairs.jsonl", 130)),))
    plan = Plan(batch=20, labels=120)
    with scratch(spec, 3, 0.3) as place:
        world = world_of(place.project, place.known, feature_cache())
        played = memory.play(world, policy, 3, plan)
        through = through_queue.play(place.annotator, place.known, policy, 3, plan)
        assert len(through.draws) >= 3
        for mine, queued in zip(played.draws, through.draws, strict=True):
            assert [(one.pair_id, one.route, one.pool_size) for one in mine] == [
                (one.pair_id, one.route, one.pool_size) for one in queued
            ]
            # The queue's pool is ranked by 32-bit products.
            assert [one.q for one in mine] == pytest.approx([one.q for one in queued], rel=1e-4)
        assert played.labels == through.labels
        assert played.accuracy == pytest.approx(through.accuracy)
        assert Judgment.objects.count() == through.labels[-1] + 260  # of the project with the answers
        assert {draw.policy.split("-")[0] for draw in Draw.objects.all()} <= {"uniform", policy}
        assert violations() == {}
    assert not Project.objects.exists()


def test_command_writes_curves_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs, out = labelled(tmp_path / "pairs.jsonl", 100), tmp_path / "out"
    options = ["--out", str(out), "--seeds", "2", "--labels", "60", "--batch", "20"]
    call_command("simulate_campaign", str(pairs), *options)
    told = capsys.readouterr().out
    assert "powerbald: " in told and "what chance reaches with" in told
    lines = (out / "curves.csv").read_text().splitlines()
    assert lines[0] == "policy,seed,labels,accuracy" and len(lines) >= 1 + 2 * 2 * 2
    with Image.open(out / "curves.png") as picture:
        assert picture.size == (1200, 800)
    assert not Project.objects.exists()

    # Killed after three of four runs: the fourth is played again, the others stay as they are.
    kept = json.loads((out / "runs.json").read_text())
    whole = kept["runs"].pop("powerbald 1")
    kept["runs"]["powerbald 0"]["accuracy"][-1] = 0.123
    (out / "runs.json").write_text(json.dumps(kept))
    call_command("simulate_campaign", str(pairs), *options)
    again = json.loads((out / "runs.json").read_text())["runs"]
    assert again["powerbald 1"] == whole and again["powerbald 0"]["accuracy"][-1] == 0.123

    with pytest.raises(CommandError, match="runs of other files or settings"):
        call_command("simulate_campaign", str(pairs), *options[:-1], "30")
    with pytest.raises(CommandError, match="an import alone draws 20 pairs"):
        call_command("simulate_campaign", str(pairs), *options[:-1], "19")


def test_all_that_a_release_has_labelled_is_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reserve, validation and train; ties too, where the same pair was decided under another criterion."""
    project = make_project(slug="released", task_type="text_to_text")
    system = {"role": "system", "text": "Be kind."}
    judged = {}
    for n, partition in enumerate(5 * [Partition.RESERVE, Partition.VALIDATION, Partition.TRAIN]):
        prompt = [system] * (n == 2) + [{"role": "user", "text": f"Say {WORDS[n % 10]}, {n}"}]
        texts = [" ".join(WORDS[: 1 + (n + side * 7) % 10]) + "." for side in (0, 1)]
        pair = make_pair(
            project,
            prompt=prompt,
            response1=texts[0],
            response2=texts[1],
            partition=partition,
            external_id=str(n),
        )
        longer = "response1" if len(texts[0]) > len(texts[1]) else "response2"
        shorter = "tie" if n in (2, 5) else "response1" if longer == "response2" else "response2"
        judged[str(n)] = [(LONG, "tie" if n == 5 else longer), (SHORT, shorter)]
        for criterion, verdict in judged[str(n)]:
            judge(make_comparison(pair, criterion, k=1), verdict)
    release, out = tmp_path / "release", tmp_path / "out"
    call_command(
        "export_bench", "--project", "released", "--out", str(release), "--min-labels", "1",
        "--near-duplicates", "none",
    )  # fmt: skip
    call_command(
        "simulate_campaign", "--release", str(release), "--out", str(out), "--seeds", "1", "--labels", "10",
        "--batch", "20", "--policies", "chance",
    )  # fmt: skip
    told = capsys.readouterr().out
    # Of pair 5, in train, people decided nothing.
    assert "28 labels of the release are replayed. 2 are left out: ties" in told and "chance: " in told
    rows = {row["id"]: row for row in map(json.loads, (out / "released.jsonl").read_text().splitlines())}
    assert set(rows) == set(judged) - {"5"}
    for pair in project.pairs.exclude(external_id="5").select_related("response1", "response2", "prompt"):
        row = rows[pair.external_id]
        labels = [(one["text"], one["judgments"][0]["verdict"]) for one in row["criteria"]]
        assert labels == judged[pair.external_id]
        assert [row[name]["text"] for name in ("response1", "response2")] == [
            pair.response1.text,
            pair.response2.text,
        ]
        # The benchmark has one column for a prompt.
        asked = (
            row["prompt"] if isinstance(row["prompt"], list) else [{"role": "user", "text": row["prompt"]}]
        )
        assert asked == pair.prompt.turns
    assert rows["2"]["prompt"][0] == system
    assert Project.objects.get() == project


def test_what_is_planted_is_right_but_for_one_in_twenty(tmp_path: Path) -> None:
    planted.write_rows(tmp_path / "planted.jsonl", 200)
    rows = [json.loads(line) for line in (tmp_path / "planted.jsonl").read_text().splitlines()]
    assert len(rows) == 200
    right = wrong = 0
    for row in rows:
        first, second = (row[name]["metadata"]["traits"] for name in ("response1", "response2"))
        for criterion in row["criteria"]:
            asked = ASKED_BY_TEXT[criterion["text"]]
            gap = asked.sign * (first[asked.trait] - second[asked.trait])
            [judgment] = criterion["judgments"]
            said = {"response1": 1, "response2": -1, "tie": 0}[judgment["verdict"]]
            assert (said == 0) == (gap == 0)
            right, wrong = right + (said * gap > 0), wrong + (said * gap < 0)
    assert 0.02 < wrong / (right + wrong) < 0.08


def test_planted_pairs_are_replayed_by_as_much_chance_as_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--planted", "40", "--out", str(out), "--seeds", "1", "--labels", "40", "--batch", "20"]
    call_command("simulate_campaign", *options, "--uniform-share", "1")
    assert "powerbald: " in capsys.readouterr().out
    # The rows are written anew and are the same: what was played of them is gone on with, and of another share it is not.
    before = (out / "runs.json").read_text()
    call_command("simulate_campaign", *options, "--uniform-share", "1")
    assert (out / "runs.json").read_text() == before
    with pytest.raises(CommandError, match="runs of other files or settings"):
        call_command("simulate_campaign", *options)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "Give files of labelled pairs"),
        (["--release", "somewhere", "--planted", "60"], "or --planted with a number of pairs"),
        (["--planted", "49"], "as many pairs as one batch has, 50"),
        (["--planted", "60", "--uniform-share", "1.5"], "a share lies between 0 and 1"),
        (["--release", "nowhere"], "nowhere is no release: it has no MANIFEST.json"),
    ],
)
def test_what_cannot_be_replayed_is_said(arguments: list[str], problem: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=problem):
        call_command("simulate_campaign", *arguments, "--out", str(tmp_path))


def test_files_without_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.jsonl"
    path.write_text(
        json.dumps({"id": "1", "prompt": "?", "response1": "a", "response2": "b", "criteria": [LONG]})
    )
    with pytest.raises(CommandError, match="hold no label"):
        call_command("simulate_campaign", str(path), "--out", str(tmp_path / "out"))
    assert not Project.objects.exists()


def test_savings_by_hand() -> None:
    assert rising(np.array([1.0, 3.0, 2.0, 4.0])).tolist() == [1.0, 2.5, 2.5, 4.0]
    labels = np.array([100.0, 200.0, 300.0])
    assert labels_to_reach(labels, np.array([0.5, 0.7, 0.9]), 0.8) == pytest.approx(250)
    assert labels_to_reach(labels, np.array([0.5, 0.7, 0.9]), 0.95) == float("inf")
    assert labels_to_reach(labels, np.array([0.5, 0.7, 0.9]), 0.4) == 100
    chance = curve([([100, 200, 400], [0.5, 0.6, 0.8])] * 3, step=100)
    fast = curve([([100, 200, 400], [0.6, 0.8, 0.9])] * 3, step=100)
    found = saving(fast, chance, 400)
    assert (found.at, found.share, found.low, found.high) == (400, 0.5, 0.5, 0.5)
    assert found.gain == pytest.approx(0.1) and not found.worse
    assert saving(chance, fast, 400).worse and saving(chance, fast, 400).share == 1
