"""Where one request ends and the next begins."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.imports import sources
from tasks.imports.kinds import KINDS, MARGIN_BYTES
from tests.soak import sized
from tests.tasks.action_samples import NOW
from tests.tasks.imports.import_runs import Made, Run, imported
from worker.api.declaration import MAX_BODY_BYTES


def profiles(count: int, size: int = 10) -> list[dict[str, Any]]:
    return [{"external_id": f"{number:0{size}}"} for number in range(count)]


@pytest.mark.parametrize(
    ("kind", "field", "most"),
    [("profiles", "external_id", 10_000), ("suppress", "email", 100), ("delete_catalog_items", "id", 100)],
)
def test_a_part_ends_with_the_count(run: Run, kind: str, field: str, most: int):
    made = run(kind, [{field: f"{number}@b.c"} for number in range(most + 1)])

    assert [part.rows for part in made.parts] == [f"1-{most}", str(most + 1)]
    assert [part.number for part in made.parts] == [1, 2]


def test_a_part_ends_with_the_bytes_before_the_count(run: Run):
    made = run("profiles", profiles(120, size=99_900))

    sizes = [len(part.body) for part in made.parts]
    assert len(made.parts) == 3
    assert made.rows == list(range(1, 121))
    assert all(MAX_BODY_BYTES - MARGIN_BYTES - 100_000 < size <= MAX_BODY_BYTES - MARGIN_BYTES for size in sizes[:-1])


def test_the_last_item_that_fits_to_the_byte_is_taken(run: Run):
    kind = KINDS["profiles"]
    frame = len(run("profiles", profiles(1)).parts[0].body) - 10
    between = len(run("profiles", profiles(2)).parts[0].body) - frame - 20
    count = 50
    room = kind.max_bytes - frame - (count - 1) * between
    size, rest = divmod(room, count)
    rows = [{"external_id": f"{number:0{size + (number < rest)}}"} for number in range(count)]

    exact = run("profiles", rows)
    longer = run("profiles", [*rows[:-1], {"external_id": rows[-1]["external_id"] + "0"}])

    assert [len(part.body) for part in exact.parts] == [kind.max_bytes]
    assert [part.rows for part in longer.parts] == ["1-49", "50"]


def test_the_parameters_of_the_request_stand_around_the_items(run: Run):
    made = run("profiles", profiles(1), params={"list_ids": ["Y6nRLr"]})

    assert orjson.loads(made.parts[0].body)["data"]["relationships"] == {
        "lists": {"data": [{"type": "list", "id": "Y6nRLr"}]}
    }


def test_a_part_names_the_rows_that_it_holds_and_no_others(run: Run):
    made = run("profiles", "email\na@b.c\nbad\nc@b.c\nd@b.c\nbad\nf@b.c\n")

    assert [part.rows for part in made.parts] == ["1,3-4,6"]


def test_the_same_source_makes_the_same_parts(run: Run):
    rows = "email,metric\n" + "a@b.c,M\n" * 1_500

    assert run("events", rows).parts == run("events", rows).parts


# Nothing is lost.

#: Whatever may be in a cell. A line that begins with © is a footer, and no row.
CELL = st.sampled_from(["", "a@b.c", "A@B.C", "b@b.c", "bad", "x y", '"', "+4917012345678", "é", "1\n2"]) | st.text(
    st.characters(exclude_characters="©", exclude_categories=["Cs"]), max_size=5
)
TABLE = st.lists(st.lists(CELL, min_size=3, max_size=3) | st.lists(CELL, min_size=2, max_size=2), max_size=30)


@pytest.mark.soak
@settings(max_examples=sized(30, 500))
@given(table=TABLE)
def test_every_row_is_in_exactly_one_part_or_rejected_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]
):
    text = io.StringIO()
    csv.writer(text).writerows([["email", "phone_number", "title"], *table])

    made = imported(tmp_path_factory.mktemp("rows"), "profiles", text.getvalue(), moment=NOW)

    table = list(filter(any, table))  # a row without a value is none
    rejected = [each.row for each in made.rejected]
    assert sorted([*made.rows, *rejected]) == list(range(1, len(table) + 1))
    assert made.rows == sorted(made.rows)
    assert rejected == sorted(rejected)
    titles = [item["attributes"].get("title", "") for item in made.items]
    assert titles == [[*table[row - 1], ""][2] for row in made.rows]
    assert [each.original for each in made.rejected] == [table[row - 1] for row in rejected]


PLAIN = st.sampled_from(
    ["", "a@b.co", "Ö@b.co", "+4917012345678", "'+46701112233", "NULL", "a\\b", "x, y", "1\n2"]
) | st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=4)


@settings(max_examples=60)
@given(
    table=st.lists(st.lists(PLAIN, min_size=3, max_size=3), min_size=1, max_size=20),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    row_end=st.sampled_from(["\n", "\r\n"]),
)
def test_the_quick_way_of_reading_makes_the_same_requests_as_the_reader_of_csv(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], quoting: int, row_end: str
):
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator=row_end).writerows([["email", "phone_number", "title"], *table])

    def made() -> Made:
        return imported(tmp_path_factory.mktemp("rows"), "profiles", text.getvalue(), moment=NOW)

    quick = made()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("grid_of", "quoted_grid_of"):
            patch.setattr(sources, name, lambda lines, delimiter, width: None)
        slow = made()

    assert quick.parts == slow.parts
    assert [(each.row, each.reason, list(each.original)) for each in quick.rejected] == [
        (each.row, each.reason, list(each.original)) for each in slow.rejected
    ]


RECORDS = st.lists(
    st.fixed_dictionaries(
        {"email": st.sampled_from(["a@b.c", "b@b.c", "bad", None])},
        optional={
            "title": st.text(max_size=3) | st.integers(),
            "properties": st.dictionaries(
                st.text(max_size=3), st.none() | st.booleans() | st.text(max_size=3), max_size=2
            ),
            "location": st.dictionaries(st.sampled_from(["city", "zip", "town"]), st.text(max_size=3), max_size=2),
        },
    ),
    max_size=20,
)


@pytest.mark.soak
@settings(max_examples=sized(30, 500))
@given(records=RECORDS)
def test_every_record_is_in_exactly_one_part_or_rejected(tmp_path_factory: pytest.TempPathFactory, records: list[Any]):
    made = imported(Path(), "profiles", records, moment=NOW)

    assert sorted([*made.rows, *(each.row for each in made.rejected)]) == list(range(1, len(records) + 1))
    assert [item["attributes"].get("properties", {}) for item in made.items] == [
        records[row - 1].get("properties", {}) for row in made.rows
    ]
