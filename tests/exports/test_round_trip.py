"""Evenhand's own format: exported, imported into an empty project and exported again, it is the same but for pseudonyms.

And but for the names of media that metadata was removed from, which are named by what was uploaded: here each stands for
the bytes that the release has of it.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from annotate.exports.raw import pseudonymise
from annotate.imports.digests import pseudonym
from annotate.models import Annotator, Partition, Project, Release, TaskType
from tests.exports.everything import make_everything, release
from tests.factories import judge, make_annotator, make_comparison, make_pair, make_project
from tests.imports.reading import import_files

pytestmark = pytest.mark.django_db
Row = dict[str, Any]


def rows_of(out: Path) -> dict[tuple[str, str], Row]:
    """By source and id: which split a pair is in is decided by the project's secret."""
    found = [
        json.loads(line)
        for path in sorted((out / "evenhand").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    rows = {(row["source"], row["id"]): by_content(row, out / "evenhand/media_data") for row in found}
    assert len(rows) == len(found)
    return rows


def by_content(row: Row, media: Path) -> Row:
    def content(path: str) -> str:
        return hashlib.sha256((media / path).read_bytes()).hexdigest()

    row = {
        name: [content(path) for path in value] if name == "media" else value for name, value in row.items()
    }
    for name in ("response1", "response2"):
        if "media" in row[name]:
            row[name]["media"] = content(row[name]["media"])
    return row


def put_names(row: Row, annotator: dict[tuple[str, str], str], group: dict[str, str]) -> Row:
    """The row under other pseudonyms, with its judgments in the order of these."""
    criteria = [
        {
            **one,
            "judgments": sorted(
                (
                    {**given, "annotator": annotator[row["source"], given["annotator"]]}
                    for given in one["judgments"]
                ),
                key=lambda given: given["annotator"],
            ),
        }
        for one in row["criteria"]
    ]
    return {**row, "criteria": criteria, "group": group[row["group"]]}


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


def test_exported_imported_and_exported_again_it_is_the_same(tmp_path: Path) -> None:
    project = make_everything((Partition.RESERVE, Partition.TRAIN))
    everything_said(project)
    recipe = "formats: [evenhand]\ntrain: {min_judgments: 1, ties: keep}\nbench: {min_judgments: 1}\n"
    recipe += "validation: {min_judgments: 1, ties: keep}\n"
    (tmp_path / "recipe.yaml").write_text(recipe)

    def export(of: Project, name: str) -> dict[tuple[str, str], Row]:
        return rows_of(release(of, tmp_path / name, "--recipe", str(tmp_path / "recipe.yaml")))

    first = export(project, "first")
    # All in one split: which one a pair is in is decided by a secret, and what shares a medium across two is left out.
    other = make_project(task_type=TaskType.OTHER, reserve_share=0, validation_share=0)
    folder = tmp_path / "first/evenhand"
    imported = import_files(other, *sorted(folder.glob("*.jsonl")), media=folder / "media_data")
    assert imported.rows_refused == 0
    call_command("derive_media", "--project", other.slug)  # a mesh is published with its sheet
    second = export(other, "second")
    assert len(first) == 20 and set(second) == set(first)

    # What each pseudonym of the first became: by name of the import, and so by name of the second release.
    key = Release.objects.get(project=other).pseudonym_key
    ids = dict(Annotator.objects.filter(project=other).values_list("pseudonym", "pk"))
    annotator = {
        (row["source"], given["annotator"]): pseudonymise(
            key,
            "annotator",
            ids[pseudonym(other.pseudonym_key, row["source"], given["annotator"])],
        )
        for row in first.values()
        for one in row["criteria"]
        for given in one["judgments"]
    }
    group = {first[name]["group"]: second[name]["group"] for name in first}
    assert len(set(group.values())) == len(group)  # the same pairs stand together
    for name, row in first.items():
        assert json.dumps(second[name]) == json.dumps(put_names(row, annotator, group)), name
