"""How a file writes its dates and numbers is read off its rows, asked for, or said."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from tasks.imports.interpretation import interpret
from tasks.imports.options import Options
from tasks.imports.parts import Part, split_into_parts
from tasks.imports.sources import Batch, Source
from tests.tasks.action_samples import NOW
from tests.tasks.imports.import_runs import Run, items_of, taken
from worker.errors import InputError


def test_dates_are_read_by_the_evidence_of_any_row(run: Run):
    rows = "".join(f"p{number}@example.com,01/02/2024\n" for number in range(3_000))

    made = run("profiles", f"email,x\n{rows}last@example.com,13/02/2024\n", mapping=("x=properties.x:date",))

    assert {item["attributes"]["properties"]["x"] for item in made.items[:-1]} == {"2024-02-01"}


def test_a_column_of_dates_is_like_the_others_of_its_file(run: Run):
    made = run(
        "profiles", "email,x,y\na@b.c,01/02/2024,02/13/2024\n", mapping=("x=properties.x:date", "y=properties.y:date")
    )

    assert made.items[0]["attributes"]["properties"] == {"x": "2024-01-02", "y": "2024-02-13"}


@pytest.mark.parametrize(
    ("cell", "type", "told"),
    [
        ("01/02/2024", "date", "day-first or month-first with --dates"),
        ('"1,234"', "number", "decimal-comma or decimal-point with --decimals"),
    ],
)
def test_what_nothing_tells_is_asked_for_and_never_guessed(run: Run, cell: str, type: str, told: str):
    with pytest.raises(InputError, match=f"the values of column 'x' can be read in two ways: say {told}"):
        run("profiles", f"email,x\na@b.c,{cell}\n", mapping=(f"x=properties.x:{type}",))


def test_how_values_are_written_can_be_said(run: Run):
    table = 'email,x,y\na@b.c,01/02/2024,"1,234"\n'

    made = run(
        "profiles", table, mapping=("x=properties.x:date", "y=properties.y:number"), dates="day-first",
        decimals="decimal-comma",
    )  # fmt: skip

    assert made.items[0]["attributes"]["properties"] == {"x": "2024-02-01", "y": 1.234}


def test_standard_input_is_judged_by_its_first_rows():
    rows = [[f"p{number}@example.com", "13/02/2024"] for number in range(10)]
    once = iter([Batch(1, rows)])
    source = Source("standard input", ("email", "x"), lambda: once, rereadable=False)

    source, plan = interpret(source, "profiles", Options(mapping=("x=properties.x:date",), moment=NOW))

    (part,) = split_into_parts(source, plan)
    assert isinstance(part, Part)
    assert len(items_of("profiles", part)) == 10


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("45414", "2024-05-02"), ("45414.5", "2024-05-02T12:00:00"), ("45414,604166666664", "2024-05-02T14:30:00"),
        ("33217", "1990-12-10"),
    ],
)  # fmt: skip
def test_a_date_may_be_the_days_that_excel_counts(run: Run, cell: str, found: str):
    made = run("profiles", f'email,x\na@b.c,"{cell}"\n', mapping=("x=properties.x:date",))

    assert made.items[0]["attributes"]["properties"] == {"x": found}


def test_a_number_that_shows_its_own_decimal_mark_is_read_by_it_whatever_the_others_show(run: Run):
    cells = ('"1.040,00"', "40.00", "1.234", '"0,125"')
    rows = "".join(f"p{number}@example.com,{cell}\n" for number, cell in enumerate(cells))

    made = run("profiles", f"email,x\n{rows}", mapping=("x=properties.x:number",))

    assert [item["attributes"]["properties"]["x"] for item in made.items] == [1040, 40, 1234, 0.125]


def test_the_numbers_of_a_workbook_are_what_they_are_however_its_texts_are_written(tmp_path: Path):
    book = openpyxl.Workbook()
    cells = [9.375, -250.125, 1234.567, 0.125, 12.5, 7, "1.234,50", "9.375"]
    for row in [["email", "spent"], *([f"{number}@example.com", cell] for number, cell in enumerate(cells))]:
        book.active.append(row)
    book.save(tmp_path / "people.xlsx")

    how = {"mapping": ("spent=properties.spent:number",), "decimals": "decimal-comma"}
    _, people, rejected, _ = taken(tmp_path / "people.xlsx", **how)

    assert rejected == {}
    assert [each["properties"]["spent"] for each in people] == [
        9.375, -250.125, 1234.567, 0.125, 12.5, 7, 1234.5, 9375,
    ]  # fmt: skip
