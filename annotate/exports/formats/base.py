"""What a format is: which rows it has a place for, into which files it writes them, and how.

Everything is written from Records, lazily and in their order, so that the same frozen rows give the same bytes.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from annotate.exports.files import new_file
from annotate.exports.media import MediaFolder
from annotate.exports.recipe import Recipe, Ties
from annotate.exports.records import Part, Record, Side
from annotate.models import Partition, Release, TaskType
from annotate.stats.labels import Label

# What other tools call the partitions.
SPLITS = {Partition.RESERVE: "test", Partition.VALIDATION: "validation", Partition.TRAIN: "train"}


@dataclass(frozen=True)
class Kind:
    """The rows of one task type and partition, in parts that are not too large for one file."""

    task_type: str
    partition: str
    parts: list[Part]

    @property
    def split(self) -> str:
        return SPLITS[Partition(self.partition)]

    @property
    def stem(self) -> str:
        """The name of a file that holds them all."""
        return f"{self.task_type}-{self.split}"


@dataclass(frozen=True)
class Writing:
    """What writers need besides rows: the release, its recipe, and the folder that the format's media lie in."""

    release: Release
    recipe: Recipe
    media: MediaFolder

    def sided(self, records: Iterable[Record]) -> "Iterator[Sided]":
        """Each record with its chosen and rejected response; ties as the recipe says for their part."""
        for record in records:
            if record.label != Label.TIE:
                sides = (record.response1, record.response2)
                chosen, rejected = sides if record.label == Label.RESPONSE1 else reversed(sides)
                yield Sided(record, record.id, chosen, rejected)
            elif self.recipe.mix(record.partition).ties == Ties.BOTH:
                yield Sided(record, f"{record.id}/1", record.response1, record.response2)
                yield Sided(record, f"{record.id}/2", record.response2, record.response1)


@dataclass(frozen=True)
class Sided:
    """A row that has a chosen and a rejected response."""

    record: Record
    id: str
    chosen: Side
    rejected: Side


Write = Callable[[Path, Iterable[Record], Writing], None]


@dataclass(frozen=True)
class Output:
    """One file of rows, by its path in the format's folder."""

    path: str
    parts: list[Part]
    write: Write


class Format(ABC):
    """One format. Its module's name is its name, in recipes too, and the name of its folder where it says no other.

    `says`: for the card, what its files are and what reads them. `partitions` and `task_types`: what it has a place for.
    `sided`: its rows have a chosen and a rejected response. `of_models`: it has a place for labels that are no judgments:
    models' of the criteria that they wrote. `one_medium`: its columns hold one medium of the prompt;
    `bare`: they hold of a response the medium that the task type asks for and no text beside it. Pairs that have more
    are refused before anything is written.
    """

    name: ClassVar[str]
    folder: ClassVar[str]
    says: ClassVar[str]
    partitions: ClassVar[tuple[str, ...]] = tuple(Partition.values)
    task_types: ClassVar[tuple[str, ...]] = tuple(TaskType.values)
    sided: ClassVar[bool] = False
    of_models: ClassVar[bool] = True
    one_medium: ClassVar[bool] = False
    bare: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        cls.name = cls.__module__.rpartition(".")[2]
        cls.folder = cls.__dict__.get("folder", cls.name)

    def takes(self, task_type: str, partition: str) -> bool:
        return task_type in self.task_types and partition in self.partitions

    def rows(self, labels: Mapping[str, int], ties: Ties) -> int:
        """How many rows it makes of so many comparisons of each label."""
        counted = Counter(labels)
        if not self.sided:
            return counted.total()
        of_ties = 2 * counted[Label.TIE] if ties == Ties.BOTH else 0
        return counted.total() - counted[Label.TIE] + of_ties

    @abstractmethod
    def outputs(self, kind: Kind) -> Iterator[Output]:
        """The files that one kind of rows is written into."""

    def describing(self, kinds: list[Kind]) -> Iterator[tuple[str, bytes]]:
        """Small files that tell of the others: path in the folder and content."""
        yield from ()

    def configs(self, kinds: list[Kind]) -> list[dict[str, Any]]:
        """Configs for `datasets`, where its files are Parquet."""
        return []


def shards(kind: Kind, stem: str, write: Write) -> Iterator[Output]:
    """A Parquet file for each part."""
    for number, part in enumerate(kind.parts):
        yield Output(f"{stem}-{number:05}-of-{len(kind.parts):05}.parquet", [part], write)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """A text file, written as its lines come."""
    with new_file(path) as file:
        for line in lines:
            file.write(line.encode())


def in_folder(folder: str, path: str) -> str:
    """A path in a release, as its card and its configs name it."""
    return str(PurePosixPath(folder) / path)
