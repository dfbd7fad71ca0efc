"""The header of a table is found below a report's title, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from tasks.imports.headers import name_columns, rows_above_header
from tasks.imports.sources import open_rows

HEADER = ["First Name", "Last Name", "E-mail", "Total"]


@pytest.mark.parametrize(
    "above",
    [
        ["Customers 2024"], ["Customers 2024", "", "", ""], ["Contact", "", "Purchases", ""],
        ["Name of the list: News", "", "", ""],
    ],
)  # fmt: skip
def test_a_title_and_the_names_of_groups_stand_above_the_header(above: list[str]):
    row = ["Ada", "Lund", "ada@example.com", "7"]

    assert rows_above_header([above, HEADER, row]) == 1
    assert rows_above_header([above, [], HEADER, row]) == 2


def test_below_a_title_one_usual_name_among_several_cells_is_enough():
    header = ["Wer", "Wo", "E-Mail-Adresse", "Umsatz"]

    assert rows_above_header([["Report for Q1"], [], header, ["Ada", "Ulm", "ada@example.com", "7"]]) == 2
    assert rows_above_header([["Report", "for", "", "", "", ""], header]) == 0


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [["email"], ["ada@example.com"], ["bo@example.com"]],
        [["email"], ["ada@example.com", "Ada", "Lund"]],
        [["email", "", ""], ["ada@example.com", "", ""]],
        [["city", ""], ["Stockholm", "Ada Lund"]],
        [["first_name", "email", "email", ""], ["First name", "E-mail", "Email address", "City"]],
        [["E-post", "Namn"], ["City", "Email"]],
    ],
)
def test_the_first_row_is_the_header_unless_a_later_one_plainly_is(rows: list[list[str]]):
    assert rows_above_header(rows) == 0


@pytest.mark.parametrize("title", ["Kundlista 2024\n", "Kundlista 2024;;\n;;\n", '"Kunder; alla"\n\n'])
def test_a_csv_with_a_title_is_read_from_its_header_on(tmp_path: Path, title: str):
    path = tmp_path / "kunder.csv"
    path.write_text(f"{title}Förnamn;E-post;Ort\nAda;ada@example.com;Åre\nBo;bo@example.com;\n")

    source = open_rows(path)

    assert source.columns == ("Förnamn", "E-post", "Ort")
    assert [list(row) for batch in source.batches() for row in batch.rows] == [
        ["Ada", "ada@example.com", "Åre"], ["Bo", "bo@example.com", ""],
    ]  # fmt: skip


def test_a_header_whose_first_cell_has_two_lines_is_no_title(tmp_path: Path):
    path = tmp_path / "people.csv"
    path.write_text('"First\nname",Email,Phone\nAda,ada@example.com,\n')

    assert open_rows(path).columns == ("First\nname", "Email", "Phone")


def test_so_is_a_workbook(tmp_path: Path):
    book = openpyxl.Workbook()
    for row in (["Kundlista 2024"], [], ["Förnamn", "E-post"], ["Ada", "ada@example.com"]):
        book.active.append(row)
    book.save(tmp_path / "kunder.xlsx")

    source = open_rows(tmp_path / "kunder.xlsx")

    assert source.columns == ("Förnamn", "E-post")
    assert [list(row) for batch in source.batches() for row in batch.rows] == [["Ada", "ada@example.com"]]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (["email", "", "email"], ("email", "column 2", "email (3)")),
        (["tag", "tag (3)", "tag"], ("tag", "tag (3)", "tag (3) (3)")),
        (["column 2", ""], ("column 2", "column 2 (2)")),
    ],
)
def test_every_column_has_a_name_of_its_own(header: list[str], names: tuple[str, ...]):
    assert name_columns(header) == names
