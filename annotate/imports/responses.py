"""Tables of prompts and the answers of models, read and turned into rows of Evenhand's own layout by a pairing design.

Long: a row is one answer (prompt, model, response). Wide: a row is a prompt with a column for each model, or with an object
`responses`. Rows of one prompt may stand anywhere. Texts lie in a temporary SQLite file, so that a table may be larger than
the memory; what is decided about it is numbers.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Any, BinaryIO, Self

from annotate.actions.jobs import Refused
from annotate.imports import checks
from annotate.imports.files import reader_of
from annotate.imports.pairing import Design, pairs_of
from annotate.imports.places import opened
from annotate.imports.record import RawRow, RowError
from annotate.imports.schemas import preference
from annotate.imports.schemas.published import content_name
from annotate.imports.spec import FileSpec, PairingSpec

LONG = {"model", "response"}
# Columns of a wide table that are no model's.
_OWN = {"id", "prompt_id", "prompt", "messages", "media", "group", "metadata", "responses"}
MAX_MODELS = 1000
_BEAT = 10_000  # rows

_TABLES = """
CREATE TABLE prompt (number INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, about TEXT NOT NULL);
CREATE TABLE answer (prompt INTEGER NOT NULL, model TEXT NOT NULL, said TEXT NOT NULL, place TEXT NOT NULL,
                     PRIMARY KEY (prompt, model)) WITHOUT ROWID;
"""


@dataclass
class Counts:
    """What a table held, and what became of it."""

    prompts: int = 0
    answers: int = 0
    failed: int = 0  # rows that tell of an answer that never came
    lonely: int = 0  # prompts of which no two answers may meet
    pairs: int = 0
    seen: dict[str, int] = field(default_factory=dict)  # pairs of each model
    first: dict[str, int] = field(default_factory=dict)  # those in which it is response1


class AnswerTable:
    """The answers that were read, by prompt and model. Use as a context: it holds a temporary file."""

    def __init__(self) -> None:
        self._file = NamedTemporaryFile(suffix=".sqlite")  # noqa: SIM115
        self._base = sqlite3.connect(self._file.name, isolation_level=None)
        self._base.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES + "BEGIN;")
        self.counts = Counts()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._base.close()
        self._file.close()

    def read(
        self, file: FileSpec, models: Sequence[str] = (), beat: Callable[[], None] | None = None
    ) -> None:
        """Take a file's answers. `models`: the columns of a wide table; else all that mean nothing else.

        `beat` is called now and then, and may end the work by what it raises.

        Raises:
            Refused: a row cannot be taken; the message names it.
        """
        with opened(file) as there:
            for raw in reader_of(file.name)(there):
                if beat and raw.number % _BEAT == 0:
                    beat()
                try:
                    self.take(raw, file.name, models)
                except RowError as error:
                    where = f", {error.field}" if error.field else ""
                    raise Refused(f"{file.name}, row {raw.number}{where}: {error.problem}") from None

    def take(self, raw: RawRow, name: str, models: Sequence[str] = ()) -> None:
        """Take the answers of one row of the file of this name.

        Raises:
            RowError: it cannot be taken.
        """
        if raw.problem:
            raise raw.problem
        row, place = raw.values, f"{name}, row {raw.number}"
        long = row.keys() >= LONG and not models
        turns = turns_of(row)
        about = json.dumps({"prompt": turns} | {key: row[key] for key in ("media", "group") if row.get(key)})
        given = row.get("prompt_id", None if long else row.get("id"))
        key = content_name(about) if given in (None, "") else checks.name(given, "prompt_id")
        if long and row.get("error") and row["response"] is None:
            self.counts.failed += 1
            return
        number = self._prompt(key, about)
        for model, said in _answers(row, long, models):
            self._answer(number, model, said, place)

    def _prompt(self, key: str, about: str) -> int:
        there = self._base.execute("SELECT number, about FROM prompt WHERE key = ?", [key]).fetchone()
        if there is None:
            self.counts.prompts += 1
            made = self._base.execute("INSERT INTO prompt (key, about) VALUES (?, ?)", [key, about]).lastrowid
            assert made is not None
            return made
        if there[1] != about:
            raise RowError(
                "prompt_id", f"{key!r:.80} stood for another prompt before: give this one its own."
            )
        return int(there[0])

    def _answer(self, prompt: int, model: str, said: dict[str, Any], place: str) -> None:
        written = json.dumps(said, sort_keys=True)
        there = self._base.execute(
            "SELECT said, place FROM answer WHERE prompt = ? AND model = ?", [prompt, model]
        ).fetchone()
        if there is None:
            self._base.execute("INSERT INTO answer VALUES (?, ?, ?, ?)", [prompt, model, written, place])
            self.counts.answers += 1
            self.counts.seen.setdefault(model, 0)
            self.counts.first.setdefault(model, 0)
            if len(self.counts.seen) > MAX_MODELS:
                raise RowError("model", f"is the {MAX_MODELS + 1:,}th: are these the right columns?")
        elif there[0] != written:
            raise RowError(
                "model", f"{model!r:.80} answered this prompt otherwise in {there[1]}: one answer of each."
            )

    def pairs(self, design: Design, criteria: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """The pairs as rows of Evenhand's own layout. Their ids follow from prompt and models alone.

        Raises:
            Refused: an anchor that no row names.
        """
        if unknown := sorted(design.anchors - self.counts.seen.keys()):
            raise Refused(
                f"No answer is of the anchor {unknown[0]!r}. Models: {', '.join(self.counts.seen)}."
            )
        table: list[tuple[str, list[str]]] = []
        for key, models in self._base.execute(
            "SELECT p.key, json_group_array(a.model) FROM prompt p LEFT JOIN answer a ON a.prompt = p.number"
            " GROUP BY p.number ORDER BY p.number"
        ):
            table.append((key, [model for model in json.loads(models) if model is not None]))
        for number, ((key, _), chosen) in enumerate(
            zip(table, pairs_of(table, design), strict=True), start=1
        ):
            if not chosen:
                self.counts.lonely += 1
                continue
            with closing(self._base.execute("SELECT about FROM prompt WHERE number = ?", [number])) as found:
                about = json.loads(found.fetchone()[0])
            said = {
                model: json.loads(text)
                for model, text in self._base.execute(
                    "SELECT model, said FROM answer WHERE prompt = ?", [number]
                )
            }
            about.setdefault("group", key)
            for first, second in chosen:
                self.counts.pairs += 1
                self.counts.first[first] += 1
                for model in (first, second):
                    self.counts.seen[model] += 1
                yield about | {
                    "id": content_name(key, sorted((first, second))),
                    "response1": said[first] | {"model": first},
                    "response2": said[second] | {"model": second},
                    **({"criteria": list(criteria)} if criteria else {}),
                }


def design_of(spec: PairingSpec) -> Design:
    """
    Raises:
        Refused: there is no such design, or its options do not go together.
    """
    per_prompt = spec.per_prompt
    if spec.design in ("random", "balanced") and per_prompt is None:
        per_prompt = 1
    try:
        return Design(spec.design, per_prompt, frozenset(spec.anchors), spec.seed)  # type: ignore[arg-type]
    except ValueError as error:
        raise Refused(f"Pairing: {error}") from None


@contextmanager
def pairs_file(
    files: Sequence[FileSpec], spec: PairingSpec, beat: Callable[[], None]
) -> Iterator[tuple[FileSpec, BinaryIO]]:
    """The pairs of these tables, as a file of Evenhand's own layout. The same tables make the same file.

    Raises:
        Refused: a row or an option cannot be taken, or no two answers meet.
    """
    with AnswerTable() as table, NamedTemporaryFile(suffix=".jsonl") as made:
        for file in files:
            table.read(file, spec.models, beat)
        for number, row in enumerate(table.pairs(design_of(spec))):
            made.write(json.dumps(row).encode() + b"\n")
            if number % _BEAT == 0:
                beat()
        if not table.counts.pairs:
            raise Refused(
                f"No prompt of {table.counts.prompts:,} has two answers that may meet: is this a table of answers?"
            )
        size = made.tell()
        made.seek(0)
        first = files[0]
        stem = PurePath(first.member or first.path or first.name).stem[:200]
        yield FileSpec(name=f"{stem}.jsonl", size=size), made  # type: ignore[misc]


def turns_of(row: Mapping[str, Any]) -> list[dict[str, str]]:
    column = "messages" if row.get("messages") else "prompt"
    if row.get(column) in (None, ""):
        raise RowError("prompt", "is missing: name the column with the prompts prompt, or messages.")
    turns = preference.messages(row[column], column, "user")
    if not any(text.strip() for _, text in turns) and not row.get("media"):
        raise RowError(column, "is empty: fill it in.")
    return [{"role": role, "text": text} for role, text in turns]


def _answers(
    row: Mapping[str, Any], long: bool, models: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    if long:
        yield checks.name(row["model"], "model"), _said(row["response"], "response")
        return
    given = row.get("responses")
    if isinstance(given, dict):
        for model, said in given.items():
            if said is not None:
                yield checks.name(model, "responses"), _said(said, f"responses.{model}"[:200])
        return
    columns = models or [column for column in row if column not in _OWN]
    if missing := [column for column in columns if column not in row]:
        raise RowError(missing[0], "is no column of this row.")
    for column in columns:
        if row[column] not in (None, ""):
            yield checks.name(column, column), _said(row[column], column)


def _said(value: Any, field_name: str) -> dict[str, Any]:
    """An answer: a text, or {text, media, metadata}."""
    if isinstance(value, str):
        return {"text": checks.text(value, field_name)}
    if not isinstance(value, dict):
        raise RowError(field_name, "must be a text, or an object with text or media.")
    checks.known_keys(value, {"text", "media", "metadata"}, field_name)
    if not value.get("media") and not isinstance(value.get("text"), str):
        raise RowError(field_name, "has neither text nor media.")
    return {key: one for key, one in value.items() if one is not None}
