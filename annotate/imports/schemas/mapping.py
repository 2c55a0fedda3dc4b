"""Any table, read by a mapping: which column means what, and what its values say. See docs/import.md."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from annotate.imports import checks
from annotate.imports.record import AskedCriterion, FileError, Label, MediaRef, PairRow, Place, RowError, Side
from annotate.imports.schemas.context import Context, task_type
from annotate.imports.schemas.evenhand import media as own_media
from annotate.imports.schemas.nested import value_of
from annotate.imports.schemas.published import content_name, media_key, side_key

Row = Mapping[str, Any]
Read = Callable[[Row], Any]

_TOP = {
    "source",
    "task_type",
    "id",
    "prompt",
    "media",
    "response1",
    "response2",
    "criterion",
    "criteria",
    "labels",
    "verdicts",
    "k",
    "group",
    "sensitive",
    "metadata",
}
_LABEL = {"annotator", "verdict", "strength", "rationale"}
_SLOT = re.compile(r"\{([^{}]+)\}")
DEFAULT_VERDICTS = {verdict: verdict for verdict in checks.LABEL_VERDICTS}


def schema(context: Context) -> Callable[[Row, Place], PairRow]:
    """
    Raises:
        FileError: the mapping itself is wrong; the message names its key.
    """
    given = context.mapping
    if not isinstance(given, dict):
        raise FileError("the mapping must be a YAML document of keys, as in docs/examples/pandalm.yaml.")
    _known(given, _TOP, "")
    for key in ("prompt", "response1", "response2"):
        if key not in given:
            raise FileError(f"mapping: {key} is missing: name the column that holds it.")
    source = context.source or _literal(given.get("source", context.stem), "source")
    kind = task_type(_literal(given.get("task_type", context.pair_task_type), "task_type"))
    name = _value(given["id"], "id") if "id" in given else None
    turns = _turns(given["prompt"])
    media = [_media(one, f"media[{n}]") for n, one in enumerate(_list(given.get("media", []), "media"))]
    sides = [_side(given[key], key) for key in ("response1", "response2")]
    criteria = _criteria(given, context)
    group = _value(given["group"], "group") if "group" in given else None
    sensitive = _value(given["sensitive"], "sensitive") if "sensitive" in given else None
    kept = [_literal(one, "metadata") for one in _list(given.get("metadata", []), "metadata")]

    def read(row: Row, place: Place) -> PairRow:
        row_turns = turns(row)
        row_media = tuple(ref for one in media if (ref := one(row)) is not None)
        if not row_media and not any(text.strip() for _, text in row_turns):
            raise RowError("prompt", "is empty in this row.")
        first, second = sides[0](row), sides[1](row)
        content = (row_turns, [media_key(ref) for ref in row_media], side_key(first), side_key(second))
        return PairRow(
            place=place,
            source=source,
            external_id=checks.name(name(row), "id") if name else content_name(*content),
            task_type=kind,
            turns=row_turns,
            media=row_media,
            response1=first,
            response2=second,
            criteria=criteria(row),
            group=checks.name(group(row), "group") if group else None,
            sensitive=checks.flag(sensitive(row), "sensitive") if sensitive else False,
            metadata=checks.metadata({key: value_of(row, key) for key in kept}, "metadata"),
        )

    return read


def _known(given: Mapping[str, Any], allowed: set[str], where: str) -> None:
    if unknown := sorted(str(key) for key in given.keys() - allowed):
        raise FileError(
            f"mapping: {where}{'.' if where else ''}{unknown[0]} means nothing; known here: {', '.join(sorted(allowed))}."
        )


def _list(value: Any, where: str) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, (str, dict)):
        return [value]
    raise FileError(f"mapping: {where} must be a list.")


def _literal(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= checks.MAX_NAME:
        raise FileError(f"mapping: {where} must be a text of at most {checks.MAX_NAME} characters.")
    return value


def _value(given: Any, where: str) -> Read:
    """A reader of one value: a column's name or a path within it, a text with {column} in it, or one of
    {value: text}, {column: name}, {column: name, split: text, part: number}.
    """
    if isinstance(given, str):
        if not _SLOT.search(given):
            return lambda row: value_of(row, given)
        return lambda row: _SLOT.sub(lambda slot: _as_text(value_of(row, slot[1]), slot[1]), given).strip()
    if not isinstance(given, dict):
        raise FileError(
            f"mapping: {where} must be a column's name, a text with {{column}}, or {{value: ...}}."
        )
    if "value" in given:
        _known(given, {"value"}, where)
        fixed = given["value"]
        return lambda row: fixed
    _known(given, {"column", "split", "part"}, where)
    column = _literal(given.get("column"), f"{where}.column")
    if "split" not in given:
        return lambda row: value_of(row, column)
    separator, part = _literal(given["split"], f"{where}.split"), given.get("part", 0)
    if not isinstance(part, int):
        raise FileError(f"mapping: {where}.part must be a whole number.")

    def cut(row: Row) -> str:
        parts = _as_text(value_of(row, column), column).split(separator)
        try:
            return parts[part]
        except IndexError:
            raise RowError(
                column, f"has {len(parts)} parts between {separator!r}; part {part} is asked."
            ) from None

    return cut


def _as_text(value: Any, field: str) -> str:
    if value is None:
        return ""
    return checks.text(str(value) if isinstance(value, (int, float)) else value, field)


def _turns(given: Any) -> Callable[[Row], tuple[tuple[str, str], ...]]:
    readers = []
    for number, one in enumerate(given if isinstance(given, list) else [given]):
        where, role = "prompt", "user"
        if isinstance(given, list):
            where = f"prompt[{number}]"
            if not isinstance(one, dict):
                raise FileError(f"mapping: {where} must have role and text.")
            _known(one, {"role", "text"}, where)
            role, one = one.get("role", "user"), one.get("text")
            if role not in checks.ROLES:
                raise FileError(f"mapping: {where}.role must be one of {', '.join(checks.ROLES)}.")
        readers.append((role, where, _value(one, where)))
    return lambda row: tuple((role, _as_text(read(row), where)) for role, where, read in readers)


def _media(given: Any, where: str) -> Callable[[Row], MediaRef | None]:
    read = _value(given, where)

    def ref(row: Row) -> MediaRef | None:
        value = read(row)
        return None if value is None or value == "" else own_media(value, where)

    return ref


def _side(given: Any, where: str) -> Callable[[Row], Side]:
    parts = (
        given if isinstance(given, dict) and given.keys() & {"text", "media", "model"} else {"text": given}
    )
    _known(parts, {"text", "media", "model"}, where)
    text = _value(parts["text"], f"{where}.text") if "text" in parts else None
    media = _media(parts["media"], f"{where}.media") if "media" in parts else None
    model = _value(parts["model"], f"{where}.model") if "model" in parts else None
    if not text and not media:
        raise FileError(f"mapping: {where} needs text or media.")

    def read(row: Row) -> Side:
        ref = media(row) if media else None
        if ref is None and not text:
            raise RowError(where, "has no media file in this row.")
        return Side(
            text=_as_text(text(row), where) if text else "",
            media=ref,
            model=checks.name(model(row) or "", f"{where}.model", empty=True) if model else "",
        )

    return read


def _criteria(given: Mapping[str, Any], context: Context) -> Callable[[Row], tuple[AskedCriterion, ...]]:
    if "criteria" in given and ("criterion" in given or "labels" in given):
        raise FileError("mapping: give criteria, or criterion with its labels, not both.")
    verdicts = _verdicts(given.get("verdicts"))
    if "criteria" in given:
        entries = _list(given["criteria"], "criteria")
        where = [f"criteria[{n}]" for n in range(len(entries))]
        entries = [one if isinstance(one, dict) and "text" in one else {"text": one} for one in entries]
    else:
        text = given.get("criterion", {"value": context.criterion} if context.criterion else None)
        if text is None:
            if "labels" in given:
                raise FileError("mapping: labels need a criterion: say by what they were given.")
            return lambda row: ()
        entries = [{"text": text, "labels": given.get("labels", []), "k": given.get("k")}]
        where = ["criterion"]
    readers = [_criterion(one, at, verdicts, context) for one, at in zip(entries, where, strict=True)]
    return lambda row: tuple(read(row) for read in readers)


def _verdicts(given: Any) -> dict[str, str]:
    if given is None:
        return DEFAULT_VERDICTS
    if not isinstance(given, dict) or not given:
        raise FileError('mapping: verdicts must say what each value means, as in "1": response1.')
    for value, verdict in given.items():
        if verdict is not None and verdict not in checks.LABEL_VERDICTS:
            allowed = ", ".join(checks.LABEL_VERDICTS)
            raise FileError(
                f"mapping: verdicts.{value} is {verdict!r}; must be one of {allowed}, or null for none."
            )
    return {str(value).strip(): verdict for value, verdict in given.items()}


def _criterion(
    given: Mapping[str, Any], where: str, verdicts: Mapping[str, str | None], context: Context
) -> Callable[[Row], AskedCriterion]:
    _known(given, {"text", "labels", "k"}, where)
    text = _value(given["text"], where)
    k = given.get("k")
    if k is not None and (not isinstance(k, int) or not 1 <= k <= 9):
        raise FileError(f"mapping: {where}.k must be a whole number from 1 to 9.")
    columns = _list(given.get("labels", []), f"{where}.labels")
    labels = [_label(one, f"{where}.labels[{n}]", verdicts) for n, one in enumerate(columns)]

    def read(row: Row) -> AskedCriterion:
        found = (label(row) for label in labels) if context.labels else ()
        asked = AskedCriterion(
            _as_text(text(row), where), context.k or k, tuple(label for label in found if label)
        )
        return checks.criterion(asked, where)

    return read


def _label(given: Any, where: str, verdicts: Mapping[str, str | None]) -> Callable[[Row], Label | None]:
    """A label's reader. Only a column's name: that column holds the verdicts of the annotator it is named for."""
    parts = given if isinstance(given, dict) else {"verdict": given, "annotator": {"value": given}}
    _known(parts, _LABEL, where)
    for key in ("annotator", "verdict"):
        if key not in parts:
            raise FileError(f"mapping: {where}.{key} is missing.")
    read = {key: _value(one, f"{where}.{key}") for key, one in parts.items()}

    def label(row: Row) -> Label | None:
        said = read["verdict"](row)
        shown = "" if said is None else str(said).strip()
        if shown not in verdicts:
            if not shown:
                return None
            column = parts["verdict"] if isinstance(parts["verdict"], str) else f"{where}.verdict"
            raise RowError(column, f"is {shown!r:.60}; the mapping's verdicts know {', '.join(verdicts)}.")
        verdict = verdicts[shown]
        if verdict is None:
            return None
        strength = read["strength"](row) if "strength" in read else None
        return Label(
            annotator=checks.name(read["annotator"](row), f"{where}.annotator"),
            verdict=verdict,
            strength=None if strength in (None, "") else checks.whole(strength, f"{where}.strength", 1, 3),
            rationale=checks.rationale(
                _as_text(read["rationale"](row), f"{where}.rationale") if "rationale" in read else "",
                f"{where}.rationale",
            ),
        )

    return label
