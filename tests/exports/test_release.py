"""A whole release of a small project: what stands where, what is left out, and that it loads."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from annotate.exports import files
from annotate.models import AuditEntry, Claim, Draw, Job, JobState, Partition, Release, Standing
from tests.factories import judge, make_annotator, make_comparison, make_criterion, make_pair, make_project

pytestmark = pytest.mark.django_db


def export(project: Any, out: Path, *options: str) -> dict[str, Any]:
    call_command("export_bench", "--project", project.slug, "--out", str(out), *options)
    manifest: dict[str, Any] = json.loads((out / "MANIFEST.json").read_text())
    return manifest


def bench_rows(out: Path, task_type: str = "text_to_text") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((out / f"bench/{task_type}_preferences.json").read_text())
    return rows


def judgments(out: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(out.glob("raw/*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_labels_stand_under_the_right_response_and_the_rest_is_counted(tmp_path: Path) -> None:
    project = make_project()
    verdicts = {
        "a": ["response1", "response1", "response2"],
        "b": ["response2", "response2", "tie"],
        "c": ["tie", "tie", "response1"],
        "split": ["response1", "response2", "tie"],
        "few": ["response1", "response1"],
        "unsure": ["response1", "response1", "cannot_tell"],
        "none": [],
    }
    for name, given in verdicts.items():
        pair = make_pair(
            project, external_id=name, response1="one", response2="two", partition=Partition.RESERVE
        )
        comparison = make_comparison(pair, "Which is kinder?")
        for n, verdict in enumerate(given):
            judge(comparison, verdict, flip=bool(n % 2))
    manifest = export(project, tmp_path / "out")
    rows = {row["id"].split("/")[1]: row for row in bench_rows(tmp_path / "out")}
    assert {name: row["criteria_preference"] for name, row in rows.items()} == {
        "a": "response1",
        "b": "response2",
        "c": "tie",
    }
    assert (rows["a"]["response1"], rows["a"]["response2"]) == ("one", "two")
    assert rows["a"]["criteria"] == "Which is kinder?"
    assert manifest["counts"]["bench"]["text_to_text"] == {
        "labels": {"response1": 1, "response2": 1, "tie": 1},
        "excluded": {"no_consensus": 1, "too_few": 3},
    }
    assert len(judgments(tmp_path / "out")) == sum(map(len, verdicts.values()))
    release = Release.objects.get()
    assert release.manifest == {key: manifest[key] for key in manifest if key != "files"}
    assert release.job.state == JobState.DONE
    assert AuditEntry.objects.filter(deed="start release", subject=f"release {release.pk}").exists()


def test_broken_media_and_cannot_tell_are_never_ties(tmp_path: Path) -> None:
    project = make_project()
    comparison = make_comparison(make_pair(project, partition=Partition.RESERVE), k=4)
    judge(comparison, "cannot_tell")
    judge(comparison, "not_applicable")
    judge(comparison, "media_broken", broken="response1")
    judge(comparison, "response2")
    export(project, tmp_path / "out", "--min-labels", "1")
    assert [row["criteria_preference"] for row in bench_rows(tmp_path / "out")] == ["response2"]


def test_partitions_go_to_their_sides(tmp_path: Path) -> None:
    project = make_project()
    for partition in Partition:
        pair = make_pair(project, external_id=partition, partition=partition)
        judge(make_comparison(pair), "response2")
    out = tmp_path / "out"
    export(project, out, "--min-labels", "1")

    def names(path: str) -> list[str]:
        return [json.loads(line)["id"].split("/")[1] for line in (out / path).read_text().splitlines()]

    assert [row["id"].split("/")[1] for row in bench_rows(out)] == ["reserve"]
    assert names("train/text_to_text-train.jsonl") == ["train"]
    assert names("train/text_to_text-validation.jsonl") == ["validation"]


def test_a_prompt_that_stands_in_reserve_leaves_train(tmp_path: Path) -> None:
    project = make_project()
    for partition, name in [
        (Partition.RESERVE, "kept"),
        (Partition.TRAIN, "gone"),
        (Partition.TRAIN, "stays"),
    ]:
        prompt = "Another prompt." if name == "stays" else "One prompt, twice."
        judge(
            make_comparison(make_pair(project, prompt=prompt, external_id=name, partition=partition)),
            "response1",
        )
    out = tmp_path / "out"
    manifest = export(project, out, "--min-labels", "1")
    lines = (out / "train/text_to_text-train.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"].split("/")[1] for line in lines] == ["stays"]
    assert manifest["counts"]["train"]["text_to_text"]["excluded"] == {"leaks": 1}
    assert len(bench_rows(out)) == 1


def test_training_rows_are_trl_preferences(tmp_path: Path) -> None:
    project = make_project()
    turns = [
        {"role": "system", "text": "Be brief."},
        {"role": "user", "text": "Hello?"},
        {"role": "assistant", "text": "Yes."},
        {"role": "user", "text": "Why?"},
    ]
    pair = make_pair(project, prompt=turns, response1="Because.", response2="So.")
    judge(make_comparison(pair, "Politeness."), "response2")
    judge(make_comparison(pair, "Length."), "tie")
    out = tmp_path / "out"
    manifest = export(project, out, "--min-labels", "1")
    (line,) = (out / "train/text_to_text-train.jsonl").read_text().splitlines()
    row = json.loads(line)
    del row["id"]
    assert row == {
        "prompt": [
            {"role": "system", "content": "Politeness.\n\nBe brief."},
            {"role": "user", "content": "Hello?"},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": "Why?"},
        ],
        "chosen": [{"role": "assistant", "content": "So."}],
        "rejected": [{"role": "assistant", "content": "Because."}],
        "label_origin": "people",
    }
    (table,) = pq.read_table(out / "train/text_to_text").to_pylist()
    assert {key: table[key] for key in row} == row
    assert manifest["counts"]["train"]["text_to_text"]["excluded"] == {"no_side": 1}


def test_merged_criteria_are_one_and_an_annotator_counts_once(tmp_path: Path) -> None:
    project = make_project()
    pair = make_pair(project, partition=Partition.RESERVE)
    canonical = make_criterion(project, "Which is clearer?")
    middle = make_criterion(project, "Clarity", canonical=canonical)
    duplicate = make_criterion(project, "clarity of the answer", canonical=middle)
    first, second = make_comparison(pair, canonical), make_comparison(pair, duplicate)
    both = make_annotator(project)
    judge(second, "response1", both)
    judge(first, "response2", both)
    judge(second, "response2")
    judge(first, "response2")
    out = tmp_path / "out"
    export(project, out)
    (row,) = bench_rows(out)
    assert (row["criteria"], row["criteria_preference"]) == ("Which is clearer?", "response2")
    found = judgments(out)
    assert sorted(row["standing"] for row in found) == ["counted"] * 3 + ["twin"]
    (twin,) = [row for row in found if row["standing"] == "twin"]
    assert (twin["verdict"], twin["criterion_shown"]) == ("response1", "clarity of the answer")
    assert {row["criterion"] for row in found} == {"Which is clearer?"}


def test_raw_judgments_hold_every_judgment_and_how_it_stands(tmp_path: Path) -> None:
    project = make_project()
    comparison = make_comparison(make_pair(project))
    revised = judge(comparison, "response1", strength=3, tags=["made up", "fluent"])
    judge(comparison, "response2", supersedes=revised, rationale="=cmd() and a comma, too")
    retracted = judge(comparison, "tie", tie_kind="both_bad")
    judge(comparison, "retracted", supersedes=retracted)
    judge(comparison, "cannot_tell", seated=False, late=True, flip=True)
    out = tmp_path / "out"
    manifest = export(project, out)
    rows = judgments(out)
    assert manifest["counts"]["judgments"] == {"counted": 1, "retracted": 1, "revised": 2, "waiting": 1}
    counted = next(row for row in rows if row["standing"] == Standing.COUNTED)
    assert counted["rationale"] == "=cmd() and a comma, too"
    assert counted["supersedes"] == next(row["judgment"] for row in rows if row["strength"] == 3)
    assert {row["strength"]: row["tags"] for row in rows} == {3: ["made up", "fluent"], None: []}
    waiting = next(row for row in rows if row["standing"] == Standing.WAITING)
    assert (waiting["late"], waiting["shown_first"], waiting["q"], waiting["pool_size"]) == (
        True,
        "response2",
        0.25,
        4,
    )


def test_raw_judgments_tell_where_in_its_epoch_each_draw_stood(tmp_path: Path) -> None:
    """Two epochs with a reserve pair between the draws by chance, and one of no pool at all."""
    project = make_project()
    stood = {}
    for epoch, pos, route, q, pool in (
        (1, 0, "uniform", 0.25, 4),
        (1, 1, "reserve", None, None),
        (1, 2, "policy", 0.5, 3),
        (2, 0, "policy", 0.125, 9),
        (3, 0, "reopened", None, None),
    ):
        judgment = judge(make_comparison(make_pair(project)), "response1")
        assert judgment.claim
        policy = "powerbald-1 r2" if route == "policy" else ""
        draw = Draw.objects.create(
            project=project,
            route=route,
            epoch=10 + epoch,
            pos=pos,
            pair=make_pair(project),
            q=q,
            pool_size=pool,
            policy=policy,
        )
        Claim.objects.filter(pk=judgment.claim.pk).update(draw=draw)
        stood[judgment.claim.pair.external_id] = (10 + epoch, route, q, pool, policy or None)
    out = tmp_path / "out"
    export(project, out)
    rows = judgments(out)
    told = {
        row["pair"]: (row["epoch"], row["route"], row["q"], row["pool_size"], row["policy"]) for row in rows
    }
    assert told == stood
    places = sorted((row["epoch"], row["epoch_place"] or 0, row["epoch_pool"] or 0) for row in rows)
    assert places == [(11, 0, 0), (11, 1, 4), (11, 2, 4), (12, 1, 9), (13, 0, 0)]


def test_nothing_in_a_release_tells_who_judged(tmp_path: Path) -> None:
    project = make_project()
    annotator = make_annotator(project, pseudonym="blue-heron-7")
    judgment = judge(make_comparison(make_pair(project)), "response1", annotator)
    pseudonyms = set()
    for name in ("first", "second"):
        export(project, tmp_path / name, "--min-labels", "1")
        (row,) = judgments(tmp_path / name)
        pseudonyms |= {row["annotator"], row["judgment"]}
        assert set(row) & {"created_at", "user", "email"} == set()
        for path in (tmp_path / name).rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert b"blue-heron-7" not in content
                assert str(judgment.pk).encode() not in content
    assert len(pseudonyms) == 4  # not one of them in both releases


def test_rows_of_an_unfinished_import_are_left_out(tmp_path: Path) -> None:
    from annotate.models import DataImport

    project = make_project()
    job = Job.objects.create(kind="import", project=project)
    hidden = DataImport.objects.create(project=project, job=job, spec={})
    judge(make_comparison(make_pair(project, data_import=hidden)), "response1")
    pair = make_pair(project, external_id="seen")
    judge(make_comparison(pair), "response1")
    judge(make_comparison(pair, "Another.", data_import=hidden), "response1")
    export(project, tmp_path / "out", "--min-labels", "1")
    assert [(row["pair"], row["criterion"]) for row in judgments(tmp_path / "out")] == [
        ("seen", "Which answer is better?")
    ]


def test_sources_can_be_chosen(tmp_path: Path) -> None:
    project = make_project()
    for source in ("one", "two"):
        judge(make_comparison(make_pair(project, source=source)), "response1")
    export(project, tmp_path / "out", "--source", "two")
    assert [row["source"] for row in judgments(tmp_path / "out")] == ["two"]
    with pytest.raises(CommandError, match="no pairs of source 'three'"):
        export(project, tmp_path / "other", "--source", "three")
    assert not (tmp_path / "other").exists()


def test_what_happens_after_the_freeze_changes_nothing(tmp_path: Path) -> None:
    project = make_project()
    pair = make_pair(project, partition=Partition.RESERVE)
    criterion = make_criterion(project, "Which is clearer?")
    comparison = make_comparison(pair, criterion)
    judged = [judge(comparison, "response1") for _ in range(2)]
    export(project, tmp_path / "out", "--min-labels", "1")
    judge(comparison, "response2")
    judge(comparison, "response2", supersedes=judged[0])
    criterion.canonical = make_criterion(project, "Something else")
    criterion.save()
    release = Release.objects.get()
    again = tmp_path / "again"
    call_command("export_bench", "--project", project.slug, "--out", str(again), "--release", str(release.pk))
    assert hashes(again) == hashes(tmp_path / "out")
    assert json.loads((again / "MANIFEST.json").read_text()) == json.loads(
        (tmp_path / "out/MANIFEST.json").read_text()
    )


def hashes(directory: Path) -> dict[str, bytes]:
    return {str(path): (directory / path).read_bytes() for path in files.files_in(directory)}


def test_a_directory_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    project = make_project()
    comparison = make_comparison(make_pair(project))
    judge(comparison, "response1")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").write_text("mine")
    with pytest.raises(CommandError, match="holds other files"):
        export(project, tmp_path / "notes")
    export(project, tmp_path / "out")
    export(project, tmp_path / "out")  # the same again: there already
    with pytest.raises(CommandError, match="other options"):
        export(project, tmp_path / "out", "--min-labels", "1")
    judge(comparison, "response1")
    with pytest.raises(CommandError, match="judged or settled since"):
        export(project, tmp_path / "out")
    with pytest.raises(CommandError, match="another project"):
        export(make_project(), tmp_path / "out")
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        call_command("export_bench", "--project", "nowhere", "--out", str(tmp_path / "x"))
    assert Release.objects.count() == 1


def test_an_unfinished_release_goes_on_only_with_the_same_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    judge(make_comparison(make_pair(project)), "response1")
    with monkeypatch.context() as patch:
        patch.setattr("annotate.exports.build.card", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export(project, tmp_path / "out", "--min-labels", "1")
    assert not (tmp_path / "out/MANIFEST.json").exists()
    assert Job.objects.get().state == JobState.FAILED
    with pytest.raises(CommandError, match="other options"):
        export(project, tmp_path / "out", "--min-labels", "2")
    export(project, tmp_path / "out", "--min-labels", "1")
    assert Release.objects.count() == 1
    assert Job.objects.get().state == JobState.DONE


def test_the_manifest_names_every_file(tmp_path: Path) -> None:
    import hashlib

    project = make_project()
    for partition in Partition:
        judge(make_comparison(make_pair(project, partition=partition)), "response1")
    manifest = export(project, tmp_path / "out", "--min-labels", "1")
    there = {
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert there == {entry["path"] for entry in manifest["files"]} | {"MANIFEST.json"}
    for entry in manifest["files"]:
        content = (tmp_path / "out" / entry["path"]).read_bytes()
        assert (entry["size"], entry["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
