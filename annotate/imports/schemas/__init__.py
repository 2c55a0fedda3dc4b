"""What the columns of a file mean: each layout turns a raw row into its pairs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from annotate.imports.record import FileError, PairRow, Place
from annotate.imports.schemas import (
    arena,
    argilla,
    evenhand,
    hpd,
    mapping,
    multimodal_rewardbench,
    omni,
    preference,
    rewardbench,
    vl_rewardbench,
)
from annotate.imports.schemas.context import Context

Row = Mapping[str, Any]
Schema = Callable[[Row, Place], Sequence[PairRow]]


def _of_one(make: Callable[[Context], Callable[[Row, Place], PairRow]]) -> Callable[[Context], Schema]:
    """The schema of a layout whose rows are one pair each."""

    def made(context: Context) -> Schema:
        read = make(context)
        return lambda row, place: (read(row, place),)

    return made


_MAKERS: dict[str, Callable[[Context], Schema]] = {
    "evenhand": _of_one(evenhand.schema),
    "omni": _of_one(omni.schema),
    "preference": _of_one(preference.schema),
    "rewardbench": rewardbench.schema,
    "vl_rewardbench": _of_one(vl_rewardbench.schema),
    "multimodal_rewardbench": _of_one(multimodal_rewardbench.schema),
    "arena": _of_one(arena.schema),
    "hpd": hpd.schema,
    "argilla": _of_one(argilla.schema),
    "mapping": _of_one(mapping.schema),
}
LAYOUTS = tuple(_MAKERS)

# In this order: of two that could be meant, the one that asks for more columns comes first.
_RECOGNISED: tuple[tuple[str, Callable[[set[str]], bool]], ...] = (
    ("omni", omni.COLUMNS.issubset),
    ("rewardbench", rewardbench.COLUMNS.issubset),
    ("vl_rewardbench", vl_rewardbench.COLUMNS.issubset),
    ("multimodal_rewardbench", multimodal_rewardbench.COLUMNS.issubset),
    ("arena", arena.recognises),
    ("hpd", hpd.recognises),
    ("argilla", argilla.recognises),
    ("preference", preference.COLUMNS.issubset),
    ("evenhand", evenhand.COLUMNS.issubset),
)


def schema_for(layout: str, columns: set[str], context: Context) -> Schema:
    """The schema of a layout; of "auto" the one whose columns the first row has.

    Raises:
        FileError: no layout has such columns.
    """
    return _MAKERS[detect(columns, context) if layout == "auto" else layout](context)


def detect(columns: set[str], context: Context) -> str:
    """
    Raises:
        FileError: no layout has such columns.
    """
    if context.mapping is not None:
        return "mapping"
    for layout, recognises in _RECOGNISED:
        if recognises(columns):
            return layout
    shown = ", ".join(sorted(str(column) for column in columns)[:20])
    raise FileError(
        f"the columns ({shown}) are of no layout that is known here. Name them as docs/import.md does, or say with"
        " a mapping which column means what."
    )
