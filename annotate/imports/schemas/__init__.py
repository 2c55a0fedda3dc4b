"""What the columns of a file mean: each layout turns a raw row into a PairRow."""

from collections.abc import Callable, Mapping
from typing import Any

from annotate.imports.record import FileError, PairRow, Place
from annotate.imports.schemas import evenhand, mapping, omni, preference
from annotate.imports.schemas.context import Context

Schema = Callable[[Mapping[str, Any], Place], PairRow]

_MAKERS: dict[str, Callable[[Context], Schema]] = {
    "evenhand": evenhand.schema,
    "omni": omni.schema,
    "preference": preference.schema,
    "mapping": mapping.schema,
}
LAYOUTS = tuple(_MAKERS)


def schema_for(layout: str, columns: set[str], context: Context) -> Schema:
    """The schema of a layout; of "auto" the one whose columns the first row has.

    Raises:
        FileError: no layout has such columns.
    """
    return _MAKERS[detect(columns, context) if layout == "auto" else layout](context)


def detect(columns: set[str], context: Context) -> str:
    if context.mapping is not None:
        return "mapping"
    if columns >= omni.COLUMNS:
        return "omni"
    if columns >= preference.COLUMNS:
        return "preference"
    if columns >= evenhand.COLUMNS:
        return "evenhand"
    shown = ", ".join(sorted(str(column) for column in columns)[:20])
    raise FileError(
        f"the columns ({shown}) are of no layout that is known here. Name them as docs/import.md does, or say with"
        " a mapping which column means what."
    )
