"""The sources of rows: a CSV, JSON Lines, an Excel workbook, Parquet, standard input, or any iterable of mappings.

A CSV and JSON Lines may be gzipped, or the only file in a zip archive; a CSV may have any encoding.

Rows are numbered from 1; the header, what stands above it, rows without a value and a report's footer do not count.
They are read a batch at a time, never all at once.
"""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any, Literal, cast, get_args

import orjson

from tasks.imports.encodings import SAMPLE_BYTES, detect_encoding, encoding_named
from tasks.imports.footers import drop_footers
from tasks.imports.grid import Grid, grid_of, quoted_grid_of
from tasks.imports.headers import HEADER_ROWS, is_sparse, name_columns, rows_above_header
from tasks.imports.packed import DAMAGED, member_of, unpack
from worker.errors import SourceError

Format = Literal["csv", "jsonl", "xlsx", "parquet"]
#: A row as it is in its source: the cells of a table, or a mapping.
Record = Sequence[str] | Mapping[str, Any]


class TurnedDown(dict[str, Any]):
    """A row of a JSON Lines reject file: the original row, and the stage at which it was rejected."""

    def __init__(self, original: Mapping[str, Any], stage: str) -> None:
        super().__init__(original)
        self.stage = stage


STDIN = "-"
#: The columns that a reject file adds before those of the source.
REJECT_COLUMNS = ("row", "stage", "reason")
FORMATS: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".xlsx": "xlsx", ".xlsm": "xlsx", ".xls": "xlsx", ".ods": "xlsx", ".parquet": "parquet",
}  # fmt: skip
#: Characters of a CSV, or rows of anything else, in a batch. With so few, all items together are mostly smaller than
#: Klaviyo's limit for a single one, and need not be measured one by one.
BATCH_CHARACTERS = 1 << 16
BATCH_ROWS = 500
#: Longer cells and lines are not read into memory: they lack a closing quote or a newline.
MAX_LINE_CHARACTERS = 1_000_000

_DELIMITERS = ",;\t|"
#: The line before the header that tells Excel the delimiter.
_SEPARATOR = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is not a row, and why."""

    text: str
    reason: str


#: Rows that follow each other.
Rows = Sequence[Record | Unreadable] | Grid


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that follow each other; ``first`` is the number of the first."""

    first: int
    rows: Rows


@dataclass(slots=True)
class Meter:
    """How far a file has been read, in bytes; 0 for a pipe or an iterable."""

    size: int = 0
    _file: IO[bytes] | None = None

    def follow(self, file: IO[bytes] | None) -> None:
        """Measure this file from now on, or none."""
        stat = os.fstat(file.fileno()) if file else None
        if stat:
            self.size = stat.st_size if S_ISREG(stat.st_mode) else 0
        self._file = file if self.size else None

    @property
    def read(self) -> int:
        """The number of bytes that have been read."""
        return self._file.tell() if self._file else 0


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV is written: its original ``header``, its delimiter, its encoding."""

    header: tuple[str, ...]
    delimiter: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Source:
    """Rows. ``columns`` is None if each row names its own, and ``dialect`` is None unless it is a CSV.

    ``batches`` raises `SourceError` if the source turns out not to be what it claims to be. Called again, it reads a
    file again; standard input and an iterable can be read once.
    """

    name: str
    columns: tuple[str, ...] | None
    batches: Callable[[], Iterator[Batch]]
    meter: Meter = field(default_factory=Meter)
    dialect: Dialect | None = None
    rereadable: bool = True


def open_rows(
    given: str | Path | Iterable[Mapping[str, Any]],
    format: Format | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Source:
    """Open a path, ``-`` for standard input, or mappings, as a source.

    A CSV's delimiter is detected by its header, its encoding by its bytes.

    Raises:
        SourceError: it cannot be read, or it is not what it claims to be.

    """
    if not isinstance(given, str | Path):
        return Source("the rows", None, lambda: _numbered(_grouped(iter(given))), rereadable=False)
    name, meter = "standard input" if str(given) == STDIN else Path(given).name, Meter()
    form = format or _format(given, name)
    if form == "xlsx":
        return _workbook(Path(given), name)
    if form == "parquet":
        return _parquet(Path(given), name)
    if form == "jsonl":
        if str(given) != STDIN:
            with closing(_json_lines(given, name, meter)) as lines:
                next(lines)
        return Source(name, None, lambda: _numbered(_json_lines(given, name, meter)), meter)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise SourceError(name, "a delimiter is a single character, such as ';', and no quote or line break")
    found: list[Dialect] = []
    try:
        given_encoding = encoding_named(encoding) if encoding else None
    except ValueError as error:
        raise SourceError(name, str(error)) from None
    blocks = _csv(given, name, delimiter, given_encoding, meter, found)
    (header,) = cast(list[list[str]], next(blocks))
    (dialect,) = found
    columns = name_columns(header, count_reject_columns(header))
    if str(given) == STDIN:
        return Source(name, columns, lambda: _numbered(blocks), meter, dialect, rereadable=False)
    blocks.close()

    def again() -> Iterator[Batch]:
        return _numbered(islice(_csv(given, name, dialect.delimiter, dialect.encoding, meter, []), 1, None))

    return Source(name, columns, again, meter, dialect)


def _workbook(path: Path, name: str) -> Source:
    from tasks.imports.workbooks import rows_of  # here, not above: its library is large, and rarely needed

    with closing(rows_of(path, name, BATCH_ROWS)) as rows:
        ((header, *_), *_) = [next(rows)]
    columns = name_columns(header, count_reject_columns(header))
    return Source(name, columns, lambda: _numbered(islice(rows_of(path, name, BATCH_ROWS), 1, None)))


def _parquet(path: Path, name: str) -> Source:
    from tasks.imports.parquet import records_of  # here, not above: it is an extra

    with closing(records_of(path, name, BATCH_ROWS)) as records:
        next(records, None)
    return Source(name, None, lambda: _numbered(records_of(path, name, BATCH_ROWS)))


def count_reject_columns(columns: Sequence[str]) -> int:
    """Return the number of leading columns that a reject file has added to its source's."""
    return len(REJECT_COLUMNS) if tuple(columns[: len(REJECT_COLUMNS)]) == REJECT_COLUMNS else 0


def _format(given: str | Path, name: str) -> Format:
    inner = name.lower().removesuffix(".gz")
    if inner.endswith(".zip") and str(given) != STDIN:
        inner = member_of(Path(given), name).lower()
    suffix = Path(inner).suffix
    if suffix not in FORMATS:
        raise SourceError(name, f"its name does not show its format: say which it is, {', '.join(get_args(Format))}")
    return FORMATS[suffix]


def _numbered(blocks: Iterable[Rows]) -> Iterator[Batch]:
    first = 1
    for rows in blocks:
        yield Batch(first, rows)
        first += len(rows)


def _grouped(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while block := list(islice(rows, BATCH_ROWS)):
        yield [row if isinstance(row, Mapping) else Unreadable(str(row), "this is not a mapping") for row in block]


def _json_lines(given: str | Path, name: str, meter: Meter) -> Generator[list[Record | Unreadable], None, None]:
    with _opened(given, name, meter) as binary:
        block: list[Record | Unreadable] = []
        for number, line in enumerate(iter(lambda: binary.readline(MAX_LINE_CHARACTERS + 1), b""), 1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
                if line.lstrip()[:1] not in (b"{", b""):
                    raise SourceError(name, "this is not JSON Lines, which is one object, {…}, in each line")
            if line.isspace():
                continue
            block.append(_json(line) if len(line) <= MAX_LINE_CHARACTERS else _too_long(line, binary))
            if len(block) == BATCH_ROWS:
                yield block
                block = []
        yield block


def _json(line: bytes) -> Record | Unreadable:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        row = line.decode(errors="replace").strip()
    stage = None
    if isinstance(row, dict) and row.keys() == {*REJECT_COLUMNS, "original"}:
        row, stage = row["original"], str(row["stage"])
    if isinstance(row, dict):
        return row if stage is None else TurnedDown(row, stage)
    return Unreadable(row if isinstance(row, str) else orjson.dumps(row).decode(), "this is no JSON object")


def _too_long(line: bytes, binary: IO[bytes]) -> Unreadable:
    """Skip the rest of a line."""
    start = line[:MAX_LINE_CHARACTERS].decode(errors="replace")
    while line and not line.endswith(b"\n"):
        line = binary.readline(MAX_LINE_CHARACTERS)
    return Unreadable(start, f"the line is over {MAX_LINE_CHARACTERS:,} bytes")


@dataclass(slots=True)
class _Place:
    """The number of lines read, and the line in which the current row begins."""

    line: int = 0
    row: int = 1


def _csv(
    given: str | Path, name: str, delimiter: str | None, encoding: str | None, meter: Meter, found: list[Dialect]
) -> Generator[list[list[str]] | Grid, None, None]:
    """Yield the header alone, then the rows; the dialect is appended to ``found`` with the header."""
    if csv.field_size_limit() < MAX_LINE_CHARACTERS:
        csv.field_size_limit(MAX_LINE_CHARACTERS)
    if encoding is None and str(given) != STDIN:
        with _opened(given, name, Meter()) as binary:
            encoding = detect_encoding(binary, binary.read(SAMPLE_BYTES))
    place = _Place()
    with _opened(given, name, meter) as binary:
        if encoding is None:
            binary = io.BufferedReader(cast(io.RawIOBase, binary), SAMPLE_BYTES)
            encoding = detect_encoding(io.BytesIO(), binary.peek(SAMPLE_BYTES))
        text = io.TextIOWrapper(binary, encoding=encoding, newline="")
        try:
            yield from _table(text, name, delimiter, place, found)
        except UnicodeError:  # UTF-16 that lacks its mark is no `UnicodeDecodeError`
            where = f"line {place.line + 1:,} or one soon after it is not in {encoding.removesuffix('-sig')}"
            raise SourceError(name, f"{where}: say its encoding, such as cp1252") from None
        except csv.Error as error:
            large = (
                f"a cell is over {MAX_LINE_CHARACTERS:,} characters: perhaps " if "field larger" in str(error) else ""
            )
            where = f"in the row that begins in line {place.row:,}"
            raise SourceError(name, f"{large}a quote is not closed, or stands where none belongs, {where}") from None
        finally:
            text.detach()  # or it would close standard input


def _table(
    text: io.TextIOWrapper, name: str, delimiter: str | None, place: _Place, found: list[Dialect]
) -> Iterator[list[list[str]] | Grid]:
    def further() -> Iterator[str]:
        while line := text.readline(MAX_LINE_CHARACTERS):
            place.line += 1
            yield line

    def whole_lines() -> Iterator[str]:
        for line in further():
            if len(line) == MAX_LINE_CHARACTERS:
                raise too_long(place.line)
            yield line

    def too_long(line: int) -> SourceError:
        return SourceError(name, f"line {line:,} is over {MAX_LINE_CHARACTERS:,} characters")

    first = next(further(), "")
    if separator := _SEPARATOR.fullmatch(first):
        delimiter, first = delimiter or separator[1], next(further(), "")
    if first.lstrip()[:1] in ("{", "["):
        raise SourceError(name, "this is JSON, not CSV; say that its format is jsonl")
    ahead, delimiter = _find_header(first, whole_lines(), delimiter)
    header = next(filter(None, csv.reader(chain(ahead, further()), delimiter=delimiter, strict=True)), None)
    if header is None:
        raise SourceError(name, "it is empty: the first line must name the columns")
    found.append(Dialect(tuple(header), delimiter, text.encoding))
    yield [header]
    read_ahead = "".join(ahead)
    place.line -= _lines(read_ahead)
    while block := read_ahead + text.read(BATCH_CHARACTERS) + (end := text.readline(MAX_LINE_CHARACTERS)):
        read_ahead = ""
        if len(end) == MAX_LINE_CHARACTERS:
            raise too_long(place.line + _lines(block) + 1)
        place.row = place.line + 1
        yield _rows_in(block, further(), delimiter, len(header), place)


def _rows_in(block: str, further: Iterable[str], delimiter: str, width: int, place: _Place) -> list[list[str]] | Grid:
    """Return the rows that begin in a block of whole lines, without a report's footer."""
    try:
        rows = _rows(block, further, delimiter, width)
    except _Broken as broken:
        place.row += broken.line
        raise
    place.line += _lines(block)
    return rows if isinstance(rows, Grid) else drop_footers(rows, width)


def _lines(block: str) -> int:
    """Count the lines of a block, whichever line ending it has."""
    return block.count("\n") or block.count("\r")


class _Broken(csv.Error):
    """A row with malformed quotes; ``line`` is where it begins in its block, counted from 0."""

    def __init__(self, line: int, error: csv.Error) -> None:
        super().__init__(str(error))
        self.line = line


def _rows(block: str, further: Iterable[str], delimiter: str, width: int) -> list[list[str]] | Grid:
    """Return the rows that begin in a block of whole lines. A quoted cell may end in a later line."""
    if '"' not in block:
        # Without quotes, splitting by the delimiter takes a third of the reader's time.
        lines = block.replace("\r\n", "\n") if "\r" in block else block
        if "\r" not in lines:
            grid = grid_of(lines, delimiter, width)
            if grid and not grid.has_sparse_row():
                return grid
            return list(filter(any, map(str.split, lines.split("\n"), repeat(delimiter))))
    if len(block) <= MAX_LINE_CHARACTERS and (grid := quoted_grid_of(block, delimiter, width)):
        return list(filter(any, grid)) if grid.has_sparse_row() else grid
    if block.count('"') % 2 == 0:
        # All quotes seem to be closed within the block.
        with suppress(csv.Error):
            return list(filter(any, csv.reader(io.StringIO(block, newline=""), delimiter=delimiter, strict=True)))
    own = list(io.StringIO(block, newline=""))
    reader = csv.reader(chain(own, further), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    begun = 0
    try:
        while reader.line_num < len(own) and (row := next(reader, None)) is not None:
            begun = reader.line_num
            if any(row):
                rows.append(row)
    except csv.Error as error:
        raise _Broken(begun, error) from None
    return rows


def _sniff_delimiter(header: str) -> str:
    """Return the delimiter that a header uses most outside of quotes."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=bare.count)


def _find_header(first: str, further: Iterator[str], delimiter: str | None) -> tuple[Iterator[str], str]:
    """Return the lines from the header on, as far as they have been read, and the delimiter.

    Only below a first line that looks like a title are further lines looked at.
    """
    sniffed = delimiter or _sniff_delimiter(first)
    cell_goes_on = first.count('"') % 2
    if cell_goes_on or not is_sparse(_cells(first, sniffed)):
        return iter([first]), sniffed
    lines = [first, *islice(further, HEADER_ROWS - 1)]
    for each in [sniffed] if delimiter or sniffed in first else _DELIMITERS:
        if above := rows_above_header([_cells(line, each) for line in lines]):
            return iter(lines[above:]), each
    return iter(lines), sniffed


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


@contextmanager
def _opened(given: str | Path, name: str, meter: Meter) -> Iterator[IO[bytes]]:
    """Open the decompressed bytes of a file; errors while reading become a `SourceError`."""
    stdin = str(given) == STDIN
    try:
        with open(sys.stdin.fileno() if stdin else given, "rb", closefd=not stdin) as binary:
            meter.follow(binary)
            yield unpack(binary, name)
    except DAMAGED:
        raise SourceError(name, "the compressed file is damaged or cut short") from None
    except OSError as error:
        raise SourceError(name, f"it cannot be read: {error.strerror}") from None
    finally:
        meter.follow(None)
