"""Parquet files whose schema tells `datasets` what the columns are: text, images, audio, messages."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotate.exports.columns import regrouped
from annotate.exports.files import new_file

# What a column holds -> its Arrow type, and its feature in the words of `datasets`. A list in [brackets] is
# read by every version of it.
_TEXT = pa.string()
_FILE = pa.struct([("bytes", pa.binary()), ("path", _TEXT)])
_STRING = {"dtype": "string", "_type": "Value"}
_PARTS = pa.list_(pa.struct([("type", _TEXT), ("text", _TEXT)]))
KINDS: dict[str, tuple[pa.DataType, Any]] = {
    "string": (_TEXT, _STRING),
    "count": (pa.int32(), {"dtype": "int32", "_type": "Value"}),
    "share": (pa.float64(), {"dtype": "float64", "_type": "Value"}),
    "strings": (pa.list_(_TEXT), [_STRING]),
    "image": (_FILE, {"_type": "Image"}),
    "images": (pa.list_(_FILE), [{"_type": "Image"}]),
    "audio": (_FILE, {"_type": "Audio"}),
    "audios": (pa.list_(_FILE), [{"_type": "Audio"}]),
    "messages": (
        pa.list_(pa.struct([("role", _TEXT), ("content", _TEXT)])),
        [{"role": _STRING, "content": _STRING}],
    ),
    "media_messages": (
        pa.list_(pa.struct([("role", _TEXT), ("content", _PARTS)])),
        [{"role": _STRING, "content": [{"type": _STRING, "text": _STRING}]}],
    ),
}
_ROWS_A_GROUP = 1000
_MEDIA_ROWS_A_GROUP = 20  # readers take a whole row group into memory, as we do


def schema_of(columns: dict[str, str]) -> pa.Schema:
    """The Arrow schema of columns named in the words of KINDS, with the features for `datasets` in it."""
    features = {name: KINDS[kind][1] for name, kind in columns.items()}
    return pa.schema(
        [(name, KINDS[kind][0]) for name, kind in columns.items()],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )


def write_parquet(
    path: Path, schema: pa.Schema, rows: Iterable[dict[str, Any]], rows_a_group: int = _ROWS_A_GROUP
) -> None:
    """Write the rows in groups; memory holds one group. The same rows give the same bytes."""
    if any(pa.types.is_struct(t) or (pa.types.is_list(t) and t.value_type == _FILE) for t in schema.types):
        rows_a_group = _MEDIA_ROWS_A_GROUP
    with new_file(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(rows, rows_a_group):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def write_tables(path: Path, schema: pa.Schema, tables: Iterable[pa.Table], rows_a_group: int) -> None:
    """As write_parquet, of rows that are columns already."""
    with new_file(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in regrouped(tables, rows_a_group):
            # In one piece, so that the bytes do not tell in what pieces the rows were read.
            writer.write_table(group.cast(schema).combine_chunks())


def _groups(rows: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    rows = iter(rows)
    while group := list(islice(rows, size)):
        yield group
