"""Parquet, a few rows at a time. Sizes are checked in the footer before anything is unpacked."""

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow
import pyarrow.parquet

from annotate.imports.record import FileError, RawRow

MAX_COLUMNS = 1000
MAX_ROW_GROUP = 2 * 1024**3  # bytes of one row group, unpacked
MAX_COLUMN_RATIO = 2000  # unpacked bytes for each packed one: text packs 10 to 50 times
_BATCH_BYTES = 8 * 1024 * 1024
_BATCH_ROWS = 256
_FOOTER_LIMIT = 64 * 1024 * 1024


def read(file: BinaryIO, max_row_group: int = MAX_ROW_GROUP) -> Iterator[RawRow]:
    """Rows are numbered from 1 through the whole file.

    Raises:
        FileError: not Parquet, broken, or larger than its limits when unpacked.
    """
    number = 0
    try:
        source = pyarrow.parquet.ParquetFile(
            file,
            pre_buffer=False,
            buffer_size=1024 * 1024,
            thrift_string_size_limit=_FOOTER_LIMIT,
            thrift_container_size_limit=1_000_000,
        )
        _check_footer(source.metadata, max_row_group)
        for index in range(source.metadata.num_row_groups):
            group = source.metadata.row_group(index)
            each = max(1, group.total_byte_size // max(1, group.num_rows))
            size = max(1, min(_BATCH_ROWS, _BATCH_BYTES // each))
            for batch in source.iter_batches(batch_size=size, row_groups=[index], use_threads=False):
                for values in batch.to_pylist():
                    number += 1
                    yield RawRow(number, values)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        raise FileError(f"row {number + 1}: the Parquet file cannot be read: {str(error)[:300]}") from None


def _check_footer(footer: pyarrow.parquet.FileMetaData, max_row_group: int) -> None:
    if footer.num_columns > MAX_COLUMNS:
        raise FileError(f"the file has {footer.num_columns:,} columns; at most {MAX_COLUMNS:,} are taken.")
    for index in range(footer.num_row_groups):
        group = footer.row_group(index)
        unpacked = 0
        for number in range(group.num_columns):
            column = group.column(number)
            size, packed = column.total_uncompressed_size, column.total_compressed_size
            if size < 0 or packed < 0 or size > max(16 * 1024 * 1024, packed * MAX_COLUMN_RATIO):
                raise FileError(
                    f"row group {index + 1}: column {column.path_in_schema!r} unpacks to {size:,} bytes from"
                    f" {packed:,}: refused as a decompression bomb."
                )
            unpacked += size
        if unpacked > max_row_group:
            raise FileError(
                f"row group {index + 1} unpacks to {unpacked / 2**30:.1f} GB; at most"
                f" {max_row_group / 2**30:.3g} GB are taken. Write the file with smaller row groups."
            )
