"""Evenhand's own layout: a row is a pair with its criteria and the judgments it already has."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from annotate.actions.pools import Asks
from annotate.imports import checks
from annotate.imports.record import AskedCriterion, Label, MediaRef, PairRow, Place, RowError, Side
from annotate.imports.schemas.context import Context

COLUMNS = {"id", "response1", "response2"}
_KEYS = {
    *COLUMNS,
    "source",
    "task_type",
    "prompt",
    "media",
    "criteria",
    "language",
    "expertise",
    "group",
    "sensitive",
    "metadata",
}
# What a table writes flat, where JSON nests.
_FLAT = {
    "model1",
    "model2",
    "media1",
    "media2",
    "criterion",
    "k",
    "annotator",
    "verdict",
    "strength",
    "tie_kind",
    "broken",
    "rationale",
    "gold",
    "gold_note",
    "gold_kind",
    "objective",
}
_KNOWN = _KEYS | _FLAT
_RESPONSE_KEYS = {"text", "media", "model", "metadata"}
_CRITERION_KEYS = {"text", "k", "judgments", "gold", "objective"}
_LABEL_KEYS = {"annotator", "verdict", "strength", "tie_kind", "broken", "rationale"}


def schema(context: Context) -> Callable[[Mapping[str, Any], Place], PairRow]:
    source = context.source or context.stem

    def read(values: Mapping[str, Any], place: Place) -> PairRow:
        checks.known_keys(values, _KNOWN, "")
        row = values
        if None in values.values() or "" in values.values():
            row = {key: value for key, value in values.items() if value is not None and value != ""}
            # An empty answer is an answer; an empty cell elsewhere is nothing.
            row |= {key: "" for key in ("response1", "response2") if values.get(key) == ""}
        row_turns = turns(row.get("prompt", ""), "prompt")
        row_media = media_list(_from_cell(row["media"], "media"), "media") if "media" in row else ()
        if not row_media and not any(text.strip() for _, text in row_turns):
            raise RowError("prompt", "is empty: give a prompt, or media that the responses are about.")
        return PairRow(
            place=place,
            source=context.source or checks.name(row.get("source", source), "source"),
            external_id=checks.name(row.get("id"), "id"),
            task_type=_task_type(row, context),
            turns=row_turns,
            media=row_media,
            response1=_response(row, 1),
            response2=_response(row, 2),
            criteria=_criteria(row, context),
            asked=_asked(row),
            group=checks.name(row["group"], "group") if "group" in row else None,
            sensitive=checks.flag(row.get("sensitive", False), "sensitive"),
            metadata=checks.metadata(_from_cell(row["metadata"], "metadata"), "metadata")
            if "metadata" in row
            else {},
        )

    return read


def _asked(row: Mapping[str, Any]) -> Asks:
    if "language" in row or "expertise" in row:
        return checks.asked(row.get("language", ""), _from_cell(row.get("expertise", []), "expertise"))
    return checks.ANYBODY


def _task_type(row: Mapping[str, Any], context: Context) -> str:
    given = row.get("task_type", context.pair_task_type)
    if isinstance(given, str) and given in checks.TASK_TYPES:
        return given
    given = checks.name(given, "task_type")
    if given not in checks.TASK_TYPES:
        raise RowError("task_type", f"is {given!r}; must be one of {', '.join(sorted(checks.TASK_TYPES))}.")
    return given


def _from_cell(value: Any, field: str) -> Any:
    """What a cell of a table writes as JSON. Only for fields that are never free text."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            raise RowError(field, f"is not JSON: {error}.") from None
    return value


def turns(value: Any, field: str) -> tuple[tuple[str, str], ...]:
    """A prompt as (role, text): a text is one turn of the user's, a list holds {"role", "text"}."""
    if isinstance(value, str):
        return (("user", checks.text(value, field)),)
    if not isinstance(value, list):
        raise RowError(field, "must be a text or a list of turns.")
    if not 0 < len(value) <= checks.MAX_TURNS:
        raise RowError(field, f"must have 1 to {checks.MAX_TURNS} turns, has {len(value)}.")
    read = []
    for number, turn in enumerate(value):
        where = f"{field}[{number}]"
        if not isinstance(turn, dict):
            raise RowError(where, 'must be an object: {"role": "user", "text": "..."}.')
        checks.known_keys(turn, {"role", "text", "content"}, where)
        role = checks.name(turn.get("role", "user"), f"{where}.role")
        if role not in checks.ROLES:
            raise RowError(f"{where}.role", f"is {role!r}; must be one of {', '.join(checks.ROLES)}.")
        read.append((role, checks.text(turn.get("text", turn.get("content")), f"{where}.text")))
    return tuple(read)


def media_list(value: Any, field: str) -> tuple[MediaRef, ...]:
    if not isinstance(value, list):
        return (media(value, field),)
    if len(value) > checks.MAX_MEDIA:
        raise RowError(field, f"names {len(value)} files; at most {checks.MAX_MEDIA} are taken.")
    return tuple(media(one, f"{field}[{number}]") for number, one in enumerate(value))


def media(value: Any, field: str) -> MediaRef:
    """A path below the media root, or the {bytes, path} that Parquet embeds."""
    if isinstance(value, dict):
        checks.known_keys(value, {"bytes", "path"}, field)
        path = checks.text(value.get("path") or "", f"{field}.path", limit=checks.MAX_PATH)
        data = value.get("bytes")
        if data is not None and not isinstance(data, bytes):
            raise RowError(
                f"{field}.bytes", "must be bytes: only Parquet can embed them. Give a path instead."
            )
        if data is None and not path:
            raise RowError(field, "has neither bytes nor a path.")
        return MediaRef(field, path, data)
    return MediaRef(field, checks.text(value, field, limit=checks.MAX_PATH, empty=False))


def _response(row: Mapping[str, Any], number: int) -> Side:
    field = f"response{number}"
    value = row.get(field)
    model = row.get(f"model{number}")
    if isinstance(value, dict):
        checks.known_keys(value, _RESPONSE_KEYS, field)
        if None in value.values():
            value = {key: item for key, item in value.items() if item is not None}
        if "text" not in value and "media" not in value:
            raise RowError(field, "has neither text nor media.")
        return Side(
            text=checks.text(value.get("text", ""), f"{field}.text"),
            media=media(value["media"], f"{field}.media") if "media" in value else None,
            model=checks.name(value.get("model", model or ""), f"{field}.model", empty=True),
            metadata=checks.metadata(value["metadata"], f"{field}.metadata") if "metadata" in value else {},
        )
    flat_media = row.get(f"media{number}")
    if value is None:
        if flat_media is None:
            raise RowError(field, "is missing: give the response's text or media.")
        value = ""
    return Side(
        text=checks.text(value, field),
        media=media(flat_media, f"media{number}") if flat_media is not None else None,
        model=checks.name(model or "", f"model{number}", empty=True),
    )


def _criteria(row: Mapping[str, Any], context: Context) -> tuple[AskedCriterion, ...]:
    if not _FLAT_CRITERION.isdisjoint(row):
        if "criteria" in row:
            raise RowError("criterion", "stands beside criteria: give one of them.")
        text = row.get("criterion", context.criterion)
        given: list[Any] = [
            {
                "text": text,
                "k": row.get("k"),
                "judgments": _flat_label(row),
                "gold": _flat_gold(row),
                "objective": row.get("objective"),
            }
        ]
        names = ["criterion"]
    else:
        value = _from_cell(row.get("criteria", []), "criteria")
        given = value if isinstance(value, list) else [value]
        names = [f"criteria[{number}]" for number in range(len(given))]
        if not given and context.criterion:
            given, names = [context.criterion], ["--criterion"]
    if len(given) > checks.MAX_CRITERIA:
        raise RowError("criteria", f"has {len(given)} entries; at most {checks.MAX_CRITERIA} are taken.")
    return tuple(_criterion(one, name, context) for one, name in zip(given, names, strict=True))


_FLAT_GOLD = ("gold", "gold_note", "gold_kind")
_FLAT_CRITERION = frozenset(("criterion", "verdict", *_FLAT_GOLD))


def _flat_gold(row: Mapping[str, Any]) -> dict[str, Any] | None:
    if not any(name in row for name in _FLAT_GOLD):
        return None
    if "gold" not in row:
        raise RowError("gold", "is missing beside what says more about it: give the known answer.")
    return {"verdict": row["gold"], "note": row.get("gold_note"), "kind": row.get("gold_kind")}


def _flat_label(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "verdict" not in row:
        return []
    label = {key: row[key] for key in _LABEL_KEYS if key in row}
    if label.get("strength") is not None:
        label["strength"] = checks.whole(label["strength"], "strength", 1, 3)
    return [label]


@lru_cache(maxsize=1024)
def _plain(text: str, k: int | None, field: str) -> AskedCriterion:
    """A criterion without labels: in most files the same few, row after row."""
    return checks.criterion(AskedCriterion(text, k), field)


def _criterion(value: Any, field: str, context: Context) -> AskedCriterion:
    if isinstance(value, str):
        return _plain(value, context.k, field)
    if not isinstance(value, dict):
        raise RowError(field, 'must be a text or an object: {"text": "...", "judgments": [...]}.')
    checks.known_keys(value, _CRITERION_KEYS, field)
    judgments = value.get("judgments") or []
    if not isinstance(judgments, list):
        raise RowError(f"{field}.judgments", "must be a list.")
    labels = tuple(_label(one, f"{field}.judgments[{n}]") for n, one in enumerate(judgments))
    k, gold = value.get("k"), value.get("gold")
    # A table has its columns at the top.
    where = "gold" if field == "criterion" else f"{field}.gold"
    return checks.criterion(
        AskedCriterion(
            checks.text(value.get("text"), f"{field}.text", empty=False),
            checks.whole(k, f"{field}.k", 1, 9) if k is not None else context.k,
            labels if context.labels else (),
            checks.known_answer(gold, where) if gold is not None else None,
            checks.flag(value.get("objective") or False, where.replace("gold", "objective")),
        ),
        field,
    )


def _label(value: Any, field: str) -> Label:
    if not isinstance(value, dict):
        raise RowError(field, 'must be an object: {"annotator": "...", "verdict": "response1"}.')
    checks.known_keys(value, _LABEL_KEYS, field)
    value = {key: item for key, item in value.items() if item is not None}
    strength = value.get("strength")
    return Label(
        annotator=checks.name(value.get("annotator"), f"{field}.annotator"),
        verdict=checks.name(value.get("verdict"), f"{field}.verdict"),
        strength=checks.whole(strength, f"{field}.strength", 1, 3) if strength is not None else None,
        tie_kind=checks.name(value.get("tie_kind", ""), f"{field}.tie_kind", empty=True),
        broken=checks.name(value.get("broken", ""), f"{field}.broken", empty=True),
        rationale=checks.rationale(value.get("rationale", ""), f"{field}.rationale"),
    )
