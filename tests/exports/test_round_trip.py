"""Evenhand's own format: exported, imported into an empty project and exported again, it is the same but for pseudonyms."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotate.actions.review import settle
from annotate.exports.round_trip import compare
from annotate.models import AuditEntry, Partition, Project, Role, Ruling, TaskType
from tests.exports.everything import make_everything, release
from tests.factories import judge, make_annotator, make_comparison, make_member, make_pair, make_project

pytestmark = pytest.mark.django_db
Row = dict[str, Any]

RECIPE = """\
formats: [evenhand]
train: {min_judgments: 1, ties: keep}
bench: {min_judgments: 1}
validation: {min_judgments: 1, ties: keep}
"""


def everything_said(project: Project) -> None:
    """Pairs that use all that the layout has a place for."""
    ada, ben = (make_annotator(project) for _ in range(2))
    talk = [
        {"role": "system", "text": "Be brief."},
        {"role": "user", "text": "Hello?"},
        {"role": "assistant", "text": "Yes."},
        {"role": "user", "text": "Why = how?"},
    ]
    for source in ("one", "two"):
        pair = make_pair(
            project,
            task_type=TaskType.TEXT_TO_TEXT,
            prompt=talk,
            response1="",
            source=source,
            external_id="talk",
            sensitive=True,
            metadata={"licence": "MIT", "n": [1, 2.5]},
        )
        comparison = make_comparison(pair, "Which is kinder?", k=5)
        judge(comparison, "response2", ada, strength=3, rationale="Kinder, all in all.\nReally.")
        judge(comparison, "tie", ben, tie_kind="both_bad")
        judge(comparison, "media_broken", broken="response1")
        judge(comparison, "response2")
        judge(make_comparison(pair, "Which is longer?"), "response1", ada)


def export(project: Project, out: Path) -> Path:
    (out.parent / "recipe.yaml").write_text(RECIPE)
    return release(project, out, "--recipe", str(out.parent / "recipe.yaml"))


def checked(out: Path) -> str:
    said = io.StringIO()
    call_command("self_check", str(out), stdout=said)
    return said.getvalue()


def test_exported_imported_and_exported_again_it_is_the_same(tmp_path: Path) -> None:
    project = make_everything((Partition.RESERVE, Partition.TRAIN))
    everything_said(project)
    out = export(project, tmp_path / "out")
    assert "comes back as it was: 20 pairs, equal but for pseudonyms." in checked(out)
    # Nothing is left of the project that it was tried in, but that it was.
    assert set(Project.objects.values_list("slug", flat=True)) == {project.slug}
    assert AuditEntry.objects.filter(deed="erase demo project").count() == 1
    # What a killed one left is taken away by the next.
    assert "20 pairs" in checked(out)


def test_what_reviewers_settled_is_not_compared_and_that_is_said(tmp_path: Path) -> None:
    project = make_project(k=1, reserve_k=1)
    comparison = make_comparison(make_pair(project), k=2)
    for verdict in ("response1", "response2"):
        judge(comparison, verdict)
    settle(
        by=make_member(project, Role.REVIEWER),
        project=project,
        comparison_id=comparison.pk,
        verdict=Ruling.RESPONSE2,
        reason="It is.",
        seen=None,
    )
    judge(make_comparison(comparison.pair, "Which is kinder?", k=1), "response1")
    said = checked(export(project, tmp_path / "out"))
    assert "1 pairs" in said and "1 comparisons were not compared" in said


def test_a_release_without_rows_of_ours_and_what_is_no_release_are_refused(tmp_path: Path) -> None:
    project = make_project(k=1)
    judge(make_comparison(make_pair(project), k=1), "response1")
    with pytest.raises(CommandError, match="export it with `evenhand` among its formats"):
        checked(release(project, tmp_path / "out"))
    with pytest.raises(CommandError, match=r"has no MANIFEST\.json"):
        checked(tmp_path)


class Same:
    def of(self, source: str, annotator: str) -> str:
        return annotator


def row(name: str, **fields: Any) -> Row:
    judgments = [{"annotator": "a", "verdict": "response1"}, {"annotator": "b", "verdict": "tie"}]
    judgments.append({"annotator": "c", "verdict": "response1"})
    made: Row = {
        "id": name,
        "source": "s",
        "prompt": [{"role": "user", "text": "Why?"}],
        "response1": {"text": "So."},
        "response2": {"text": "Therefore.", "media": "image/x.png"},
        "criteria": [{"text": "It is true.", "k": 3, "judgments": judgments}],
        "group": f"group of {name}",
    }
    return made | fields


def written(folder: Path, rows: list[Row], picture: bytes = b"x") -> Path:
    (folder / "media_data/image").mkdir(parents=True)
    (folder / "media_data/image/x.png").write_bytes(picture)
    (folder / "text_to_text-train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    return folder


def renamed(rows: list[Row]) -> None:
    for one in rows:
        one["group"] = one["group"].upper()


def judged_otherwise(rows: list[Row]) -> None:
    rows[1]["criteria"][0]["judgments"][1]["verdict"] = "response2"


def lost(rows: list[Row]) -> None:
    del rows[1]


def another(rows: list[Row]) -> None:
    rows.append(row("more"))


def torn_apart(rows: list[Row]) -> None:
    rows[0]["group"], rows[1]["group"] = "one", "other"


def joined(rows: list[Row]) -> None:
    rows[2]["group"] = rows[1]["group"]


def relicensed(rows: list[Row]) -> None:
    rows[0]["metadata"] = {"licence": "MIT"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (renamed, ""),
        (
            judged_otherwise,
            'text_to_text-train.jsonl, line 2, s/b: criteria[0].judgments[1].verdict is "tie", and "response2" in the',
        ),
        (lost, "text_to_text-train.jsonl, line 2: s/b is not in the second export"),
        (another, "the second export has s/more (text_to_text-train.jsonl, line 4), the first does not"),
        (torn_apart, "line 2, s/b: stands in another prompt group than the pairs that it stood with"),
        (joined, "line 3, s/c: stands in another prompt group than the pairs that it stood with"),
        (relicensed, "line 1, s/a: metadata is in the second export alone"),
    ],
)
def test_the_first_difference_is_told(tmp_path: Path, change: Callable[[list[Row]], None], said: str) -> None:
    rows = [row("a", group="pair"), row("b", group="pair"), row("c")]
    first = written(tmp_path / "first", rows)
    change(rows)
    found = compare(first, written(tmp_path / "second", rows), Same())
    assert said in found.difference and bool(found.difference) == bool(said)
    assert (found.rows, found.unlabelled) == (3, 0)


def test_media_are_compared_by_their_bytes(tmp_path: Path) -> None:
    first = written(tmp_path / "first", [row("a")])
    found = compare(first, written(tmp_path / "second", [row("a")], picture=b"y"), Same())
    assert "line 1, s/a: response2.media is" in found.difference
