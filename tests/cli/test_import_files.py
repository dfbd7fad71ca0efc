"""The files that `klaviyo import` takes where a folder or a pattern was typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.imports.files import list_files
from worker.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv.gz", "a.csv", "c.ZIP", "notes.md", "a.20261129-0601.rejects.csv"):
        (tmp_path / name).touch()
    (tmp_path / "older.csv").mkdir()
    return tmp_path


def test_a_folder_is_all_of_its_files_that_can_be_imported_but_for_reject_files(folder: Path):
    assert [Path(each).name for each in list_files([str(folder)])] == ["a.csv", "b.csv.gz", "c.ZIP"]


def test_a_pattern_is_the_files_that_it_matches_and_a_name_is_itself(folder: Path):
    typed = [f"{folder}/*.md", "customers.csv", "-", "sql:SELECT * FROM t"]

    assert list(list_files(typed)) == [f"{folder}/notes.md", *typed[1:]]


@pytest.mark.parametrize("typed", ["older.csv", "*.xlsx"])
def test_a_folder_or_a_pattern_without_files_is_refused(folder: Path, typed: str):
    with pytest.raises(InputError, match="there is no file to import in"):
        list(list_files([str(folder / typed)]))
