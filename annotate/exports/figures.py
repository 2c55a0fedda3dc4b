"""What a card tells of how a release came about: where the responses stood, who judged, where the pairs are from."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from annotate.models import Release, Standing
from annotate.stats.estimates import Estimate, share

# All frozen judgments, those alike together.
_JUDGED = """
SELECT c.task_type, f.standing, j.annotator_id, l.flip, j.verdict, count(*)
FROM annotate_frozencomparison c
JOIN annotate_frozenjudgment f ON f.comparison_id = c.id
JOIN annotate_judgment j ON j.id = f.judgment_id
LEFT JOIN annotate_claim l ON l.id = j.claim_id
WHERE c.release_id = %s GROUP BY 1, 2, 3, 4, 5
"""
# What importers kept of a licence under either spelling.
_SOURCES = """
SELECT p.source, count(*), COALESCE(array_agg(DISTINCT said.licence) FILTER (WHERE said.licence IS NOT NULL), '{}')
FROM annotate_pair p
CROSS JOIN LATERAL (SELECT COALESCE(p.metadata ->> 'licence', p.metadata ->> 'license') AS licence) said
WHERE p.id IN (SELECT pair_id FROM annotate_frozencomparison WHERE release_id = %s)
GROUP BY 1 ORDER BY p.source COLLATE "C"
"""
_LANGUAGES = """
SELECT DISTINCT n.language FROM annotate_pair p JOIN annotate_need n ON n.id = p.need_id
WHERE n.language <> '' AND p.id IN (SELECT pair_id FROM annotate_frozencomparison WHERE release_id = %s)
"""


@dataclass(frozen=True)
class Position:
    """Counted judgments of one task type, by which response stood first (on side A)."""

    shown: int  # of which it is known
    response1_first: int
    for_first: int  # verdicts for the response that stood first
    for_second: int

    @property
    def balance(self) -> Estimate:
        """How often response1 stood first: half of the time, by the design."""
        return share(self.response1_first, self.shown, "Of no judgment is it known what stood first.")

    @property
    def bias(self) -> Estimate:
        """How many of the verdicts for a side are for the first: half of them, if position played no part."""
        return share(self.for_first, self.for_first + self.for_second, "No verdict is for a side.")


@dataclass(frozen=True)
class Source:
    pairs: int
    licences: tuple[str, ...]  # that its rows were imported with


@dataclass(frozen=True)
class Figures:
    """Over everything that was frozen, whether or not it is in a row."""

    standings: Mapping[str, int] = field(default_factory=dict)  # judgments, by how they stood
    positions: Mapping[str, Position] = field(default_factory=dict)  # by task type
    annotators: int = 0
    counted: int = 0  # judgments
    median: int = 0  # counted judgments of an annotator
    most: int = 0
    sources: Mapping[str, Source] = field(default_factory=dict)
    languages: tuple[str, ...] = ()  # that pairs say they are in

    def licence(self, source: str, declared: Mapping[str, str]) -> str:
        """What the recipe declares of a source, else what its rows were imported with."""
        return declared.get(source) or ", ".join(self.sources[source].licences) or "unknown: nobody said"

    def as_json(self, declared: Mapping[str, str]) -> dict[str, Any]:
        return {
            "position": {
                task: {
                    "shown": one.shown,
                    "response1_first": one.balance.as_json(),
                    "for_the_first": one.bias.as_json(),
                }
                for task, one in self.positions.items()
            },
            "annotators": {
                "annotators": self.annotators,
                "counted_judgments": self.counted,
                "median": self.median,
                "most": self.most,
            },
            "sources": {
                name: {"pairs": source.pairs, "licence": self.licence(name, declared)}
                for name, source in self.sources.items()
            },
        }


def figures_of(release: Release) -> Figures:
    standings, by_annotator = Counter[str](), Counter[int]()
    counts: dict[str, list[int]] = {}
    for task_type, standing, annotator, flip, verdict, count in _rows(_JUDGED, release):
        standings[standing] += count
        if standing != Standing.COUNTED:
            continue
        by_annotator[annotator] += count
        position = counts.setdefault(task_type, [0, 0, 0, 0])
        if flip is not None:
            first, second = ("response2", "response1") if flip else ("response1", "response2")
            for place, holds in enumerate((True, not flip, verdict == first, verdict == second)):
                position[place] += count * holds
    numbers = sorted(by_annotator.values())
    return Figures(
        standings=standings,
        positions={task: Position(*found) for task, found in sorted(counts.items())},
        annotators=len(numbers),
        counted=sum(numbers),
        median=numbers[(len(numbers) - 1) // 2] if numbers else 0,  # of two in the middle the lower
        most=numbers[-1] if numbers else 0,
        sources={
            name: Source(pairs, tuple(sorted(licences))) for name, pairs, licences in _rows(_SOURCES, release)
        },
        languages=tuple(sorted(language for (language,) in _rows(_LANGUAGES, release))),
    )


def _rows(query: str, release: Release) -> Iterable[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, [release.pk])
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def half_width(rate: float, of: int) -> float | None:
    """Half the width of the 95 % interval (Wilson's) around an accuracy of `rate` that `of` rows allow, in points."""
    found = share(rate * of, of)
    return None if found.low is None or found.high is None else 50 * (found.high - found.low)
