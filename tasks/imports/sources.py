"""Where rows come from: a CSV, JSON Lines, either of them gzipped, standard input, or any iterable of mappings.

Rows are numbered from 1; neither a header nor a blank line counts. They are read a batch at a time, never all at once.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import sys
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any, Literal, cast

import orjson

from tasks.imports.grid import Grid, grid_of
from worker.errors import SourceError

Format = Literal["csv", "jsonl"]
#: A row as its source has it: the cells of a CSV, or a mapping.
Record = Sequence[str] | Mapping[str, Any]


class TurnedDown(dict[str, Any]):
    """A row of a reject file of JSON Lines, as it was before it was turned down, and the stage that it came to."""

    def __init__(self, original: Mapping[str, Any], stage: str) -> None:
        super().__init__(original)
        self.stage = stage


STDIN = "-"
#: What a reject file says of a row before what the source said of it.
REJECT_COLUMNS = ("row", "stage", "reason")
FORMATS: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip
#: Characters of a CSV, or rows of anything else, that make a batch. Of so few, all items together are mostly smaller
#: than Klaviyo lets a single one be, and need not be measured one by one.
CHARACTERS = 1 << 15
ROWS = 500
#: Characters of a cell, bytes of a line: what is longer is not taken into memory. It lacks a quote or a line break.
LONGEST = 1_000_000

_DELIMITERS = ",;\t|"
#: By this line before the header Excel is told the delimiter.
_SEPARATOR = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no row, and why."""

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
    """How far a file has been read, in bytes; of a pipe or an iterable nothing is known."""

    size: int = 0
    _file: IO[bytes] | None = None

    def follow(self, file: IO[bytes] | None) -> None:
        """From now on this file is read, or none."""
        stat = os.fstat(file.fileno()) if file else None
        if stat:
            self.size = stat.st_size if S_ISREG(stat.st_mode) else 0
        self._file = file if self.size else None

    @property
    def read(self) -> int:
        """How many bytes of it have been read."""
        return self._file.tell() if self._file else 0


@dataclass(frozen=True, slots=True)
class Source:
    """Rows. ``columns`` are None where each row says its own.

    ``batches`` raises `SourceError` where the source turns out not to be what it claims. Called again, it reads a
    file again; standard input and an iterable can be read once.
    """

    name: str
    columns: tuple[str, ...] | None
    batches: Callable[[], Iterator[Batch]]
    meter: Meter = field(default_factory=Meter)


def source_of(
    given: str | Path | Iterable[Mapping[str, Any]], format: Format | None = None, delimiter: str | None = None
) -> Source:
    """A path, ``-`` for standard input, or mappings, as a source.

    Raises:
        SourceError: it cannot be read, or it is not what it claims to be.

    """
    if not isinstance(given, str | Path):
        return Source("the rows", None, lambda: _numbered(_grouped(iter(given))))
    name = "standard input" if str(given) == STDIN else Path(given).name
    meter = Meter()
    if (format or _format(name)) == "jsonl":
        if str(given) != STDIN:
            with closing(_json_lines(given, name, meter)) as lines:
                next(lines)
        return Source(name, None, lambda: _numbered(_json_lines(given, name, meter)), meter)
    blocks = _csv(given, name, delimiter, meter)
    (header,) = cast(list[list[str]], next(blocks))
    if str(given) == STDIN:
        return Source(name, tuple(header), lambda: _numbered(blocks), meter)
    blocks.close()
    return Source(name, tuple(header), lambda: _numbered(islice(_csv(given, name, delimiter, meter), 1, None)), meter)


def added_columns(columns: Sequence[str]) -> int:
    """How many columns are not of the source: those at the head of a reject file that is imported again."""
    return len(REJECT_COLUMNS) if tuple(columns[: len(REJECT_COLUMNS)]) == REJECT_COLUMNS else 0


def _format(name: str) -> Format:
    suffix = Path(name.lower().removesuffix(".gz")).suffix
    if suffix not in FORMATS:
        raise SourceError(name, "its name does not tell what it is: say the format, csv or jsonl")
    return FORMATS[suffix]


def _numbered(blocks: Iterable[Rows]) -> Iterator[Batch]:
    first = 1
    for rows in blocks:
        yield Batch(first, rows)
        first += len(rows)


def _grouped(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while block := list(islice(rows, ROWS)):
        yield [row if isinstance(row, Mapping) else Unreadable(str(row), "this is not a mapping") for row in block]


def _json_lines(given: str | Path, name: str, meter: Meter) -> Generator[list[Record | Unreadable], None, None]:
    with _opened(given, name, meter) as binary:
        block: list[Record | Unreadable] = []
        for number, line in enumerate(iter(lambda: binary.readline(LONGEST + 1), b""), 1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
                if line.lstrip()[:1] not in (b"{", b""):
                    raise SourceError(name, "this is not JSON Lines, which is one object, {…}, in each line")
            if line.isspace():
                continue
            block.append(_json(line) if len(line) <= LONGEST else _too_long(line, binary))
            if len(block) == ROWS:
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
    """Pass over the rest of a line."""
    start = line[:LONGEST].decode(errors="replace")
    while line and not line.endswith(b"\n"):
        line = binary.readline(LONGEST)
    return Unreadable(start, f"the line is over {LONGEST:,} bytes")


def _csv(
    given: str | Path, name: str, delimiter: str | None, meter: Meter
) -> Generator[list[list[str]] | Grid, None, None]:
    """The header alone, then the rows."""
    if csv.field_size_limit() < LONGEST:
        csv.field_size_limit(LONGEST)
    with _opened(given, name, meter) as binary:
        text = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
        try:
            first = text.readline(LONGEST)
            if told := _SEPARATOR.fullmatch(first):
                delimiter, first = delimiter or told[1], text.readline(LONGEST)
            if first.lstrip()[:1] in ("{", "["):
                raise SourceError(name, "this is JSON, not CSV; say that its format is jsonl")
            delimiter = delimiter or _sniffed(first)
            header = next(filter(None, csv.reader(chain([first], text), delimiter=delimiter, strict=True)), None)
            if header is None:
                raise SourceError(name, "it is empty: the first line has to name the columns")
            yield [header]
            while block := text.read(CHARACTERS) + (end := text.readline(LONGEST)):
                if len(end) == LONGEST:
                    raise SourceError(name, f"a line is over {LONGEST:,} characters")
                yield _rows(block, iter(lambda: text.readline(LONGEST), ""), delimiter, len(header))
        finally:
            text.detach()  # or it would close standard input


def _rows(block: str, further: Iterable[str], delimiter: str, width: int) -> list[list[str]] | Grid:
    """The rows that begin in a block of whole lines. A quoted cell may end in a further line."""
    if '"' not in block:
        # Without quotes a row is what stands between delimiters: a third of the time that the reader takes.
        lines = block.replace("\r\n", "\n") if "\r" in block else block
        if "\r" not in lines:
            return grid_of(lines, delimiter, width) or list(
                map(str.split, filter(None, lines.split("\n")), repeat(delimiter))
            )
    own = list(io.StringIO(block, newline=""))
    reader = csv.reader(chain(own, further), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    while reader.line_num < len(own) and (row := next(reader, None)) is not None:
        if row:
            rows.append(row)
    return rows


def _sniffed(header: str) -> str:
    """The delimiter that a header uses most, outside of quotes."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=bare.count)


@contextmanager
def _opened(given: str | Path, name: str, meter: Meter) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked; what goes wrong while they are read is told in a sentence."""
    stdin = str(given) == STDIN
    try:
        with open(sys.stdin.fileno() if stdin else given, "rb", closefd=not stdin) as binary:
            start = binary.peek(4)
            if start.startswith(_ZIP):
                raise SourceError(name, "this is an Excel workbook or a zip archive: save it as CSV (UTF-8)")
            meter.follow(binary)
            yield cast(IO[bytes], gzip.GzipFile(fileobj=binary) if start.startswith(_GZIP) else binary)
    except UnicodeDecodeError:
        raise SourceError(name, "this is not UTF-8 text: save it as CSV (UTF-8)") from None
    except csv.Error as error:
        large = f"a cell is over {LONGEST:,} characters: perhaps " if "field larger" in str(error) else ""
        raise SourceError(name, f"{large}a quote is not closed, or stands where none belongs") from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise SourceError(name, "the gzip file is damaged or cut short") from None
    except OSError as error:
        raise SourceError(name, f"it cannot be read: {error.strerror}") from None
    finally:
        meter.follow(None)
