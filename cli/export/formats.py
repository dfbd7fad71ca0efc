"""Rows as CSV, JSON Lines or Parquet. Each format writes what it is given; only Parquet holds a row group."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from io import TextIOWrapper
from typing import IO, Any

import orjson
from sqlalchemy import JSON, BigInteger, Boolean, Column, Date

from cli.terminal.printing import EXIT_USAGE, stop
from schedules.store.types import Moment, dump_json

Columns = Sequence[Column[Any]]
Write = Callable[[Sequence[Sequence[Any]]], None]
Format = Callable[[IO[bytes], Columns], AbstractContextManager[Write]]

#: A row group of Parquet is compressed and read as one, so a small one costs both.
ROW_GROUP_ROWS = 50_000


@contextmanager
def write_csv(file: IO[bytes], columns: Columns) -> Iterator[Write]:
    """CSV in UTF-8 with a header: times in ISO 8601, true and false, JSON as text, nothing for NULL."""
    text = TextIOWrapper(file, "utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    cells = [_cell(column) for column in columns]

    def write(rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            writer.writerow([None if value is None else cell(value) for cell, value in zip(cells, row, strict=True)])

    try:
        yield write
    finally:
        text.detach()  # flushes it, and leaves the file to whoever opened it


@contextmanager
def write_jsonl(file: IO[bytes], columns: Columns) -> Iterator[Write]:
    """JSON Lines: an object for each row."""
    names = [str(column.name) for column in columns]  # orjson takes no subclass of str as a key

    def write(rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            file.write(orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE))

    yield write


@contextmanager
def write_parquet(file: IO[bytes], columns: Columns) -> Iterator[Write]:
    """Parquet: times in UTC, JSON as text."""
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError:
        install = "pip install 'klaviyo-worker[parquet]'"
        raise stop(f"Parquet needs pyarrow: {install}. CSV and JSON Lines (.jsonl) do not.", EXIT_USAGE) from None
    types = {Moment: pa.timestamp("us", "UTC"), Boolean: pa.bool_(), BigInteger: pa.int64(), Date: pa.date32()}
    schema = pa.schema([(column.name, types.get(type(column.type), pa.string())) for column in columns])
    held: list[Any] = []

    def write(rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        values = [
            [None if value is None else dump_json(value) for value in each] if _is_json(column) else each
            for column, each in zip(columns, zip(*rows, strict=True), strict=True)
        ]
        arrays = [pa.array(each, field.type) for field, each in zip(schema, values, strict=True)]
        held.append(pa.record_batch(arrays, schema=schema))
        if sum(batch.num_rows for batch in held) >= ROW_GROUP_ROWS:
            write_group()

    def write_group() -> None:
        writer.write_table(pa.Table.from_batches(held, schema))
        held.clear()

    with ParquetWriter(file, schema) as writer:
        yield write
        if held:
            write_group()


FORMATS: dict[str, Format] = {".csv": write_csv, ".jsonl": write_jsonl, ".parquet": write_parquet}


def _cell(column: Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, Boolean):
        return lambda value: "true" if value else "false"
    if isinstance(column.type, Moment | Date):
        return lambda value: value.isoformat()
    return dump_json if _is_json(column) else lambda value: value


def _is_json(column: Column[Any]) -> bool:
    return isinstance(column.type, JSON)
