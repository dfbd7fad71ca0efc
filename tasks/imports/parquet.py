"""The rows of a Parquet file, by pyarrow: ``pip install klaviyo-worker[parquet]``."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.errors import SourceError

if TYPE_CHECKING:
    from pyarrow import DataType, RecordBatch


def records_of(path: Path, name: str, most: int) -> Generator[list[dict[str, Any]], None, None]:
    """Yield the rows, up to ``most`` at a time; a row group is in memory at once.

    Times are cut to microseconds, and maps are objects, as in JSON.

    Raises:
        SourceError: it is not Parquet, it holds a time outside the years 1 to 9999, or pyarrow is not installed.

    """
    try:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise SourceError(name, "Parquet needs pyarrow: pip install 'klaviyo-worker[parquet]'") from None
    try:
        # Spark's times (INT96) overflow in the nanoseconds that pyarrow would read them as: 9999-12-31 becomes 1816.
        with ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
            for batch in file.iter_batches(batch_size=most):
                yield _records(batch, name)
    except ArrowInvalid:
        raise SourceError(name, "this is not a Parquet file, or a damaged one") from None
    except OSError as error:
        raise SourceError(name, f"it cannot be read: {error.strerror}") from None


def _records(batch: RecordBatch, name: str) -> list[dict[str, Any]]:
    from pyarrow import schema

    # Without pandas, pyarrow refuses nanoseconds; with it, they become pandas' own class.
    wanted = schema([field.with_type(_in_microseconds(field.type)) for field in batch.schema])
    batch = batch.cast(wanted, safe=False)
    try:
        records: list[dict[str, Any]] = batch.to_pylist(maps_as_pydicts="lossy")
    except OverflowError:
        columns = ", ".join(column for column in batch.schema.names if not _can_be_read(batch, column))
        raise SourceError(name, f"a time in {columns} is outside the years 1 to 9999") from None
    return records


def _can_be_read(batch: RecordBatch, column: str) -> bool:
    try:
        batch.column(column).to_pylist()
    except OverflowError:
        return False
    return True


def _in_microseconds(kind: DataType) -> DataType:
    import pyarrow
    from pyarrow import types

    if types.is_timestamp(kind) and kind.unit == "ns":
        return pyarrow.timestamp("us", kind.tz)
    if types.is_time64(kind) and kind.unit == "ns":
        return pyarrow.time64("us")
    if types.is_duration(kind) and kind.unit == "ns":
        return pyarrow.duration("us")
    if types.is_struct(kind):
        return pyarrow.struct([field.with_type(_in_microseconds(field.type)) for field in kind])
    if types.is_list(kind):
        return pyarrow.list_(kind.value_field.with_type(_in_microseconds(kind.value_type)))
    if types.is_large_list(kind):
        return pyarrow.large_list(kind.value_field.with_type(_in_microseconds(kind.value_type)))
    if types.is_map(kind):
        return pyarrow.map_(kind.key_type, _in_microseconds(kind.item_type))
    return kind
