"""The record type that every format is turned into, and the errors that name a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotate.actions.jobs import Refused
from annotate.actions.pools import Asks
from annotate.models import Modality


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: the file by its number in the import, the row as the file's format counts it."""

    file: int
    row: int


class RowError(Exception):
    """One row cannot be taken. `field` names the column or key, `problem` says how to mend it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field
        self.problem = problem


class FileError(Refused):
    """The file as a whole cannot be read any further: nothing of it is taken."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as its file holds it. `problem` is set where the row could be told apart but not read."""

    number: int
    values: Mapping[str, Any]
    problem: RowError | None = None


@dataclass(frozen=True, slots=True)
class MediaRef:
    """A media file by its path below the media root, or by its bytes where the row carries them."""

    field: str
    path: str = ""
    data: bytes | None = None
    expects: Modality | None = None


@dataclass(slots=True)  # a frozen one takes three times as long to make
class Side:
    """One response of a row."""

    text: str = ""
    media: MediaRef | None = None
    model: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Label:
    """One person's verdict on one criterion, as the file tells it. `annotator` never reaches the database."""

    annotator: str
    verdict: str
    strength: int | None = None
    tie_kind: str = ""
    broken: str = ""
    rationale: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """What the answer is known to be, why, and for what it is known (KnownKind). `field`: where the row says so."""

    verdict: str
    note: str
    kind: str
    field: str


@dataclass(frozen=True, slots=True)
class AskedCriterion:
    """A criterion that the row judges by, with the labels and the known answer it brings. `k` None: as the project wants.

    `objective`: where it is a new criterion, it has one right answer.
    """

    text: str
    k: int | None = None
    labels: tuple[Label, ...] = ()
    known: KnownAnswer | None = None
    objective: bool = False


_NOTHING = Asks()


@dataclass(slots=True)
class PairRow:
    """One row, checked. Several rows may name one pair: each adds its criteria."""

    place: Place
    source: str
    external_id: str
    task_type: str
    turns: tuple[tuple[str, str], ...]  # (role, text)
    media: tuple[MediaRef, ...]
    response1: Side
    response2: Side
    criteria: tuple[AskedCriterion, ...] = ()
    asked: Asks = _NOTHING  # of the people who judge it
    group: str | None = None
    sensitive: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)

    def media_refs(self) -> list[MediaRef]:
        """Every media file of the row: the prompt's, then the responses'."""
        sides = [side.media for side in (self.response1, self.response2) if side.media]
        return [*self.media, *sides]
