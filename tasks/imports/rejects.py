"""Rows that were turned down: a file of them that can be mended and imported again, and where their originals are."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count, takewhile
from pathlib import Path
from typing import Any

import orjson

from tasks.imports.orders import Order
from tasks.imports.sources import REJECT_COLUMNS, Record, Source, Unreadable, added_columns
from worker.errors import InputError

CHECK = "check"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was turned down.

    stage: where it was found to be bad; `CHECK` is before anything was sent. See `tasks.imports.repeats` for one more.
    reason: names the field and never repeats a value. original: the row as the source has it.
    """

    row: int
    stage: str
    reason: str
    original: Record | Unreadable


@contextmanager
def reject_file(path: Path, source: Source) -> Iterator[Callable[[Rejected], None]]:
    """A new file for the rows of a source that are turned down: a CSV for a CSV, or JSON Lines.

    A CSV is written as the source is: with its columns, its delimiter and its encoding. Both say row, stage and reason.
    An import of the mended file passes over these and finds the rest as it was.
    People's data are in it: only its owner may read it.

    Raises:
        FileExistsError: there is one already, which somebody may have mended by now.

    """
    is_device = path.exists() and not path.is_file()
    encoding = source.dialect.encoding if source.dialect and source.columns else "utf-8"
    with open(
        path, "w" if is_device else "x", encoding=encoding, errors="replace", newline="", opener=_private
    ) as file:
        if source.columns is None:
            yield lambda rejected: _write_json(file.write, rejected)
            return
        added = added_columns(source.columns)
        header = source.dialect.header if source.dialect else source.columns
        writer = csv.writer(file, delimiter=source.dialect.delimiter if source.dialect else ",")
        writer.writerow((*REJECT_COLUMNS, *header[added:]))

        def write(rejected: Rejected) -> None:
            for row, cells in _lines(rejected):
                writer.writerow((row, rejected.stage, rejected.reason, *cells[added:]))

        yield write


def _lines(rejected: Rejected) -> Iterator[tuple[int, Sequence[str]]]:
    """The rows of the file that were turned down: of an order, each of its items has one."""
    original = rejected.original
    assert not isinstance(original, Mapping | Unreadable), "a row of a CSV is a list of cells"
    if isinstance(original, Order):
        yield from enumerate(original.lines, original.first)
    else:
        yield rejected.row, original


def reject_path(given: Path | None, file: Path | None, source: Source, run: str) -> Path:
    """The file for the rows of a run that do not land: the given one, or one beside the source's own file.

    Raises:
        InputError: it is the source itself, or no file can be there.

    """
    path = (given or _beside(file, source, run)).absolute()
    if file and path.exists() and path.samefile(file):
        raise InputError("import", [f"{path.name} is the source: name another file for the rows that do not land"])
    is_device = path.exists() and not path.is_file()
    if path.is_dir() or not os.access(path if is_device else path.parent, os.W_OK):
        raise InputError("import", [f"rows that do not land cannot be told in {path}: name another file for them"])
    return path


def _beside(file: Path | None, source: Source, run: str) -> Path:
    if file is None:
        return Path(f"{run}.rejects.jsonl")
    stem = file.name.removesuffix(".gz").rpartition(".")[0] or file.name
    return file.with_name(f"{stem}.{run}.rejects.{'jsonl' if source.columns is None else 'csv'}")


def unused(path: Path) -> Path:
    """The path, or the first one like it, ``rejects.2.csv``, where no file is."""
    return next(each for each in _like(path) if not each.is_file())


def without_its_beginnings(written: Path, wanted: Path) -> Path:
    """Where a reject file is after it has taken the place of older ones of which it says all, and more.

    They are those that an earlier process of the same run has left behind. One that somebody has changed says something
    else, and stays. A file that says no more than an older one goes itself.
    """
    path = written
    for older in takewhile(lambda each: each != written, _like(wanted)):
        if not older.is_file():
            continue
        if _begins_with(path, older):
            path = path.replace(older)
        elif _begins_with(older, path):
            path.unlink()
            path = older
    return path


def _like(path: Path) -> Iterator[Path]:
    return chain([path], (path.with_suffix(f".{number}{path.suffix}") for number in count(2)))


def _begins_with(file: Path, beginning: Path) -> bool:
    with file.open("rb") as whole, beginning.open("rb") as part:
        return all(chunk == whole.read(len(chunk)) for chunk in iter(lambda: part.read(1 << 20), b""))


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
