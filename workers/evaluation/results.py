"""The folder that an evaluation is written to: results.json, rows.jsonl, report.md and report.html."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from annotate.exports.files import new_file
from workers.evaluation.answers import Answer, Answers, Said
from workers.evaluation.benches import Bench, BenchRow
from workers.evaluation.measures import Measured, compare
from workers.evaluation.protocols import Floats
from workers.evaluation.report import html, markdown

FORMAT = "evenhand-evaluation/1"
RESULTS, ROWS = "results.json", "rows.jsonl"
_NAMES = {1: "response1", -1: "response2", 0: "tie", None: None}


class ResultsError(Exception):
    """A folder that is not what it should be. The message says which and why."""


def check_out(out: Path) -> None:
    """
    Raises:
        ResultsError: it holds something that is no evaluation: nothing is written over.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not out.is_dir():
        raise ResultsError(f"{out} is a file. Give a folder.")
    if not (out / RESULTS).exists():
        raise ResultsError(f"{out} holds something that is no evaluation. Give an empty folder.")
    read_results(out)


def read_results(folder: Path) -> dict[str, Any]:
    """
    Raises:
        ResultsError: the folder holds no results of this version.
    """
    try:
        found = json.loads((folder / RESULTS).read_bytes())
    except FileNotFoundError:
        raise ResultsError(
            f"{folder} holds no {RESULTS}: give the folder that an evaluation was written to."
        ) from None
    except (OSError, ValueError) as error:
        raise ResultsError(f"{folder / RESULTS} cannot be read: {error}.") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ResultsError(f"{folder / RESULTS} is not of the format {FORMAT}.")
    return found


def against(folder: Path, bench: Bench, hits: dict[str, Floats]) -> dict[str, Any]:
    """The paired comparison with an earlier evaluation on the same benchmark.

    Raises:
        ResultsError: it was on another benchmark, or its rows are not there.
    """
    other = read_results(folder)
    if other["bench"]["digest"] != bench.digest:
        raise ResultsError(
            f"{folder} is of another benchmark, or of another version of this one: {other['bench']['name']}"
            f" {other['bench']['digest'][:16]}, and here it is {bench.name} {bench.digest[:16]}."
        )
    kept: dict[str, dict[str, float | None]] = {}
    try:
        with (folder / ROWS).open(encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                kept[row["id"]] = row["hits"]
        others = {
            name: np.array(
                [math.nan if (hit := kept[row.id].get(name)) is None else hit for row in bench.rows]
            )
            for name in hits
            if other["accuracy"].get(name, {}).get("headline")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(
            f"{folder / ROWS} is not the one that was written ({type(error).__name__}: {error})."
        ) from None
    return {
        "title": other["judge"]["title"],
        "at": other["at"],
        "differences": compare(bench.rows, hits, others),
    }


def write(out: Path, results: dict[str, Any], bench: Bench, answers: Answers, measured: Measured) -> None:
    """Write the folder; each file is whole or not there, results.json last."""
    with new_file(out / ROWS) as file:
        for line in _lines(bench.rows, answers.rows, measured.hits):
            file.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")
    for name, content in (
        ("report.md", markdown(results)),
        ("report.html", html(results)),
        (RESULTS, json.dumps(results, ensure_ascii=False, indent=2, allow_nan=False) + "\n"),
    ):
        with new_file(out / name) as file:
            file.write(content.encode())


def _lines(
    rows: Sequence[BenchRow], answers: Sequence[Answer], hits: dict[str, Floats]
) -> Iterator[dict[str, Any]]:
    for place, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        line: dict[str, Any] = {
            "id": row.id,
            "task": row.task,
            "prompt": row.group,
            "label": _NAMES[row.label],
            "hits": {
                name: None if math.isnan(values[place]) else float(values[place])
                for name, values in hits.items()
            },
        }
        for name in ("with_ties", "without_ties"):
            if said := getattr(answer, name):
                line[name] = [_said(one) for one in said]
        if answer.margin is not None:
            line["margin"] = answer.margin
        if answer.p_tie is not None:
            line["p_tie"] = answer.p_tie
        if answer.without:
            line |= {"without": str(answer.without), "detail": answer.detail}
        yield line


def _said(said: Said) -> dict[str, Any]:
    told: dict[str, Any] = {"verdict": _NAMES[said.verdict], "rationale": said.rationale}
    return told | ({"without": str(said.without), "detail": said.detail} if said.without else {})
