"""Importing files in tests, and what an import has left in the database."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from annotate.actions.imports import start_import
from annotate.actions.jobs import Refused, run_job
from annotate.imports.places import local_file
from annotate.imports.spec import ImportSpec
from annotate.models import (
    Asset,
    Comparison,
    Criterion,
    DataImport,
    Derivative,
    Judgment,
    Pair,
    Project,
    Prompt,
    PromptAsset,
    Response,
    Seat,
    Stream,
)


def spec_of(*paths: Path, media: Path | None = None, **options: Any) -> ImportSpec:
    files = tuple(local_file(path) for path in paths)
    return ImportSpec(files=files, media=local_file(media) if media else None, **options)


def import_files(project: Project, *paths: Path, **options: Any) -> DataImport:
    """Import the files to the end, in this process. Raises what the job raises."""
    data_import = start_import(by=None, project=project, spec=spec_of(*paths, **options), by_hand=True)
    run_job(data_import.job_id, by_hand=True)
    data_import.refresh_from_db()
    assert data_import.visible
    return data_import


def refusal(project: Project, *paths: Path, **options: Any) -> str:
    """Import files that are refused, and return why; nothing of them may be left."""
    try:
        import_files(project, *paths, **options)
    except Refused as error:
        assert_nothing_left(project)
        return str(error)
    raise AssertionError("the import was not refused")


def assert_nothing_left(project: Project) -> None:
    for model in (Prompt, Response, Pair, Criterion, Asset):
        assert not model.objects.filter(project=project).exists(), model
    assert not Comparison.objects.filter(pair__project=project).exists()
    assert not Judgment.objects.filter(annotator__project=project).exists()
    assert not project.annotators.filter(user=None).exists()


def write_json(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text(json.dumps(rows))
    return path


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    return path


def row(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A row of Evenhand's own layout."""
    given = {
        "id": f"r{number}",
        "prompt": f"Question {number}?",
        "response1": f"Answer {number}, one way.",
        "response2": f"Answer {number}, another way.",
        "criteria": ["Which is clearer?"],
    }
    return {**given, **fields}


def labels(*verdicts: str) -> list[dict[str, str]]:
    return [{"annotator": f"person {n}", "verdict": verdict} for n, verdict in enumerate(verdicts, start=1)]


def content(project: Project) -> dict[str, Any]:
    """All that an import decides, without the ids that the database gives: equal for equal imports."""
    pairs = Pair.objects.filter(project=project).select_related(
        "prompt", "response1__asset", "response2__asset", "data_import"
    )
    media = {
        prompt: [bytes(one.asset.sha256).hex() for one in PromptAsset.objects.filter(prompt=prompt)]
        for prompt in {pair.prompt_id for pair in pairs}
    }
    comparisons = Comparison.objects.filter(pair__project=project).select_related("pair", "criterion")
    judgments = Judgment.objects.filter(comparison__pair__project=project).select_related(
        "annotator", "comparison__pair", "comparison__criterion"
    )
    seats = Seat.objects.filter(comparison__pair__project=project).select_related(
        "annotator", "comparison__pair", "comparison__criterion"
    )
    return {
        "pairs": sorted(
            [
                pair.source,
                pair.external_id,
                bytes(pair.digest).hex(),
                pair.task_type,
                pair.prompt.turns,
                media[pair.prompt_id],
                *[_response(one) for one in (pair.response1, pair.response2)],
                pair.sensitive,
                pair.metadata,
                pair.group,
                pair.partition,
                pair.shuffle,
                pair.data_import is None or pair.data_import.visible,
            ]
            for pair in pairs
        ),
        "comparisons": sorted(
            [one.pair.source, one.pair.external_id, one.criterion.text, one.k] for one in comparisons
        ),
        "judgments": sorted(
            [
                *_named(one.comparison),
                one.annotator.pseudonym,
                one.verdict,
                one.strength,
                one.tie_kind,
                one.rationale,
                one.evidence,
            ]
            for one in judgments
        ),
        "seats": sorted(
            [*_named(one.comparison), one.annotator.pseudonym, one.n, one.k, bool(one.head_id)]
            for one in seats
        ),
        "counts": {
            "prompts": Prompt.objects.filter(project=project).count(),
            "responses": Response.objects.filter(project=project).count(),
            "criteria": Criterion.objects.filter(project=project).count(),
            "assets": Asset.objects.filter(project=project).count(),
            "derivatives": Derivative.objects.filter(asset__project=project).count(),
            "annotators": project.annotators.count(),
        },
        "streams": sorted(Stream.objects.filter(project=project).values_list("partition", "total", "queued")),
    }


def _response(one: Response) -> list[Any]:
    sha256 = bytes(one.asset.sha256).hex() if one.asset else None
    return [one.text, sha256, one.model_name, one.metadata]


def _named(comparison: Comparison) -> list[str]:
    return [comparison.pair.source, comparison.pair.external_id, comparison.criterion.text]
