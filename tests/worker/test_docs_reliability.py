"""Every cell of docs/reliability.md that names a proof has one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reliability.md").read_text("utf-8")

#: Each part of the page has marks and a list of its own.
PARTS = PAGE.split("\n## ")[1:]

#: A mark, or several, as a cell has it; and a line of the list.
MARKS, LISTED = re.compile(r"\[(\w{1,2}(?:, \w{1,2})*)\]"), re.compile(r"^- (\w{1,2})[:,]", re.MULTILINE)


def named():
    return sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def test_every_test_that_is_named_is_there():
    gone = [
        f"{file}::{test}" for file, test in named() if f"def {test}(" not in (ROOT / file).read_text("utf-8")
    ]  # fmt: skip

    assert len(named()) > 80
    assert gone == []


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.partition("\n")[0])
def test_every_mark_leads_to_a_test_and_every_test_has_a_mark(part):
    marks = {mark for found in MARKS.findall(part) for mark in found.split(", ")}

    assert marks == set(LISTED.findall(part))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.partition("\n")[0])
def test_every_row_has_as_many_cells_as_its_table(part):
    for table in re.findall(r"(?:^\|.*\n)+", part, re.MULTILINE):
        assert len({row.count("|") for row in table.splitlines()}) == 1
