"""Rejected rows: the file of them that can be corrected and imported again, and their originals."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain, count, takewhile
from pathlib import Path
from typing import Any

import orjson

from tasks.imports.orders import Order
from tasks.imports.reasons import Reasons
from tasks.imports.sources import REJECT_COLUMNS, Record, Source, Unreadable, count_reject_columns
from tasks.jobs.import_runs import get_runs
from tasks.jobs.ledger import get_ledger
from worker.errors import InputError, KlaviyoError

CHECK = "check"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was rejected.

    stage: when it was rejected; `CHECK` is before anything was sent, and `tasks.imports.repeats` has one more.
    reason: names the field and never repeats a value. original: the row as it is in the source.
    """

    row: int
    stage: str
    reason: str
    original: Record | Unreadable


class RejectsNotWritten(KlaviyoError):
    """The reject file of a run cannot be written, or not to its end."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)

    def __str__(self) -> str:
        name, why = self.args
        return f"The reject file {name} cannot be written: {why}."


class Rejects:
    """The reject file of one run, written again each time the run is resumed, if there are rows to write.

    An existing file is left alone, since rows in it may have been corrected: the new one is written beside it, and
    replaces it only if nothing is lost.

    If the source can be read again, ``has_changed`` tells whether it has changed since its reading began, and each row
    is written as it is there. Otherwise ``has_changed`` is None, the file is JSON Lines, and a row that Klaviyo
    rejected is written as it was sent.
    """

    def __init__(self, path: Path, source: Source, has_changed: Callable[[], bool] | None) -> None:
        self.path = first_unused_path(path)
        self.reasons = Reasons()
        self._source = source
        self._has_changed = has_changed
        self._wanted = path
        self._layout = source if has_changed else replace(source, columns=None)
        self._context: Any = None
        self._write: Callable[[Rejected], None] | None = None

    def __enter__(self) -> Rejects:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        # An error that is on its way says more than a file that cannot be closed.
        with suppress(*([RejectsNotWritten] if error else [])):
            self.close()

    @property
    def written(self) -> bool:
        """Whether any row was written, and none was lost."""
        return self._write is not None

    def add(self, rejected: Rejected) -> None:
        """Write one row.

        Raises:
            RejectsNotWritten: the disk is full, for example.

        """
        self.reasons.add(rejected.reason, rejected.row)
        self._add(replace(rejected, original=self._as_written(rejected.original)))

    def add_late(self, run: str) -> str:
        """Write the rows of a run that Klaviyo rejected. Return what to know about them; empty if there is nothing.

        Raises:
            RejectsNotWritten: the disk is full, for example. All reasons are counted nevertheless.
            SourceError: the source can no longer be read.

        """
        late = {each["row"]: each for each in late_rejects(run)}
        for row in sorted(late):
            self.reasons.add(late[row]["reason"], row)
        found = self._read_again(late.keys())
        for row in sorted(late):
            each = late[row]
            original = (found or {}).get(row, () if self._layout.columns else each.get("sent") or {})
            self._add(Rejected(row, each["stage"], each["reason"], original))
        if found is not None:
            return ""
        how = "with their numbers and reasons only" if self._layout.columns else "as they were sent"
        return (
            f"{self._source.name} has changed since this import began, so the rows that Klaviyo rejected are in the "
            f"reject file {how}."
        )

    def close(self) -> None:
        """Close the file, and replace older ones in which nothing is lost by that.

        Raises:
            RejectsNotWritten: the disk is full, for example.

        """
        if self._context is None:
            return
        with self._writing():
            context, self._context = self._context, None
            context.__exit__(None, None, None)
            self.path = replace_shorter_copies(self.path, self._wanted)

    def _add(self, rejected: Rejected) -> None:
        with self._writing():
            if self._write is None:
                self._context = open_reject_file(self.path, self._layout)
                self._write = self._context.__enter__()
            assert self._write is not None
            self._write(rejected)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            context, self._context, self._write = self._context, None, None
            if context is not None:
                with suppress(OSError):
                    context.__exit__(None, None, None)
            raise RejectsNotWritten(self.path.name, error.strerror or str(error)) from None

    def _read_again(self, rows: Collection[int]) -> Mapping[int, Record | Unreadable] | None:
        """Return rows as they are in the source, if it can be read again; None if it has changed."""
        if self._has_changed is None or not rows:
            return {}
        if self._has_changed():
            return None
        found = dict(read_originals(self._source, rows))
        return None if self._has_changed() else found

    def _as_written(self, original: Record | Unreadable) -> Record | Unreadable:
        if self._has_changed or isinstance(original, Mapping | Unreadable):
            return original
        return dict(zip(self._source.columns or (), original, strict=False))


def watch_file(file: Path) -> Callable[[], bool]:
    """Return a function that tells whether a file has been replaced, written to or removed since this call."""
    before = _version(file)
    return lambda: _version(file) != before


def _version(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def late_rejects(run: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a run that Klaviyo rejected: row, stage, reason, and the record as it was sent."""
    for id in get_runs().jobs(run):
        yield from get_ledger().rejects_of(id)


@contextmanager
def open_reject_file(path: Path, source: Source) -> Iterator[Callable[[Rejected], None]]:
    """Create a file for the rejected rows of a source: a CSV for a CSV, otherwise JSON Lines.

    A CSV has the columns, delimiter and encoding of its source. Both formats add row, stage and reason, which an import
    of the corrected file ignores. The file contains personal data: only its owner may read it.

    Raises:
        FileExistsError: there is one already, which may have been corrected by now.

    """
    is_device = path.exists() and not path.is_file()
    encoding = source.dialect.encoding if source.dialect and source.columns else "utf-8"
    with open(
        path, "w" if is_device else "x", encoding=encoding, errors="replace", newline="", opener=_private
    ) as file:
        if source.columns is None:
            yield lambda rejected: _write_json(file.write, rejected)
            return
        added = count_reject_columns(source.columns)
        header = source.dialect.header if source.dialect else source.columns
        writer = csv.writer(file, delimiter=source.dialect.delimiter if source.dialect else ",")
        writer.writerow((*REJECT_COLUMNS, *header[added:]))

        def write(rejected: Rejected) -> None:
            for row, cells in _lines(rejected):
                writer.writerow((row, rejected.stage, rejected.reason, *cells[added:]))

        yield write


def _lines(rejected: Rejected) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the rejected rows of the file: for an order, the row of each of its items."""
    original = rejected.original
    assert not isinstance(original, Mapping | Unreadable), "a row of a CSV is a list of cells"
    if isinstance(original, Order):
        yield from enumerate(original.lines, original.first)
    else:
        yield rejected.row, original


def reject_path(given: Path | None, file: Path | None, source: Source, run: str) -> Path:
    """Return the path for the rows of a run that do not land: the given one, or one beside the source's file.

    Raises:
        InputError: it is the source itself, or cannot be written.

    """
    path = (given or _beside(file, source, run)).absolute()
    if not _is_writable(path):
        raise InputError("import", [f"{path} cannot be written: name another file for the rows that do not land"])
    if file and path.exists() and path.samefile(file):
        raise InputError("import", [f"{path.name} is the source: name another file for the rows that do not land"])
    return path


def _is_writable(path: Path) -> bool:
    try:
        is_device = path.exists() and not path.is_file()
        return not path.is_dir() and os.access(path if is_device else path.parent, os.W_OK)
    except OSError:  # the name is too long
        return False


def _beside(file: Path | None, source: Source, run: str) -> Path:
    run = run.replace(os.sep, "-")
    if file is None:
        return Path(f"{run}.rejects.jsonl")
    stem = file.name.removesuffix(".gz").rpartition(".")[0] or file.name
    return file.with_name(f"{stem}.{run}.rejects.{'jsonl' if source.columns is None else 'csv'}")


def first_unused_path(path: Path) -> Path:
    """Return the path, or the first like it, ``rejects.2.csv``, that does not exist."""
    return next(each for each in _like(path) if not each.is_file())


def replace_shorter_copies(written: Path, wanted: Path) -> Path:
    """Replace older reject files that are a beginning of this one, and return its path after that.

    An earlier process of the same run left them behind. A file that was changed is not such a beginning, and
    stays. If this file is itself a beginning of an older one, it is removed.
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


def read_originals(source: Source, rows: Collection[int]) -> Iterator[tuple[int, Record | Unreadable]]:
    """Yield the rows with these numbers, in order, by reading a file again.

    Raises:
        SourceError: it can no longer be read.

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
