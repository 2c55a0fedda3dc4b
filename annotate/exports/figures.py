"""What a card tells of how a release came about: where the responses stood, who judged, where the pairs are from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from annotate.models import Release
from annotate.stats.estimates import Estimate, share

_POSITIONS = """
SELECT c.task_type,
       count(*) FILTER (WHERE l.flip IS NOT NULL),
       count(*) FILTER (WHERE NOT l.flip),
       count(*) FILTER (WHERE j.verdict = CASE WHEN l.flip THEN 'response2' ELSE 'response1' END AND l.flip IS NOT NULL),
       count(*) FILTER (WHERE j.verdict = CASE WHEN l.flip THEN 'response1' ELSE 'response2' END AND l.flip IS NOT NULL)
FROM annotate_frozencomparison c
JOIN annotate_frozenjudgment f ON f.comparison_id = c.id AND f.standing = 'counted'
JOIN annotate_judgment j ON j.id = f.judgment_id
LEFT JOIN annotate_claim l ON l.id = j.claim_id
WHERE c.release_id = %s GROUP BY 1 ORDER BY 1
"""
_POOL = """
SELECT count(*), sum(n), percentile_disc(0.5) WITHIN GROUP (ORDER BY n), max(n)
FROM (SELECT count(*) AS n FROM annotate_frozencomparison c
      JOIN annotate_frozenjudgment f ON f.comparison_id = c.id AND f.standing = 'counted'
      JOIN annotate_judgment j ON j.id = f.judgment_id
      WHERE c.release_id = %s GROUP BY j.annotator_id) by_annotator
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
    ((annotators, counted, median, most),) = _rows(_POOL, release)
    return Figures(
        positions={task: Position(*counts) for task, *counts in _rows(_POSITIONS, release)},
        annotators=annotators,
        counted=int(counted or 0),
        median=median or 0,
        most=most or 0,
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
