"""Evenhand's own layout, which its import reads: a pair a line, with its criteria and every counted judgment of them.

Annotators and prompt groups stand under pseudonyms of the release. Import such a file into an empty project and export that,
and the same rows come out, but for those pseudonyms.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from django.db import connection

from annotate.exports.formats.base import Format, Kind, Output, Writing, write_lines
from annotate.exports.media import MediaFolder
from annotate.exports.pseudonyms import pseudonymise
from annotate.exports.records import BATCH, Record, Side
from annotate.stats.labels import Origin

_PAIRS = """
SELECT p.id, p."group", p.sensitive, p.metadata, n.language, n.expertise, n.any_of, r1.metadata, r2.metadata
FROM annotate_pair p
JOIN annotate_need n ON n.id = p.need_id
JOIN annotate_response r1 ON r1.id = p.response1_id
JOIN annotate_response r2 ON r2.id = p.response2_id
WHERE p.id = ANY (%s)
"""
_JUDGMENTS = """
SELECT f.comparison_id, j.annotator_id, j.verdict, j.strength, j.tie_kind, j.broken, j.rationale
FROM annotate_frozenjudgment f JOIN annotate_judgment j ON j.id = f.judgment_id
WHERE f.comparison_id = ANY (%s) AND f.standing = 'counted'
"""
# Of the criterion that a comparison counts as; merged ones may have been asked under others alone.
_WANTED = """
SELECT f.id, c.k FROM annotate_frozencomparison f
JOIN annotate_comparison c ON c.pair_id = f.pair_id AND c.criterion_id = f.criterion_id
WHERE f.id = ANY (%s)
"""
_LABEL = ("verdict", "strength", "tie_kind", "broken", "rationale")


class Evenhand(Format):
    says = (
        "the labelled pairs in Evenhand's own layout, each with its criteria and the counted judgments of them: what"
        " `import_pairs` reads, media below `media_data/`. What reviewers settled is not in it, nor what models say of"
        " criteria that they wrote: neither is a judgment."
    )
    of_models = False

    def outputs(self, kind: Kind) -> Iterator[Output]:
        yield Output(f"{kind.stem}.jsonl", kind.parts, _write)


def _write(path: Path, records: Iterable[Record], writing: Writing) -> None:
    rows = _rows((record for record in records if record.origin != Origin.MODEL), writing)
    write_lines(path, (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _rows(records: Iterable[Record], writing: Writing) -> Iterator[dict[str, Any]]:
    # Records of one pair stand together: a release's order is that of pairs.
    pairs = (list(together) for _, together in groupby(records, key=lambda record: record.pair))
    while batch := list(islice(pairs, BATCH)):
        about, asked = _pairs([pair[0].pair for pair in batch]), _asked(batch, writing)
        for pair in batch:
            yield _row(pair, about[pair[0].pair], asked, writing)


def _pairs(ids: list[int]) -> dict[int, tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, [ids])
        return {row[0]: row[1:] for row in cursor.fetchall()}


def _asked(batch: list[list[Record]], writing: Writing) -> dict[int, dict[str, Any]]:
    """By comparison what was asked and how it was judged."""
    key = writing.release.pseudonym_key
    records = {record.number: record for pair in batch for record in pair}
    with connection.cursor() as cursor:
        cursor.execute(_JUDGMENTS, [list(records)])
        given: dict[int, list[dict[str, Any]]] = {number: [] for number in records}
        for number, annotator, *label in cursor.fetchall():
            told = {name: value for name, value in zip(_LABEL, label, strict=True) if value not in (None, "")}
            given[number].append({"annotator": pseudonymise(key, "annotator", annotator), **told})
        cursor.execute(_WANTED, [list(records)])
        wanted = dict(cursor.fetchall())
    return {
        number: {
            "text": record.criterion,
            "k": max(wanted.get(number, 1), len(given[number])),
            "judgments": sorted(given[number], key=lambda label: label["annotator"]),
        }
        for number, record in records.items()
    }


def _row(
    pair: list[Record], about: tuple[Any, ...], asked: dict[int, dict[str, Any]], writing: Writing
) -> dict[str, Any]:
    group, sensitive, metadata, language, expertise, any_of, *of_responses = about
    first, media = pair[0], writing.media
    responses = [
        _response(side, json.loads(stored), media)
        for side, stored in zip((first.response1, first.response2), of_responses, strict=True)
    ]
    row = {
        "id": first.external_id,
        "source": first.source,
        "task_type": first.task_type,
        "prompt": first.turns,
        "media": [_put(media, medium) for medium in first.media],
        "response1": responses[0],
        "response2": responses[1],
        # By their texts: the order of a release is that of criteria's ids, which an import gives anew.
        "criteria": sorted((asked[record.number] for record in pair), key=lambda one: one["text"]),
        "group": pseudonymise(writing.release.pseudonym_key, "group", group),
        "sensitive": sensitive,
        "metadata": json.loads(metadata),
        "language": language,
        "expertise": {"any": expertise} if any_of else expertise,
    }
    return {name: value for name, value in row.items() if value not in ("", [], {}, False)}


def _response(side: Side, metadata: dict[str, Any], media: MediaFolder) -> dict[str, Any]:
    told = {"text": side.text, "model": side.model, "metadata": metadata}
    if side.medium:
        told["media"] = _put(media, side.medium)
    kept = {name: value for name, value in told.items() if value not in ("", {})}
    return kept if "media" in kept else {"text": side.text, **kept}


def _put(media: MediaFolder, medium: Any) -> str:
    path: str = media.put(medium)
    return path


FORMAT = Evenhand()
