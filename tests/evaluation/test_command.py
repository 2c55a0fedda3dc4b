"""manage.py eval_bench, from a benchmark and a judge to the folder of results."""

import io
import json
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from tests.evaluation.benches import LABELS, media_bench, row, text_bench
from tests.learning import stub
from tests.learning.world import learn, planted
from tests.paths import ROOT, SHARED_DATA, needs_shared_data
from tests.reward_models.chat_server import ChatServer, Reply, chat_server
from workers.reward_models import base


@pytest.fixture(autouse=True)
def own_data_dir(settings: LazySettings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"


def evaluate(bench: Path | str, judge: Path | str, out: Path, **options: Any) -> tuple[dict[str, Any], str]:
    """The results and what was said."""
    said = io.StringIO()
    call_command("eval_bench", bench=str(bench), judge=str(judge), out=out, stdout=said, **options)
    return json.loads((out / "results.json").read_text()), said.getvalue()


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def spec(path: Path, server: ChatServer, **fields: Any) -> Path:
    # JSON is YAML, too.
    path.write_text(json.dumps({"url": server.url, "model": "tiny", "tries": 1, "retries": 0, **fields}))
    return path


def knows(body: dict[str, Any]) -> Reply:
    """Right about texts: who says "good" wins, what is the same is a tie, or else the first."""
    system, user = body["messages"]
    sides = [part["text"] for part in user["content"] if part.get("text", "").startswith("[Response")]
    good = ["good" in side for side in sides]
    if good[0] == good[1]:
        return Reply("[[C]]" if "[[C]]" in system["content"] else "[[A]]")
    return Reply("It is good. [[A]]" if good[0] else "It is good. [[B]]")


def test_a_file_of_verdicts(tmp_path: Path) -> None:
    bench = text_bench(tmp_path / "bench")
    verdicts = list(LABELS)
    verdicts[0], verdicts[3] = "response2", "tie"
    said = [{"id": f"t{n}", "verdict": verdict} for n, verdict in enumerate(verdicts)]
    said[5]["verdict"] = None  # type: ignore[assignment]
    file = lines(tmp_path / "mine.jsonl", said)
    found, told = evaluate(bench, f"verdicts:{file}", tmp_path / "out")
    with_ties = found["accuracy"]["with_ties"]["ways"]["published_order"]
    assert with_ties["macro"]["value"] == pytest.approx(5 / 8)
    assert with_ties["tasks"]["text_to_text"]["n"] == 8
    assert with_ties["tasks"]["text_to_text"]["groups"] == 4
    without = found["accuracy"]["without_ties"]["ways"]["published_order"]
    assert without["micro"]["value"] == pytest.approx((3 + 0.5) / 6, abs=1e-6)
    assert found["counts"]["all"]["unreadable"] == 1
    assert "1 unreadable, 0 errors, 0 unsupported" in told
    rows = [json.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()]
    assert [one["id"] for one in rows] == [f"t{n}" for n in range(8)]
    assert rows[2] == {
        "id": "t2",
        "task": "text_to_text",
        "prompt": rows[3]["prompt"],
        "label": "tie",
        "hits": {"with_ties": 1.0, "without_ties": None},
        "with_ties": [{"verdict": "tie", "rationale": ""}],
    }


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"id": "t9", "verdict": "tie"}], "line 1: the benchmark has no row 't9'"),
        (
            [{"id": "t0", "verdict": "tie"}, {"id": "t0", "verdict": "tie"}],
            "line 2: row 't0' stands there twice, first in line 1",
        ),
        ([{"id": "t0", "verdict": "tie"}], "says nothing of 1 of 2 rows; the first is 't1'"),
        (
            [{"id": "t0", "verdict": "left"}],
            r"line 1 \('t0'\): verdict is 'left'; must be response1, response2 or tie",
        ),
        ([{"id": "t0", "without_ties": "tie"}], "without_ties is 'tie'; must be response1 or response2,"),
        ([{"id": "t0"}], "has neither verdict nor without_ties"),
        ([{"id": "t0", "swapped": "tie", "without_ties": "response1"}], "has swapped without verdict"),
        ([{"id": "t0", "verdict": "tie", "margin": 1}], "has 'margin', which is not known here"),
        ([{"verdict": "tie"}], "line 1: has no id"),
        (
            [{"id": "t0", "verdict": "tie", "swapped": "tie"}, {"id": "t1", "verdict": "tie"}],
            "line 2 .*has no swapped",
        ),
        (
            [{"id": "t0", "verdict": "tie", "without_ties": "response1"}, {"id": "t1", "verdict": "tie"}],
            "line 2 .*has no without_ties",
        ),
    ],
)
def test_verdicts_that_do_not_fit_are_refused(tmp_path: Path, rows: list[dict[str, Any]], words: str) -> None:
    bench = text_bench(tmp_path / "bench", ("response1", "response2"))
    with pytest.raises(CommandError, match=words):
        evaluate(bench, f"verdicts:{lines(tmp_path / 'v.jsonl', rows)}", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"id": "t0", "margin": 1, "score1": 2}', "must have either margin or score1 and score2"),
        ('{"id": "t0", "score1": 2}', "score2 is None; must be a finite number"),
        ('{"id": "t0", "margin": true}', "margin is True"),
        ('{"id": "t0", "margin": NaN}', "holds NaN, which is not JSON"),
        ('{"id": "t0", "margin": 1, "p_tie": 1.5}', "p_tie is 1.5; must be from 0 to 1"),
        ("[1]", "line 1: must be an object"),
        ("{", "line 1: is not JSON"),
        ('{"id": "t0", "margin": 1, "p_tie": 0.5}\n{"id": "t1", "margin": 1}', "line 2: has no p_tie"),
    ],
)
def test_scores_that_do_not_fit_are_refused(tmp_path: Path, line: str, words: str) -> None:
    bench = text_bench(tmp_path / "bench", ("response1", "response2"))
    (tmp_path / "s.jsonl").write_text(line)
    with pytest.raises(CommandError, match=words):
        evaluate(bench, f"scores:{tmp_path / 's.jsonl'}", tmp_path / "out")


def test_a_file_of_scores(tmp_path: Path) -> None:
    bench = text_bench(tmp_path / "bench", LABELS * 12)
    margins = [{"response1": 2.0, "response2": -2.0, "tie": 0.1}[label] for label in LABELS * 12]
    said = [{"id": f"t{n}", "score1": margin, "score2": 0} for n, margin in enumerate(margins)]
    found, told = evaluate(bench, f"scores:{lines(tmp_path / 's.jsonl', said)}", tmp_path / "out")
    ways = found["accuracy"]["with_ties"]["ways"]
    assert found["accuracy"]["with_ties"]["headline"] == "calibrated"
    assert {name: way["macro"]["value"] for name, way in ways.items()} == {
        "calibrated": 1.0,
        "tie_model": 1.0,
        "no_ties": 0.75,
        "test_set_optimum": 1.0,
    }
    assert found["thresholds"] == {"text_to_text": 0.1}
    assert found["calibration"]["margin as log-odds"]["n"] == 72
    assert "Accuracy with ties [calibrated]: macro 1.000" in told


def test_scores_with_a_probability_of_a_tie_go_by_it(tmp_path: Path) -> None:
    bench = text_bench(tmp_path / "bench")
    said: list[dict[str, Any]] = [
        {"id": f"t{n}", "margin": 1.0, "p_tie": 0.9 if label == "tie" else 0.1}
        for n, label in enumerate(LABELS)
    ]
    said[0]["margin"] = None
    said[0].pop("p_tie")
    found, _ = evaluate(bench, f"scores:{lines(tmp_path / 's.jsonl', said)}", tmp_path / "out")
    assert found["accuracy"]["with_ties"]["headline"] == "own_ties"
    assert found["accuracy"]["with_ties"]["ways"]["own_ties"]["macro"]["value"] == pytest.approx(4 / 8)
    assert found["accuracy"]["without_ties"]["ways"]["sign"]["macro"]["value"] == pytest.approx(
        2 / 6, abs=1e-6
    )
    assert found["counts"]["all"]["unreadable"] == 1


def test_an_endpoint_over_every_modality_of_which_it_sees_some(tmp_path: Path) -> None:
    bench = media_bench(tmp_path / "bench")
    with chat_server(knows) as server:
        found, told = evaluate(
            bench,
            spec(
                tmp_path / "judge.yaml",
                server,
                sees=["image", "mesh"],
                price_in=1,
                price_out=2,
                name="Tiny judge",
            ),
            tmp_path / "out",
        )
        asked = len(server.asked)
        kinds = {part["type"] for body in server.asked for part in body["messages"][1]["content"]}
    assert kinds == {"text", "image_url"}
    # Sounds it is not asked about; of the others two orders with ties, and two without where the label is no tie. The
    # solids are one file, so that their two orders are one question.
    assert asked == 4 + 4 + 4 + 1
    assert found["judge"]["title"] == "Tiny judge"
    assert found["supported"] == ["text_image_to_text", "text_to_3D", "text_to_image", "text_to_text"]
    assert found["counts"]["tasks"]["text_to_audio"]["unsupported"] == 1
    assert found["counts"]["why"] == {"unsupported: it is not shown audio": 1}
    mean = found["accuracy"]["with_ties"]["ways"]["orders_mean"]
    assert "text_to_audio" not in mean["tasks"]
    assert mean["tasks"]["text_image_to_text"]["value"] == mean["tasks"]["text_to_text"]["value"] == 1.0
    assert mean["tasks"]["text_to_3D"]["value"] == 1.0
    assert mean["tasks"]["text_to_image"]["value"] == 0.0  # it sees pictures, and calls all the same
    assert mean["macro"]["value"] == pytest.approx(3 / 4)
    forced = found["accuracy"]["without_ties"]["ways"]["orders_mean"]
    assert forced["tasks"]["text_to_image"]["value"] == 0.5
    # Of the three tasks with a decided row one is about pictures: it takes what is first, both times.
    assert found["orders"]["leaning_without_ties"]["macro"]["value"] == pytest.approx(1 / 3, abs=1e-6)
    assert found["orders"]["consistent_without_ties"]["macro"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["cost"] > found["spent"] > 0  # the reply about the solids is used twice and paid for once
    assert "1 unsupported" in told


def test_a_medium_that_is_not_there_is_an_error_of_its_row(tmp_path: Path) -> None:
    bench = media_bench(tmp_path / "bench")
    (bench / "media_data" / "blue.png").unlink()
    (bench / "media_data" / "box.glb").write_bytes(b"no solid")
    with chat_server(knows) as server:
        found, _ = evaluate(
            bench, spec(tmp_path / "judge.json", server, sees=["image", "mesh"]), tmp_path / "out"
        )
    assert found["counts"]["all"]["error"] == 2
    whys = " ".join(found["counts"]["why"])
    assert "'blue.png', which is not in the media folder" in whys
    assert "box.glb is no media file that is taken here" in whys
    mean = found["accuracy"]["with_ties"]["ways"]["orders_mean"]
    assert mean["tasks"]["text_to_image"]["value"] == 0.0  # wrong, not left out
    assert mean["tasks"]["text_to_image"]["n"] == 1


def test_whoever_is_interrupted_goes_on(tmp_path: Path) -> None:
    bench = text_bench(tmp_path / "bench")
    answered: list[dict[str, Any]] = []

    def breaks(body: dict[str, Any]) -> Reply:
        answered.append(body)
        return knows(body) if len(answered) <= 9 else Reply("The quota is used up", status=403)

    with chat_server(breaks) as server:
        judge = spec(tmp_path / "judge.yaml", server, concurrency=1)
        with pytest.raises(CommandError, match="The quota is used up"):
            evaluate(bench, judge, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        server.answer = knows
        before = len(server.asked)
        found, _ = evaluate(bench, judge, tmp_path / "out")
        # Two equal responses are the same in both orders: of a tie here there is one question, not two.
        everything = (6 * 2 + 2) + 6 * 2
        assert len(server.asked) - before == everything - 9
        again, _ = evaluate(bench, judge, tmp_path / "out")  # over its own results
        assert len(server.asked) - before == everything - 9
    assert again["tokens"]["spent_in"] == 0 < found["tokens"]["spent_in"] < found["tokens"]["in"]
    assert again["accuracy"] == found["accuracy"]


def test_an_interrupt_from_the_keyboard_loses_nothing(tmp_path: Path) -> None:
    """A process of its own, interrupted while it is asked to wait: it ends at once, and what was answered is kept."""
    bench = text_bench(tmp_path / "bench")
    begun = threading.Event()

    def slow(body: dict[str, Any]) -> Reply:
        if len(server.asked) <= 5:
            return knows(body)
        begun.set()
        return Reply(status=429, headers={"Retry-After": "60"})

    with chat_server(slow) as server:
        judge = spec(tmp_path / "judge.yaml", server, concurrency=2, retries=3)
        command = [
            sys.executable,
            str(ROOT / "manage.py"),
            "eval_bench",
            "--bench",
            str(bench),
            "--judge",
            str(judge),
        ]
        command += ["--out", str(tmp_path / "out")]
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        assert begun.wait(60)
        time.sleep(0.2)
        interrupted = time.monotonic()
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
        assert time.monotonic() - interrupted < 30  # less than it was told to wait
        assert running.returncode == 1
        assert "Interrupted. The same command goes on" in said and "Traceback" not in said
        assert not (tmp_path / "out").exists()
        server.answer, before = knows, len(server.asked)
        assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
        assert len(server.asked) - before == (6 * 2 + 2) + 6 * 2 - 5


def test_two_judges_are_compared_row_by_row(tmp_path: Path) -> None:
    bench = text_bench(tmp_path / "bench", LABELS * 6)
    good = [{"id": f"t{n}", "verdict": label} for n, label in enumerate(LABELS * 6)]
    poor = [one | {"verdict": "response1"} for one in good]
    evaluate(bench, f"verdicts:{lines(tmp_path / 'poor.jsonl', poor)}", tmp_path / "poor")
    found, told = evaluate(
        bench,
        f"verdicts:{lines(tmp_path / 'good.jsonl', good)}",
        tmp_path / "good",
        against=tmp_path / "poor",
    )
    difference = found["against"]["differences"]["with_ties"]
    assert difference["macro"]["value"] == pytest.approx(5 / 8)
    assert difference["p_macro"] < 0.001 and difference["macro"]["low"] > 0
    assert "Against poor, with ties: macro +0.625" in told
    other = text_bench(tmp_path / "other")
    with pytest.raises(CommandError, match="is of another benchmark, or of another version of this one"):
        evaluate(
            other,
            f"verdicts:{lines(tmp_path / 'few.jsonl', good[:8])}",
            tmp_path / "few",
            against=tmp_path / "poor",
        )
    with pytest.raises(CommandError, match=r"holds no results\.json"):
        evaluate(bench, f"verdicts:{tmp_path / 'good.jsonl'}", tmp_path / "x", against=tmp_path / "bench")


def test_nothing_else_is_written_over(tmp_path: Path) -> None:
    bench = text_bench(tmp_path / "bench")
    file = lines(tmp_path / "v.jsonl", [{"id": f"t{n}", "verdict": "tie"} for n in range(8)])
    with pytest.raises(CommandError, match="holds something that is no evaluation"):
        evaluate(bench, f"verdicts:{file}", bench)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            {"criteria_preference": "left"},
            "text_to_text_preferences.json, row 2: criteria_preference: is 'left'",
        ),
        ({"criteria_preference": ""}, "row 2: criteria_preference: is missing"),
        ({"response1": 3}, "row 2: response1: must be a text"),
        ({"criteria": " "}, "row 2: criteria: is empty"),
    ],
)
def test_a_benchmark_that_cannot_be_read_names_the_row(
    tmp_path: Path, cells: dict[str, Any], words: str
) -> None:
    rows = [row(0, "tie"), row(1, "tie", **cells)]
    (tmp_path / "text_to_text_preferences.json").write_text(json.dumps(rows))
    with pytest.raises(CommandError, match=words):
        evaluate(tmp_path, "verdicts:none.jsonl", tmp_path / "out")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    bench = text_bench(tmp_path / "bench")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.yaml").write_text("url: [")
    (tmp_path / "half.yaml").write_text("url: http://localhost:1/v1")
    for asked, judge, words in (
        (tmp_path / "none", "verdicts:x", "is no folder"),
        (tmp_path / "empty", "verdicts:x", "holds neither <config>_preferences.json"),
        ("vl-rewardbench", "verdicts:x", "Nothing is downloaded: get a copy"),
        (f"multimodal-rewardbench:{tmp_path / 'empty'}", "verdicts:x", "holds no all_data.json"),
        (bench, "verdicts:none.jsonl", "none.jsonl cannot be read"),
        (bench, "gpt", "no judge is called so"),
        (bench, tmp_path / "bad.yaml", "is no YAML"),
        (bench, tmp_path / "half.yaml", "half.yaml: model: is missing"),
    ):
        with pytest.raises(CommandError, match=words):
            evaluate(asked, judge, tmp_path / "out")


@pytest.mark.django_db
def test_a_registered_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BACKENDS", dict(base.BACKENDS))
    stub.stand_in()
    project = planted(judged=6, open_pairs=1, reserve=4)
    learn(project)
    rows = [
        row(n, "response1", response1="much longer", response2="brief", criteria="The long answer wins.")
        for n in range(4)
    ] + [row(4, "response2", response1="much longer", response2="brief", criteria="The short answer wins.")]
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "text_to_text_preferences.json").write_text(json.dumps(rows))
    found, _ = evaluate(tmp_path / "bench", f"rm:{project.slug}", tmp_path / "out")
    assert found["judge"]["title"] == f"{project.slug}/1"
    assert found["accuracy"]["without_ties"]["ways"]["sign"]["macro"]["value"] == 1.0
    assert found["accuracy"]["with_ties"]["headline"] == "own_ties"
    same, _ = evaluate(tmp_path / "bench", f"rm:{project.slug}/1", tmp_path / "out")
    assert same["accuracy"] == found["accuracy"]
    for asked, words in (("none", "no project 'none'"), (f"{project.slug}/7", "has no revision 7")):
        with pytest.raises(CommandError, match=words):
            evaluate(tmp_path / "bench", f"rm:{asked}", tmp_path / "x")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)


def test_reports_are_whole_and_run_nothing(tmp_path: Path) -> None:
    bench = text_bench(tmp_path / "bench")
    with chat_server(lambda body: Reply("no verdict")) as server:
        judge = spec(tmp_path / "judge.yaml", server, name="<script>alert(1)</script> | x")
        evaluate(bench, judge, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    parsed = _Page()
    parsed.feed(page)
    assert "script" not in parsed.tags and "svg" in parsed.tags and "table" in parsed.tags
    assert "28 of all" not in page and "100.0 %" in page  # every verdict that was asked for could not be read
    words = (tmp_path / "out" / "report.md").read_text()
    assert "| text_to_text | 8 | 2 | 4 | 8 | 0 | 0 |" in words
    assert "0.000 (0.000 to 0.000)" in words
    assert "Of fewer than 10 prompts: text_to_text (4)." in words


def test_ids_that_repeat_are_told_apart(tmp_path: Path) -> None:
    rows = [row(n, "response1", id="same") for n in range(3)]
    (tmp_path / "text_to_text_preferences.json").write_text(json.dumps(rows))
    said = [{"id": name, "verdict": "response1"} for name in ("same", "same#2", "same#3")]
    found, _ = evaluate(tmp_path, f"verdicts:{lines(tmp_path / 'v.jsonl', said)}", tmp_path / "out")
    assert found["bench"]["rows"] == 3


def test_vl_rewardbench(tmp_path: Path) -> None:
    """Its rows as published: id, query, two responses, image, human_ranking (0 is the better), query_source."""
    import pyarrow
    import pyarrow.parquet

    from tests.evaluation.benches import picture

    ids = [
        "RLAIF-V-1",
        "RLHF-V-2",
        "hallucination_pair-3",
        "mathverse_4",
        "mmmu-5",
        "wildvision-battle-6",
        "VLF-7",
    ]
    rows = [
        {
            "id": name,
            "query": "What is it?",
            "response": ["good", "bad"] if n % 2 == 0 else ["bad", "good"],
            "image": {"bytes": picture("red"), "path": None},
            "human_ranking": [0, 1] if n % 2 == 0 else [1, 0],
            "models": ["a", "b"],
            "query_source": "s",
        }
        for n, name in enumerate(ids)
    ]
    (tmp_path / "data").mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "data" / "test-00000.parquet")
    with chat_server(knows) as server:
        found, _ = evaluate(
            f"vl-rewardbench:{tmp_path}", spec(tmp_path / "j.yaml", server, ties="without"), tmp_path / "out"
        )
        assert server.asked[0]["messages"][1]["content"][1]["type"] == "image_url"
    assert {task: one["rows"] for task, one in found["counts"]["tasks"].items()} == {
        "hallucination": 3,
        "reasoning": 2,
        "general": 2,
    }
    assert found["accuracy"]["without_ties"]["ways"]["orders_mean"]["macro"]["value"] == 1.0
    assert found["accuracy"]["with_ties"]["headline"] is None  # it was not asked so


def test_multimodal_rewardbench(tmp_path: Path) -> None:
    from tests.evaluation.benches import picture

    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "a.png").write_bytes(picture("green"))
    categories = [
        ("x-1", "correctness"),
        ("pairs-2", "safety"),
        ("h-3", "safety"),
        ("mathvista-4", "reasoning"),
        ("EMMA-5", "reasoning"),
    ]
    rows = [
        {
            "ID": name,
            "Text": "Which?",
            "Image": "images/a.png",
            "Output1": "good",
            "Output2": "bad",
            "Better": "Output1",
            "Category": category,
        }
        for name, category in categories
    ]
    (tmp_path / "data" / "all_data.json").write_text(json.dumps(rows))
    with chat_server(knows) as server:
        found, _ = evaluate(
            f"multimodal-rewardbench:{tmp_path}", spec(tmp_path / "j.yaml", server), tmp_path / "out"
        )
    assert list(found["counts"]["tasks"]) == [
        "correctness",
        "safety/bias",
        "safety/toxicity",
        "reasoning/math",
        "reasoning/coding",
    ]
    assert found["counts"]["all"]["error"] == 0
    assert found["accuracy"]["with_ties"]["ways"]["orders_mean"]["macro"]["value"] == 1.0


@needs_shared_data
@pytest.mark.django_db(transaction=True)
def test_pandalm_from_its_release(tmp_path: Path, settings: LazySettings) -> None:
    """999 pairs that people labelled: imported, released, evaluated, and counted here once more by hand."""
    source = SHARED_DATA / "text" / "pandalm-testset-v1.json"
    mapping = ROOT / "docs/examples/pandalm.yaml"
    call_command(
        "import_pairs",
        str(source),
        "--project=pandalm",
        "--create",
        "--task-type=text_to_text",
        "--reserve-share=1",
        f"--mapping={mapping}",
        f"--report={tmp_path / 'refused.jsonl'}",
        stdout=io.StringIO(),
    )
    release = tmp_path / "release"
    call_command(
        "export_bench", "--project=pandalm", f"--out={release}", "--min-labels=3", stdout=io.StringIO()
    )
    rows = json.loads((release / "bench" / "text_to_text_preferences.json").read_text())
    by_length: Callable[[dict[str, Any]], int] = lambda one: len(one["response1"]) - len(one["response2"])  # noqa: E731
    longer = lines(tmp_path / "longer.jsonl", [{"id": one["id"], "margin": by_length(one)} for one in rows])
    found, _ = evaluate(release, f"scores:{longer}", tmp_path / "out")
    decided = [one for one in rows if one["criteria_preference"] != "tie"]
    hits = sum(
        0.5 if by_length(one) == 0 else (by_length(one) > 0) == (one["criteria_preference"] == "response1")
        for one in decided
    )
    sign = found["accuracy"]["without_ties"]["ways"]["sign"]["macro"]
    assert (sign["n"], sign["value"]) == (894, pytest.approx(hits / 894, abs=1e-6))
    best = max(
        sum(
            one["criteria_preference"]
            == (
                "tie"
                if abs(by_length(one)) <= epsilon or by_length(one) == 0
                else "response1"
                if by_length(one) > 0
                else "response2"
            )
            for one in rows
        )
        for epsilon in (-1, *range(0, 200))
    )
    ways = found["accuracy"]["with_ties"]["ways"]
    assert ways["test_set_optimum"]["micro"]["value"] == pytest.approx(best / 999, abs=1e-6)
    assert ways["calibrated"]["micro"]["value"] <= ways["test_set_optimum"]["micro"]["value"]
    assert not math.isnan(found["calibration"]["scaled by the tie model"]["error"])
