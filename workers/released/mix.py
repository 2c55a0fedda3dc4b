"""Which rows of a release are trained on, and how often: general pairs and instruction-tuning pairs by recipe.

General pairs are judged as a whole; instruction-tuning pairs by a criterion of their own, as Omni-RewardData has both.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from workers.released.rows import Row
from workers.reward_models.settings import SettingsError

GENERAL, INSTRUCTION = "general", "instruction"
_MOST = 100


@dataclass(frozen=True)
class Mix:
    """
    Attributes:
        weights: by subset, else by kind (`general`, `instruction`): how often its rows are taken. 0 leaves them out, 0.5
            takes half of them, 2 each twice. What is not named is taken once.
        most: of one subset, before its weight; 0: all.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    most: int = 0

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """
        Raises:
            SettingsError: naming the field.
        """
        if not isinstance(values, Mapping):
            raise SettingsError("mix: must be a mapping of weights by subset, general and instruction")
        weights = dict(values)
        most = weights.pop("most", 0)
        if isinstance(most, bool) or not isinstance(most, int) or most < 0:
            raise SettingsError(f"mix.most: is {most!r:.60}; must be a whole number of rows, 0 for all")
        for name, weight in weights.items():
            number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
            if not number or not 0 <= weight <= _MOST:
                raise SettingsError(f"mix.{name}: is {weight!r:.60}; must be a number from 0 to {_MOST}")
        return cls({str(name): float(weight) for name, weight in weights.items()}, most)

    def as_json(self) -> dict[str, float]:
        return {**self.weights, "most": self.most}

    def weight(self, row: Row) -> float:
        kind = GENERAL if row.general else INSTRUCTION
        return self.weights.get(row.subset, self.weights.get(kind, 1.0))


def mixed(rows: Sequence[Row], mix: Mix, seed: int = 0) -> list[Row]:
    """The rows in their order, each as often as its weight says. Which of them are left out hangs on their ids and the
    seed: with more weight, those that were taken stay.

    Raises:
        SettingsError: the mix names a subset that is not there, or leaves nothing.
    """
    present = {row.subset for row in rows}
    if strange := sorted(set(mix.weights) - present - {GENERAL, INSTRUCTION}):
        named = ", ".join(sorted(filter(None, present))) or "none with a name"
        raise SettingsError(f"mix.{strange[0]}: the release has no such subset. There are: {named}")
    by_chance = sorted(range(len(rows)), key=lambda n: _hash(rows[n], seed))
    taken: dict[str, int] = {}
    alike: dict[tuple[str, bool], list[int]] = {}
    for n in by_chance:
        row = rows[n]
        taken[row.subset] = taken.get(row.subset, 0) + 1
        if not mix.most or taken[row.subset] <= mix.most:
            alike.setdefault((row.subset, row.general), []).append(n)
    copies = [0] * len(rows)
    for places in alike.values():
        whole, part = divmod(mix.weight(rows[places[0]]), 1)
        once_more = round(part * len(places))
        for rank, n in enumerate(places):
            copies[n] = int(whole) + (rank < once_more)
    found = [row for n, row in enumerate(rows) for _ in range(copies[n])]
    if not found:
        raise SettingsError("mix: leaves no row to train on")
    return found


def _hash(row: Row, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{row.row.id}".encode()).digest()
