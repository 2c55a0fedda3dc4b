"""What reviewers settled in a release: where each label comes from, and people's verdicts untouched beside it."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from annotate.actions.moderation import merge_criteria
from annotate.actions.review import settle
from annotate.actions.withdrawal import withdraw_annotator
from annotate.models import Comparison, Partition, Project, Release, Resolution, Role, Ruling, User
from annotate.stats.labels import USABLE, Label, Origin, Settled, final_label
from tests.exports.test_release import bench_rows, export, judgments
from tests.factories import judge, make_comparison, make_criterion, make_member, make_pair, make_project

pytestmark = pytest.mark.django_db


def judged(project: Project, name: str, verdicts: list[str], **fields: Any) -> Comparison:
    given = {"partition": Partition.RESERVE, "external_id": name} | fields
    comparison = make_comparison(make_pair(project, **given), "Which is kinder?")
    for verdict in verdicts:
        judge(comparison, verdict)
    return comparison


def decide(by: User, comparison: Comparison, verdict: Ruling) -> Resolution:
    head = Resolution.objects.filter(comparison=comparison, superseded_by__isnull=True).first()
    return settle(
        by=by,
        project=comparison.pair.project,
        comparison_id=comparison.pk,
        verdict=verdict,
        reason="It is.",
        seen=head.pk if head else None,
    )


def labels(out: Path) -> dict[str, dict[str, Any]]:
    rows = [row for path in sorted(out.glob("labels/labels-*")) for row in pq.read_table(path).to_pylist()]
    return {row["pair"]: row for row in rows}


def raw(out: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(out.glob("raw/judgments-*")) for row in pq.read_table(path).to_pylist()]


@pytest.fixture
def project() -> Project:
    """Comparisons that were settled, reopened, settled twice, and not at all."""
    project = make_project(slug="settled")
    one, other = make_member(project, Role.REVIEWER), make_member(project, Role.MANAGER)
    judged(project, "people", ["response1", "response1", "tie"])
    split = judged(project, "split", ["response1", "response2", "cannot_tell"])
    for reviewer in (one, other, one):
        decide(reviewer, split, Ruling.RESPONSE2)
    overruled = judged(project, "overruled", ["response1", "response1", "response2"])
    decide(one, overruled, Ruling.RESPONSE2)
    decide(other, overruled, Ruling.TIE)
    reopened = judged(project, "reopened", ["response1", "response1", "response2"])
    decide(one, reopened, Ruling.TIE)
    decide(other, reopened, Ruling.REOPENED)
    nobody = judged(project, "nobody", ["response1", "response1", "response2"])
    decide(one, nobody, Ruling.CANNOT_TELL)
    few = judged(project, "few", ["response2"])
    decide(one, few, Ruling.RESPONSE2)
    judged(project, "unjudged", [])
    return project


def test_a_label_says_where_it_comes_from(project: Project, tmp_path: Path) -> None:
    manifest = export(project, tmp_path / "out")
    found = {
        name: (row["label"], row["origin"], row["reviewers"], row["settled"], row["label_of_people"])
        for name, row in labels(tmp_path / "out").items()
    }
    assert found == {
        "people": ("response1", "people", 0, None, "response1"),
        "split": ("response2", "settled", 2, "response2", None),
        "overruled": ("tie", "settled", 1, "tie", "response1"),
        "reopened": ("response1", "people", 0, None, "response1"),
        "nobody": (None, "settled", 1, "cannot_tell", "response1"),
        "few": ("response2", "settled", 1, "response2", None),
    }
    row = labels(tmp_path / "out")["split"]
    assert [row[name] for name in ("response1", "response2", "tie", "cannot_tell")] == [1, 1, 0, 1]
    bench = {row["id"]: row["criteria_preference"] for row in bench_rows(tmp_path / "out")}
    assert bench == {row["id"]: row["label"] for row in labels(tmp_path / "out").values() if row["label"]}
    counts = manifest["counts"]["bench"]["text_to_text"]
    assert counts["labels"] == {"response1": 2, "response2": 2, "tie": 1}
    assert counts["excluded"] == {"nobody_can_tell": 1, "too_few": 1}
    assert counts["review"] == {"settled": 3, "other_than_people": 1}
    card = (tmp_path / "out/README.md").read_text()
    assert "| reserve | text_to_text | 3 | 1 |" in card and "config_name: labels" in card
    assert "what they decided is its label" in card


def test_the_recipe_leaves_settled_ones_out_or_ignores_them(project: Project, tmp_path: Path) -> None:
    export(project, tmp_path / "use")
    left = export(project, tmp_path / "left", "--settled", "leave_out")
    ignored = export(project, tmp_path / "ignored", "--settled", "ignore")
    assert {row["id"].split("/")[1] for row in bench_rows(tmp_path / "left")} == {"people", "reopened"}
    assert left["counts"]["bench"]["text_to_text"]["excluded"] == {"settled": 4, "too_few": 1}
    assert {
        row["id"].split("/")[1]: row["criteria_preference"] for row in bench_rows(tmp_path / "ignored")
    } == {
        "people": "response1",
        "overruled": "response1",
        "reopened": "response1",
        "nobody": "response1",
    }
    assert "review" not in ignored["counts"]["bench"]["text_to_text"]
    found = labels(tmp_path / "ignored")["overruled"]
    assert (found["label"], found["origin"], found["settled"]) == ("response1", "people", "tie")
    # Whatever the recipe, judgments are released as they were given.
    told = [
        sorted((row["pair"], row["verdict"], row["standing"]) for row in raw(tmp_path / name))
        for name in ("use", "left", "ignored")
    ]
    assert told[0] == told[1] == told[2] and len(told[0]) == 16


def test_what_is_decided_after_the_freeze_changes_nothing(project: Project, tmp_path: Path) -> None:
    first = export(project, tmp_path / "first")
    release = Release.objects.get()
    comparison = Comparison.objects.get(pair__external_id="overruled")
    reviewer = Resolution.objects.filter(comparison=comparison).latest("pk").reviewer
    assert reviewer and reviewer.user
    decide(reviewer.user, comparison, Ruling.RESPONSE1)
    withdraw_annotator(by=None, annotator=reviewer)
    call_command(
        "export_bench",
        "--project",
        project.slug,
        "--out",
        str(tmp_path / "again"),
        "--release",
        str(release.pk),
    )
    again = labels(tmp_path / "again")
    assert again == labels(tmp_path / "first") and again["overruled"]["label"] == "tie"
    sums = {file["path"]: file["sha256"] for file in first["files"]}
    import json

    for file in json.loads((tmp_path / "again/MANIFEST.json").read_text())["files"]:
        assert sums[file["path"]] == file["sha256"], file["path"]
    with pytest.raises(CommandError, match="judged or settled since"):
        export(project, tmp_path / "first")


def test_who_withdrew_still_counts_as_one_who_decided(project: Project, tmp_path: Path) -> None:
    comparison = Comparison.objects.get(pair__external_id="few")
    reviewer = Resolution.objects.get(comparison=comparison).reviewer
    assert reviewer
    withdraw_annotator(by=None, annotator=reviewer)
    export(project, tmp_path / "out")
    found = labels(tmp_path / "out")
    assert (found["few"]["label"], found["few"]["reviewers"]) == ("response2", 1)
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            assert reviewer.pseudonym.encode() not in path.read_bytes(), path


def test_of_merged_criteria_the_canonical_decision_counts(tmp_path: Path) -> None:
    project = make_project()
    me = make_member(project, Role.REVIEWER)
    canonical = judged(project, "row", ["response1", "response1", "response1"])
    twin = make_comparison(canonical.pair, "Which is more kind?")
    for _ in range(3):
        judge(twin, "tie")
    duplicate = make_criterion(project, "Which is more kind?")
    merge_criteria(by=None, duplicate=duplicate, into=canonical.criterion)
    decide(me, twin, Ruling.RESPONSE2)
    export(project, tmp_path / "one")
    assert labels(tmp_path / "one")["row"]["label"] == "response2"
    decide(me, canonical, Ruling.TIE)
    decide(me, twin, Ruling.RESPONSE1)
    export(project, tmp_path / "two")
    assert labels(tmp_path / "two")["row"]["label"] == "tie"
    assert len(judgments(tmp_path / "two")) > 0


@pytest.mark.parametrize("how", Settled)
@pytest.mark.parametrize("settled", ["", "response1", "tie", "cannot_tell"])
@pytest.mark.parametrize("people", Label)
def test_the_rule(people: Label, settled: str, how: Settled) -> None:
    label, origin = final_label(people, settled, how)
    if not settled or how == Settled.IGNORE:
        assert (label, origin) == (people, Origin.PEOPLE)
    else:
        assert origin == Origin.SETTLED
        assert (label in USABLE) == (how == Settled.USE and settled != "cannot_tell")
