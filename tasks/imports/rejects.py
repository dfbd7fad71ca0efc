"""Rows that were turned down: a file of them that can be mended and imported again, and where their originals are."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tasks.imports.sources import REJECT_COLUMNS, Record, Source, Unreadable, added_columns
from worker.errors import InputError


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was turned down.

    stage: where it was found to be bad; ``check`` is before anything was sent.
    reason: names the field and never repeats a value. original: the row as the source has it.
    """

    row: int
    stage: str
    reason: str
    original: Record | Unreadable


@contextmanager
def reject_file(path: Path, source: Source) -> Iterator[Callable[[Rejected], None]]:
    """A file for the rows of a source that are turned down, to which rows are added: a CSV for a CSV, or JSON Lines.

    Both say row, stage and reason. An import of the mended file passes over these and finds the rest as it was.
    People's data are in it: only its owner may read it.
    """
    with open(path, "a", encoding="utf-8", newline="", opener=_private) as file:
        if source.columns is None:
            yield lambda rejected: _write_json(file.write, rejected)
            return
        added = added_columns(source.columns)
        writer = csv.writer(file)
        if not file.tell():
            writer.writerow((*REJECT_COLUMNS, *source.columns[added:]))

        def write(rejected: Rejected) -> None:
            assert not isinstance(rejected.original, Mapping | Unreadable), "a row of a CSV is a list of cells"
            writer.writerow((rejected.row, rejected.stage, rejected.reason, *rejected.original[added:]))

        yield write


def reject_path(given: Path | None, file: Path | None, source: Source, run: str) -> Path:
    """The file for the rows of a run that do not land: the given one, or one beside the source's own file.

    Raises:
        InputError: it is the source itself, or no file can be there.

    """
    path = (given or _beside(file, source, run)).absolute()
    if file and path.exists() and path.samefile(file):
        raise InputError("import", [f"{path.name} is the source: name another file for the rows that do not land"])
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError("import", [f"rows that do not land cannot be told in {path}: name another file for them"])
    return path


def _beside(file: Path | None, source: Source, run: str) -> Path:
    if file is None:
        return Path(f"{run}.rejects.jsonl")
    stem = file.name.removesuffix(".gz").rpartition(".")[0] or file.name
    return file.with_name(f"{stem}.{run}.rejects.{'jsonl' if source.columns is None else 'csv'}")


def originals(source: Source, rows: Collection[int]) -> Iterator[tuple[int, Record | Unreadable]]:
    """The rows of these numbers, in order, by reading a file once more.

    Raises:
        SourceError: the file is not what it was.

    """
    last = max(rows, default=0)
    wanted = set(rows)
    for batch in source.batches():
        if batch.first > last:
            return
        for row in sorted(wanted.intersection(range(batch.first, batch.first + len(batch.rows)))):
            yield row, batch.rows[row - batch.first]


def _write_json(write: Callable[[str], Any], rejected: Rejected) -> None:
    original = rejected.original.text if isinstance(rejected.original, Unreadable) else rejected.original
    values = (rejected.row, rejected.stage, rejected.reason, original)
    line = orjson.dumps(dict(zip((*REJECT_COLUMNS, "original"), values, strict=True)), default=str)
    write(f"{line.decode()}\n")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
