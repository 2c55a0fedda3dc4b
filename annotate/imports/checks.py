"""What a value must be to be taken. Limits are stated in docs/import.md."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError

from annotate.actions.gold import MAX_NOTE
from annotate.actions.judging import MAX_RATIONALE
from annotate.actions.pools import Asks, asks
from annotate.imports.record import AskedCriterion, KnownAnswer, Label, RowError
from annotate.models import KnownKind, KnownVerdict, TaskType, Verdict
from annotate.models.project import MAX_CRITERION

MAX_TEXT = 1_000_000  # characters of a prompt turn or a response
MAX_NAME = 200  # characters of an id, a source, a model's name
MAX_METADATA = 100_000  # characters as JSON
MAX_TURNS = 1000
MAX_MEDIA = 64  # media files of one prompt
MAX_CRITERIA = 100  # of one row
MAX_LABELS = 9  # of one criterion: a comparison has at most nine seats
MAX_PATH = 1000

ROLES = ("system", "user", "assistant", "tool")
ANYBODY = Asks()
TASK_TYPES = frozenset(TaskType.values)
LABEL_VERDICTS = tuple(verdict.value for verdict in Verdict if verdict != Verdict.RETRACTED)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", bytes: "bytes"}
    if value is None:
        return "nothing"
    return names.get(type(value), "a number" if isinstance(value, (int, float)) else type(value).__name__)


def text(value: object, field: str, *, limit: int = MAX_TEXT, empty: bool = True) -> str:
    """The value as a text that PostgreSQL can hold.

    Raises:
        RowError: not a text, too long, with a NUL or half a surrogate pair, or empty where it must not be.
    """
    if not isinstance(value, str):
        raise RowError(field, f"must be a text, is {_kind(value)}.")
    if len(value) > limit:
        raise RowError(field, f"has {len(value):,} characters; at most {limit:,} are taken. Shorten it.")
    if "\0" in value:
        raise RowError(field, f"has a NUL character at {value.index(chr(0)) + 1}: remove it.")
    if not value.isascii():  # which is known without looking
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise RowError(
                field,
                f"has half of a surrogate pair at character {error.start + 1}: write the whole character.",
            ) from None
    if not empty and not value.strip():
        raise RowError(field, "is empty: fill it in.")
    return value


def name(value: object, field: str, *, empty: bool = False) -> str:
    """A short text: an id, a source, a model. A whole number is taken as its digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return text(value, field, limit=MAX_NAME, empty=empty).strip()


def flag(value: object, field: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false", "1", "0", "yes", "no", ""):
        return value.strip().lower() in ("true", "1", "yes")
    raise RowError(field, f"must be true or false, is {_shown(value)}.")


def whole(value: object, field: str, low: int, high: int) -> int:
    """A whole number in a range; a text of digits is taken too."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value.strip()[:20])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RowError(field, f"must be a whole number from {low} to {high}, is {_shown(value)}.")
    return value


def metadata(value: object, field: str) -> dict[str, Any]:
    """An object that jsonb can hold."""
    if not isinstance(value, dict):
        raise RowError(field, f"must be an object, is {_kind(value)}.")
    if not value:
        return value
    try:
        written = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except ValueError:
        raise RowError(field, "holds NaN or an infinite number, which JSON does not have.") from None
    except (TypeError, RecursionError):
        raise RowError(field, "holds a value that JSON does not have.") from None
    text(written, field, limit=MAX_METADATA)
    if "\\u0000" in written:
        raise RowError(field, "has a NUL character: remove it.")
    return value


def known_keys(value: Mapping[str, Any], allowed: set[str], field: str) -> None:
    """
    Raises:
        RowError: the object has a key that means nothing here; a typing mistake would lose data silently.
    """
    if not value.keys() <= allowed:
        unknown = value.keys() - allowed
        first = min(str(key) for key in unknown)
        where = f"{field}.{first}" if field else first
        raise RowError(where[:MAX_NAME], f"is not known here. Known: {', '.join(sorted(allowed))}.")


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def label(given: Label, field: str) -> Label:
    """The label, if the database's own rules will take it.

    Raises:
        RowError
    """
    if given.verdict not in LABEL_VERDICTS:
        allowed = ", ".join(LABEL_VERDICTS)
        raise RowError(f"{field}.verdict", f"is {_shown(given.verdict)}; must be one of {allowed}.")
    if given.strength is not None and given.verdict not in ("response1", "response2"):
        raise RowError(f"{field}.strength", "belongs to a verdict for one response only: leave it out.")
    if given.tie_kind and given.verdict != "tie":
        raise RowError(f"{field}.tie_kind", "belongs to the verdict tie only: leave it out.")
    if given.tie_kind not in ("", "both_good", "both_bad"):
        raise RowError(f"{field}.tie_kind", f"is {_shown(given.tie_kind)}; must be both_good or both_bad.")
    if (given.verdict == "media_broken") != bool(given.broken):
        raise RowError(
            f"{field}.broken", "names the broken side with the verdict media_broken, and only then."
        )
    if given.broken not in ("", "response1", "response2", "prompt"):
        raise RowError(f"{field}.broken", "must be response1, response2 or prompt.")
    return given


def criterion(given: AskedCriterion, field: str) -> AskedCriterion:
    """The criterion with white space folded, if it and its labels can be taken.

    Raises:
        RowError
    """
    folded = " ".join(text(given.text, f"{field}.text", empty=False).split())
    if len(folded) > MAX_CRITERION:
        raise RowError(f"{field}.text", f"has {len(folded):,} characters; at most {MAX_CRITERION} are taken.")
    if len(given.labels) > MAX_LABELS:
        raise RowError(
            f"{field}.judgments", f"has {len(given.labels)} labels; a criterion holds at most {MAX_LABELS}."
        )
    seen: set[str] = set()
    for number, one in enumerate(given.labels):
        where = f"{field}.judgments[{number}]"
        label(one, where)
        if one.annotator in seen:
            raise RowError(f"{where}.annotator", f"{_shown(one.annotator)} judges this criterion twice.")
        seen.add(one.annotator)
    if given.k is not None and given.k < len(given.labels):
        raise RowError(f"{field}.k", f"is {given.k}, less than the {len(given.labels)} labels given.")
    return given if folded == given.text else replace(given, text=folded)


def known_answer(value: object, field: str) -> KnownAnswer:
    """A known answer: its verdict alone, which makes it gold, or {verdict, note, kind}.

    Raises:
        RowError
    """
    if not isinstance(value, dict):
        value = {"verdict": value}
    known_keys(value, {"verdict", "note", "kind"}, field)
    verdict, kind = value.get("verdict"), value.get("kind") or KnownKind.GOLD
    if verdict not in KnownVerdict.values:
        allowed = ", ".join(KnownVerdict.values)
        raise RowError(field, f"is {_shown(verdict)}; a known answer is one of {allowed}.")
    if kind not in KnownKind.values:
        raise RowError(field, f"is for {_shown(kind)}; must be for one of {', '.join(KnownKind.values)}.")
    return KnownAnswer(
        str(verdict), text(value.get("note") or "", f"{field}.note", limit=MAX_NOTE), str(kind), field
    )


def rationale(value: object, field: str) -> str:
    return text(value, field, limit=MAX_RATIONALE)


def asked(language: object, expertise: object) -> Asks:
    """What a row asks of people: a language, and expertises as a list, a text with semicolons, or {"any": ...}.

    Raises:
        RowError
    """
    if language == "" and expertise == []:
        return ANYBODY
    any_of = False
    if isinstance(expertise, dict):
        if len(expertise) != 1 or not {"any", "all"} & set(expertise):
            raise RowError("expertise", 'must be a list, {"any": [...]} or {"all": [...]}.')
        any_of = "any" in expertise
        [expertise] = expertise.values()
    if isinstance(expertise, str):
        expertise = expertise.split(";")
    if not isinstance(expertise, list):
        raise RowError("expertise", f"must be a list of names, is {_kind(expertise)}.")
    names = [name(one, f"expertise[{number}]") for number, one in enumerate(expertise)]
    try:
        return asks(name(language, "language", empty=True), names, any_of)
    except ValidationError as error:
        [(field, [problem, *_])] = error.message_dict.items()
        raise RowError(field, problem) from None
