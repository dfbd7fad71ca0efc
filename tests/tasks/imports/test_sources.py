"""Where rows come from, and files that are not what they claim to be."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.imports import sources
from tasks.imports.grid import quoted_grid_of
from tasks.imports.sources import Unreadable, open_rows
from tests.tasks.imports.import_runs import Run
from worker.errors import SourceError

TABLE = "email,title\nada@example.com,Countess\ngrace@example.com,Admiral\n"
ROWS = [["ada@example.com", "Countess"], ["grace@example.com", "Admiral"]]


def file(folder: Path, content: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zipped(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def rows_of(source: sources.Source) -> list[object]:
    return [row for batch in source.batches() for row in batch.rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_read_off_the_header(tmp_path: Path, delimiter: str):
    source = open_rows(file(tmp_path, TABLE.replace(",", delimiter)))

    assert source.columns == ("email", "title")
    assert rows_of(source) == ROWS


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"\r', "SEP=;"])
def test_the_line_that_tells_excel_the_delimiter_is_no_header(tmp_path: Path, line: str):
    source = open_rows(file(tmp_path, f"{line}\na,b;c\n1;2\n"))

    assert source.columns == ("a,b", "c")
    assert [list(row) for batch in source.batches() for row in batch.rows] == [["1", "2"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_the_encoding_is_told_by_the_bytes(tmp_path: Path, encoding: str):
    source = open_rows(file(tmp_path, "förnamn;ort\nÅsa;Växjö\n".encode(encoding)))

    assert source.columns == ("förnamn", "ort")
    assert rows_of(source) == [["Åsa", "Växjö"]]
    assert source.dialect
    assert source.dialect.encoding == encoding


def test_the_encoding_is_told_by_the_first_letter_that_is_no_ascii_however_late(tmp_path: Path):
    content = b"email\n" + b"ada@example.com\n" * 100_000

    assert rows_of(open_rows(file(tmp_path, content + "Jürgen\n".encode("cp1252"))))[-1] == ["Jürgen"]
    assert rows_of(open_rows(file(tmp_path, content + b"J\xc3\xbcrgen\n")))[-1] == ["Jürgen"]


def test_polish_and_russian_letters_of_one_byte_are_told_apart(tmp_path: Path):
    polish, russian = "imię\nŁukasz Żółć\n", "имя\nИван Петров, Москва\n"

    assert rows_of(open_rows(file(tmp_path, polish.encode("cp1250")))) == [["Łukasz Żółć"]]
    assert open_rows(file(tmp_path, russian.encode("cp1251"))).columns == ("имя",)


@pytest.mark.parametrize(
    "text", ["Jürgen", "Zoë;12,50 €", "€ 5;Åsa;Öst", "O’Hara;café", "“Ñandú” – José", "Müller;5 €;6 €;7 €;8 €;9 €"]
)
def test_western_letters_and_signs_are_those_of_windows(tmp_path: Path, text: str):
    assert rows_of(open_rows(file(tmp_path, f"name\n{text}\n".encode("cp1252")), delimiter="\t")) == [[text]]


def test_letters_of_old_macs_are_known_by_their_words(tmp_path: Path):
    text = "José Ñandú, Jürgen Müller, Åsa Öst"

    assert rows_of(open_rows(file(tmp_path, f"name\n{text}\n".encode("mac_roman")), delimiter="\t")) == [[text]]


def test_an_encoding_can_be_said_and_has_to_be_one(tmp_path: Path):
    path = file(tmp_path, "email\nJürgen\n".encode("cp850"))

    assert rows_of(open_rows(path, encoding="cp850")) == [["Jürgen"]]
    with pytest.raises(SourceError, match="line 1 or one soon after it is not in utf-8: say its encoding"):
        rows_of(open_rows(path, encoding="UTF8"))
    with pytest.raises(SourceError, match="'base64' is not an encoding"):
        open_rows(path, encoding="base64")


def test_columns_that_are_named_twice_or_not_at_all_are_told_by_their_place(tmp_path: Path):
    source = open_rows(file(tmp_path, "first_name, email ,email,\ufeff\na,b,c,d\n"))

    assert source.columns == ("first_name", "email", "email (3)", "column 4")
    assert source.dialect
    assert source.dialect.header == ("first_name", " email ", "email", "\ufeff")


def test_places_in_a_reject_file_are_those_of_the_file_that_it_came_from(tmp_path: Path):
    source = open_rows(file(tmp_path, "row,stage,reason,email,email,\n1,check,bad,a,b,c\n"))

    assert source.columns == ("row", "stage", "reason", "email", "email (2)", "column 3")


def test_a_file_alone_in_a_zip_archive_is_read_from_there(tmp_path: Path):
    packed = zipped({"folder/customers.csv": TABLE, "__MACOSX/folder/._customers.csv": "?"})

    assert rows_of(open_rows(file(tmp_path, packed, "export.zip"))) == ROWS
    lines = zipped({"rows.jsonl": '{"a": 1}'})
    assert rows_of(open_rows(file(tmp_path, lines, "export.zip"))) == [{"a": 1}]


def test_a_workbook_is_read_as_excel_would_write_it_as_csv(tmp_path: Path):
    book = openpyxl.Workbook()
    book.active.title = "empty"
    sheet = book.create_sheet("customers")
    for row in [
        ["email", "phone", "joined", "spent", "vip", None],
        ["ada@example.com", 46701112233, date(2024, 5, 23), 12.5, True, None],
        [None] * 6,
        ["grace@example.com", "+46701112234", None, None, False, "x"],
    ]:
        sheet.append(row)
    book.save(tmp_path / "customers.xlsx")

    source = open_rows(tmp_path / "customers.xlsx")

    assert source.columns == ("email", "phone", "joined", "spent", "vip", "column 6")
    assert rows_of(source) == [
        ["ada@example.com", "46701112233", "2024-05-23", "12.5", "true", ""],
        ["grace@example.com", "+46701112234", "", "", "false", "x"],
    ]


def test_the_rows_of_parquet_are_mappings(tmp_path: Path):
    rows = [{"email": "ada@example.com", "born": date(1815, 12, 10)}, {"email": None, "born": None}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")

    assert rows_of(open_rows(tmp_path / "rows.parquet")) == rows


NANOSECONDS, IN_MICROSECONDS = 1_700_000_000_123_456_789, datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        ([NANOSECONDS], pyarrow.timestamp("ns", "UTC"), IN_MICROSECONDS),
        ([[NANOSECONDS]], pyarrow.list_(pyarrow.timestamp("ns", "UTC")), [IN_MICROSECONDS]),
        ([[NANOSECONDS]], pyarrow.list_(pyarrow.timestamp("ns", "UTC"), 1), [IN_MICROSECONDS]),
        ([{"at": 1_001}], pyarrow.struct([("at", pyarrow.time64("ns"))]), {"at": time(0, 0, 0, 1)}),
        ([[("a", 1), ("b", 2)]], pyarrow.map_(pyarrow.string(), pyarrow.int64()), {"a": 1, "b": 2}),
    ],
)
def test_the_values_of_parquet_are_as_in_json_and_times_cut_to_microseconds(
    tmp_path: Path, values: list[Any], kind: pyarrow.DataType, read: object
):
    pyarrow.parquet.write_table(pyarrow.table({"value": pyarrow.array(values, kind)}), tmp_path / "rows.parquet")

    assert rows_of(open_rows(tmp_path / "rows.parquet")) == [{"value": read}]


def test_the_times_of_spark_are_read_as_they_were_written(tmp_path: Path):
    forever = datetime.fromisoformat("9999-12-31T00:00:00")
    table = pyarrow.table({"until": pyarrow.array([forever], pyarrow.timestamp("us"))})
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet", use_deprecated_int96_timestamps=True)

    assert rows_of(open_rows(tmp_path / "rows.parquet")) == [{"until": forever}]


def test_a_time_that_no_calendar_has_is_told_with_its_column(tmp_path: Path):
    times = {
        "joined": pyarrow.array([0], pyarrow.timestamp("us")),
        "left": pyarrow.array([2**62], pyarrow.timestamp("us")),
    }
    pyarrow.parquet.write_table(pyarrow.table(times), tmp_path / "rows.parquet")

    with pytest.raises(SourceError, match=r"rows\.parquet: a time in left is outside the years 1 to 9999\."):
        rows_of(open_rows(tmp_path / "rows.parquet"))


#: A text of two bytes that are no UTF-8.
NO_TEXT = pyarrow.Array.from_buffers(
    pyarrow.string(), 1, [None, pyarrow.py_buffer(b"\0\0\0\0\2\0\0\0"), pyarrow.py_buffer(b"\xff\xfe")]
)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"city": NO_TEXT}, "a text in city is not UTF-8"),
        ({"at": pyarrow.array([1], pyarrow.timestamp("us", "Moon/Tycho"))}, "the time zone of at is not known here"),
    ],
)
def test_what_python_cannot_express_is_told_with_its_column(
    tmp_path: Path, columns: dict[str, pyarrow.Array], told: str
):
    table = pyarrow.table({"email": ["ada@example.com"], **columns})
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")

    with pytest.raises(SourceError, match=rf"^rows\.parquet: {told}\.$"):
        rows_of(open_rows(tmp_path / "rows.parquet"))


def test_of_two_columns_of_parquet_with_one_name_none_is_dropped_unsaid(tmp_path: Path):
    table = pyarrow.Table.from_arrays([pyarrow.array(["Ada"]), pyarrow.array(["Grace"])], names=["first_name"] * 2)
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")

    with pytest.raises(SourceError, match="several columns are called first_name"):
        open_rows(tmp_path / "rows.parquet")


def test_a_delimiter_inside_quotes_does_not_count(tmp_path: Path):
    source = open_rows(file(tmp_path, '"a;b;c;d",email\n1,2\n'))

    assert source.columns == ("a;b;c;d", "email")


def test_a_delimiter_can_be_said(tmp_path: Path):
    assert open_rows(file(tmp_path, "a,b;c\n"), delimiter=";").columns == ("a,b", "c")


@pytest.mark.parametrize(
    "content",
    [
        TABLE.encode("utf-8-sig"),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace("\n", "\r").encode(),
        TABLE.rstrip("\n").encode(),
        TABLE.replace("\n", "\n\n").encode(),
        TABLE.replace("Countess", '"Countess"').encode(),
        gzip.compress(TABLE.encode(), mtime=0),
    ],
    ids=["mark", "crlf", "cr", "no end", "blank lines", "quotes", "gzip"],
)
def test_a_csv_reads_the_same_in_all_its_dialects(tmp_path: Path, content: bytes):
    source = open_rows(file(tmp_path, content))

    assert source.columns == ("email", "title")
    assert rows_of(source) == ROWS


@pytest.mark.parametrize("lines", ["a,b\n", "a,b\nc\nd,e,f\n", "a,b,c\nd\n", "a\n\nb,c", "a,\n,b\n"])
def test_lines_are_the_rows_that_a_reader_sees(tmp_path: Path, lines: str):
    source = open_rows(file(tmp_path, f"email,title\n{lines}"))

    assert rows_of(source) == [row for row in csv.reader(lines.splitlines()) if row]


QUOTED = st.lists(st.lists(st.text('a,"\n\r ', max_size=4), min_size=2, max_size=2), min_size=1, max_size=6)


@settings(max_examples=300)
@given(rows=QUOTED, row_end=st.sampled_from(["\n", "\r\n"]))
def test_rows_in_quotes_are_those_that_a_reader_sees(rows: list[list[str]], row_end: str):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=row_end).writerows(rows)

    grid = quoted_grid_of(text.getvalue(), ",", 2)

    assert grid is None or list(grid) == rows
    assert (grid is None) == any('"' in cell for row in rows for cell in row)


@settings(max_examples=500)
@given(
    rows=QUOTED,
    row_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    empty=st.sampled_from([None, "", 1]),
)
def test_rows_of_which_some_cells_are_in_quotes_are_those_that_a_reader_sees(
    rows: list[list[Any]], row_end: str, quoting: int, empty: Any
):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator=row_end).writerows([[empty, *row, "x"] for row in rows])

    grid = quoted_grid_of(text.getvalue(), ",", 4)

    read = list(csv.reader(io.StringIO(text.getvalue(), newline=""), strict=True))
    assert grid is None or list(grid) == read
    if grid is not None:
        assert [grid.column(place) for place in range(4)] == [[row[place] for row in read] for place in range(4)]
        assert grid.verbatim == (not any(mark in "".join(map("".join, read)) for mark in "\r\n"))
    assert (grid is None) <= any(mark in cell for row in rows for cell in row for mark in '"\r\n')


@pytest.mark.parametrize(
    "block",
    [
        '"a"b,"c"\n', 'a"b",c\n', '"a","b"\n\n"c","d"\n', '"a";"b"\n', '"a"\n"b"\n', '"a",b\nc\n', '"a",b\rc,d\n',
        '"a",b\r\nc,d\n', '"a",b\nc,d\r\n', '"a ""b""",c\n', '"",b"\n',
    ],
)  # fmt: skip
def test_rows_whose_quotes_are_not_those_of_cells_are_left_to_the_reader(block: str):
    assert quoted_grid_of(block, ",", 2) is None


@pytest.mark.parametrize(("second", "verbatim"), [("two", True), ("two\nlines", False)])
def test_cells_in_quotes_are_escaped_where_one_of_them_has_lines(second: str, verbatim: bool):
    grid = quoted_grid_of(f'"one","{second}"\n"three","four"\n', ",", 2)

    assert grid is not None
    assert grid.verbatim is verbatim


def test_a_cell_in_quotes_keeps_its_lines(run: Run):
    made = run("profiles", '"email","title"\n"a@b.co","one\ntwo"\n"b@b.co","x"\n')

    assert [item["attributes"].get("title") for item in made.items] == ["one\ntwo", "x"]


def test_a_blank_line_is_no_row_of_a_single_column(tmp_path: Path):
    assert rows_of(open_rows(file(tmp_path, "email\na@b.c\n\nb@b.c\n"))) == [["a@b.c"], ["b@b.c"]]


@pytest.mark.parametrize("quote", ["", '"'])
def test_lines_below_a_table_are_no_rows(tmp_path: Path, quote: str):
    below = ["Contacts", "Copyright (c) 2000-2026 A Vendor. All rights reserved.", "Generated By: somebody  5/23/2024"]
    text = "\n".join(
        ["email,first,last", "a@b.c", "Contacts", "b@b.c,B,", "", *(f"{quote}{line}{quote}" for line in below)]
    )

    rows = rows_of(open_rows(file(tmp_path, f"{text}\n")))

    assert rows == [["a@b.c"], ["Contacts"], ["b@b.c", "B", ""]]


@pytest.mark.parametrize("line", ["ada@example.com", "Ada", "Total war", "12"])
def test_a_short_row_is_not_taken_for_a_line_below_the_table(tmp_path: Path, line: str):
    assert rows_of(open_rows(file(tmp_path, f"email,first,last\n{line}\n"))) == [[line]]


def test_a_quoted_cell_goes_on_over_the_end_of_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "BATCH_CHARACTERS", 10)
    text = 'email,note\nada@example.com,"one\ntwo ""2""\nthree, four"\ngrace@example.com,x\n"e","f"\n'

    batches = list(open_rows(file(tmp_path, text)).batches())

    assert [(batch.first, list(batch.rows)) for batch in batches] == [
        (1, [["ada@example.com", 'one\ntwo "2"\nthree, four']]),
        (2, [["grace@example.com", "x"]]),
        (3, [["e", "f"]]),
    ]


def test_json_lines_are_numbered_without_blank_lines(tmp_path: Path):
    source = open_rows(file(tmp_path, '{"a": 1}\n\n[2]\n{"a": 3\n{"a": 4}', "rows.jsonl"))

    assert source.columns is None
    bad = [Unreadable(text, "this is no JSON object") for text in ("[2]", '{"a": 3')]
    assert rows_of(source) == [{"a": 1}, *bad, {"a": 4}]


def test_what_is_gzipped_is_known_by_its_content(tmp_path: Path):
    source = open_rows(file(tmp_path, gzip.compress(b'\xef\xbb\xbf{"a": 1}\n', mtime=0), "rows.ndjson.gz"))

    assert rows_of(source) == [{"a": 1}]


def test_a_file_can_be_read_again(tmp_path: Path):
    source = open_rows(file(tmp_path, TABLE))

    assert rows_of(source) == rows_of(source) == ROWS


@pytest.mark.parametrize(("format", "content"), [("csv", TABLE), ("jsonl", '{"a": 1}\n{"a": 2}\n')])
def test_standard_input_needs_its_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str, content: str):
    with file(tmp_path, content).open() as piped:
        monkeypatch.setattr("sys.stdin", piped)
        with pytest.raises(SourceError, match="say which it is, csv, jsonl, xlsx, parquet"):
            open_rows("-")
        source = open_rows("-", format)

        assert len(rows_of(source)) == 2


def test_any_iterable_of_mappings_is_a_source():
    source = open_rows({"number": number} for number in range(sources.BATCH_ROWS + 1))

    assert [(batch.first, len(batch.rows)) for batch in source.batches()] == [
        (1, sources.BATCH_ROWS),
        (sources.BATCH_ROWS + 1, 1),
    ]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("rows.csv", b"", "it is empty"),
        ("rows.csv", b"PK\x03\x04rest", "the compressed file is damaged"),
        ("rows.csv", b'{"email": 1}\n', "this is JSON, not CSV"),
        ("rows.csv", b'email\n"ada\n', "a quote is not closed, .*, in the row that begins in line 2"),
        ("rows.csv", b'email\n"a\nb"\n\nc\n"ada\n"d"\n', "in the row that begins in line 6"),
        ("rows.csv", b'email\r"a"\r"ada\r', "in the row that begins in line 3"),
        ("rows.csv", zipped({"a": TABLE, "b": TABLE}), r"an archive of 2 files \(a, b\)"),
        ("rows.zip", zipped({}), r"an archive of 0 files"),
        ("rows.csv", zipped({"[Content_Types].xml": ""}), "an Excel workbook; say that its format is xlsx"),
        ("rows.zip", b"PK\x03\x04rest", "the compressed file is damaged"),
        ("rows.csv", gzip.compress(TABLE.encode(), mtime=0)[:-9], "damaged or cut short"),
        ("rows.csv", gzip.compress(TABLE.encode(), mtime=0)[:10] + b"\xff" * 9, "damaged or cut short"),
        ("rows.jsonl", b'[{"email": 1}]\n', "this is not JSON Lines"),
        ("rows.jsonl", b"email\nada\n", "this is not JSON Lines"),
        ("rows.xlsx", b"PK\x03\x04rest", "not an Excel workbook, or a damaged one"),
        ("rows.parquet", b"PAR1", "not a Parquet file, or a damaged one"),
        ("rows.parquet", b"PAR1" + bytes(100) + b"PAR1", "not a Parquet file, or a damaged one"),
        ("rows.pdf", TABLE.encode(), "its name does not show its format"),
    ],
)
def test_a_file_that_is_not_what_it_claims_is_told_in_a_sentence(tmp_path: Path, name: str, content: bytes, told: str):
    with pytest.raises(SourceError, match=told) as refused:
        rows_of(open_rows(file(tmp_path, content, name)))

    assert str(refused.value).startswith(f"{name}: ")
    assert str(refused.value).count(".") == name.count(".") + 1


def test_a_file_that_is_not_there_is_told_in_a_sentence(tmp_path: Path):
    with pytest.raises(SourceError, match=r"customers\.csv: it cannot be read: No such file or directory\."):
        open_rows(tmp_path / "customers.csv")


@pytest.mark.parametrize(
    ("content", "told"),
    [("email\n" + "x" * 1_200_000, "line 2 is over"), ('email\n"' + "x\n" * 600_000, "a cell is over")],
)
def test_a_csv_whose_lines_or_quotes_do_not_end_is_not_taken_into_memory(tmp_path: Path, content: str, told: str):
    with pytest.raises(SourceError, match=told):
        rows_of(open_rows(file(tmp_path, content)))


def test_a_json_line_that_does_not_fit_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "MAX_LINE_CHARACTERS", 10)

    rows = rows_of(
        open_rows(file(tmp_path, '{"a": 1}\n{"a": "long long long"}\n{"a": 2}\n{"a": "no end', "rows.jsonl"))
    )

    assert rows[::2] == [{"a": 1}, {"a": 2}]
    assert rows[1::2] == [Unreadable(text, "the line is over 10 bytes") for text in ('{"a": "lon', '{"a": "no ')]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_meter_tells_how_many_of_the_bytes_have_been_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
):
    monkeypatch.setattr(sources, "BATCH_CHARACTERS", 1_000)
    content = pack(b"email\n" + b"".join(b"p%d@example.com\n" % number for number in range(100_000)))
    source = open_rows(file(tmp_path, content))

    assert source.meter.read == 0
    shares = [source.meter.read / source.meter.size for _ in source.batches()]
    assert shares == sorted(shares)
    assert shares[0] < 0.4
    assert shares[-1] == 1.0


def test_of_what_is_no_file_the_meter_tells_nothing():
    source = open_rows([{"email": "ada@example.com"}])

    assert len(rows_of(source)) == 1
    assert (source.meter.read, source.meter.size) == (0, 0)


@pytest.mark.parametrize("blank", [",", '"",""', ""])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_row_without_a_value_is_none_wherever_it_stands(tmp_path: Path, blank: str, quote: str, newline: str):
    path = tmp_path / "rows.csv"
    row = f"{quote}a@b.c{quote},{quote}{quote}"
    path.write_text(newline.join(["email,name", blank, row, blank, blank, row, blank, blank]), newline="")

    (batch,) = open_rows(path).batches()

    assert list(batch.rows) == [["a@b.c", ""], ["a@b.c", ""]]
