"""The rows of a Parquet file, by pyarrow: ``pip install klaviyo-worker[parquet]``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.errors import SourceError

if TYPE_CHECKING:
    from pyarrow import DataType, RecordBatch


def records_of(path: Path, name: str, most: int) -> Generator[list[dict[str, Any]], None, None]:
    """Yield the rows, up to ``most`` at a time; a row group is in memory at once.

    Times are cut to microseconds, and maps are objects, as in JSON.

    Raises:
        SourceError: it is not Parquet, it holds something that Python cannot express, such as a time outside the years
            1 to 9999, two columns have one name, or pyarrow is not installed.

    """
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise SourceError(name, "Parquet needs pyarrow: pip install 'klaviyo-worker[parquet]'") from None
    try:
        # Spark's times (INT96) overflow in the nanoseconds that pyarrow would read them as: 9999-12-31 becomes 1816.
        with ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
            if repeated := [each for each, count in Counter(file.schema_arrow.names).items() if count > 1]:
                raise SourceError(name, f"several columns are called {', '.join(repeated)}: rename all but one")
            for batch in file.iter_batches(batch_size=most):
                yield _records(batch, name)
    except (ArrowException, OSError) as error:
        # pyarrow's own OSError, which has no reason of the system's, says that the file makes no sense.
        why = f"it cannot be read: {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
        raise SourceError(name, why or "this is not a Parquet file, or a damaged one") from None


def _records(batch: RecordBatch, name: str) -> list[dict[str, Any]]:
    from pyarrow import schema

    # Without pandas, pyarrow refuses nanoseconds; with it, they become pandas' own class.
    wanted = schema([field.with_type(_in_microseconds(field.type)) for field in batch.schema])
    batch = batch.cast(wanted, safe=False)
    try:
        records: list[dict[str, Any]] = batch.to_pylist(maps_as_pydicts="lossy")
    except (LookupError, OverflowError, ValueError):
        raise SourceError(name, "; ".join(_what_is_wrong(batch))) from None
    return records


def _what_is_wrong(batch: RecordBatch) -> Iterator[str]:
    """Say of each column whose values Python cannot express what is wrong with them."""
    for column in batch.schema.names:
        try:
            batch.column(column).to_pylist(maps_as_pydicts="lossy")
        except OverflowError:
            yield f"a time in {column} is outside the years 1 to 9999"
        except UnicodeDecodeError:
            yield f"a text in {column} is not UTF-8"
        except LookupError:
            yield f"the time zone of {column} is not known here"
        except ValueError:
            yield f"a value in {column} cannot be read"


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
    if types.is_fixed_size_list(kind):
        return pyarrow.list_(kind.value_field.with_type(_in_microseconds(kind.value_type)), kind.list_size)
    if types.is_large_list(kind):
        return pyarrow.large_list(kind.value_field.with_type(_in_microseconds(kind.value_type)))
    if types.is_map(kind):
        return pyarrow.map_(kind.key_type, _in_microseconds(kind.item_type))
    return kind
