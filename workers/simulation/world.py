"""Answers that are known, as arrays: what a campaign is played with."""

from dataclasses import dataclass

import numpy as np

from annotate.models import Pair, Partition, Project, TaskType
from workers.items import compared
from workers.reward_models.base import Verdicts
from workers.reward_models.builtin import Described, Part, describe
from workers.reward_models.features.cache import FeatureCache
from workers.reward_models.head import Differences

Ints = np.ndarray


@dataclass(frozen=True)
class World:
    """Comparisons in the order of (pair, criterion), each with its verdict: 1 the first side, -1 the second, 0 a tie."""

    pair: Ints  # a number each, those of a pair together, in the order that pairs have in the queue's pool
    criterion: Ints
    task: Ints  # of each comparison's pair: place in TaskType.values
    shuffle: Ints  # of each comparison's pair: the order of draws by chance
    tested: np.ndarray  # of each comparison: it is kept for testing
    group: Ints  # prompt group, for intervals
    verdict: Verdicts
    described: Described

    def __len__(self) -> int:
        return len(self.pair)


def world_of(project: Project, verdicts: dict[tuple[int, int], int], cache: FeatureCache) -> World:
    """The project's train pairs and those of its reserve, with verdicts by (pair, criterion) ids."""
    units = sorted(verdicts)
    pairs = Pair.objects.filter(project=project).in_bulk([pair for pair, _ in units])
    rows = [pairs[pair] for pair, _ in units]
    return World(
        pair=np.array([pair for pair, _ in units], dtype=np.int64),
        criterion=np.array([criterion for _, criterion in units], dtype=np.int64),
        task=np.array([TaskType.values.index(row.task_type) for row in rows]),
        shuffle=np.array([row.shuffle for row in rows], dtype=np.int64),
        tested=np.array([row.partition == Partition.RESERVE for row in rows]),
        group=np.array([row.group for row in rows], dtype=np.int64),
        verdict=np.array([verdicts[unit] for unit in units], dtype=np.int8),
        described=describe(compared(units), cache),
    )


def part_of(described: Described, rows: Ints) -> Described:
    """Some of the described items, in their order."""
    place = np.full(len(described.place), -1, dtype=np.intp)
    place[rows] = np.arange(len(rows))
    parts = {}
    for form, part in described.parts.items():
        kept = place[part.rows] >= 0
        if kept.any():
            differences = Differences(part.differences.named[kept], part.differences.said[kept])
            where = place[part.rows[kept]]
            order = np.argsort(where)
            parts[form] = Part(where[order], Differences(differences.named[order], differences.said[order]))
    names, codes = np.unique(described.place[rows], return_inverse=True)
    return Described(
        [described.criteria[n] for n in names], described.vectors[names], codes.astype(np.intp), parts
    )
