"""The file of rejected rows, which can be mended and imported again."""

from __future__ import annotations

import csv
import io
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from tasks.imports.options import Options
from tasks.imports.parts import Part, split_into_parts
from tasks.imports.plan import compile_plan
from tasks.imports.reasons import Reasons
from tasks.imports.rejects import Rejected, Rejects, open_reject_file, read_originals, reject_path
from tasks.imports.sources import Source, open_rows
from tests.tasks.action_samples import NOW
from worker.errors import InputError

CSV = 'email,title\na@b.c,"one, ""two"""\nbad,"x\ny"\nc@b.c,Ms,x\n'
LINES = '{"email": "a@b.c"}\n{"email": "bad", "title": "Dr"}\nnonsense\n'


def rejected(source: Source) -> list[Rejected]:
    plan = compile_plan("profiles", source.columns, Options(moment=NOW))
    return [each for each in split_into_parts(source, plan) if isinstance(each, Rejected)]


def written(folder: Path, name: str, text: str) -> tuple[Source, Path]:
    """A source and the file of its bad rows."""
    (folder / name).write_text(text)
    source, out = open_rows(folder / name), folder / f"rejected-{name}"
    with open_reject_file(out, source) as write:
        for each in rejected(source):
            write(each)
    return source, out


def test_the_rejects_of_a_csv_have_its_columns(tmp_path: Path):
    _, out = written(tmp_path, "rows.csv", CSV)

    assert out.read_text().splitlines() == [
        "row,stage,reason,email,title",
        '2,check,email: this is not an email address; write it like name@example.com,bad,"x',
        'y"',
        '3,check,"there are more cells than columns: 3, and the header has 2; '
        'put a cell that holds a delimiter in quotes",c@b.c,Ms,x',
    ]


def test_the_rejects_of_json_lines_have_the_original(tmp_path: Path):
    _, out = written(tmp_path, "rows.jsonl", LINES)

    assert [orjson.loads(line) for line in out.read_text().splitlines()] == [
        {
            "row": 2,
            "stage": "check",
            "reason": "email: this is not an email address; write it like name@example.com",
            "original": {"email": "bad", "title": "Dr"},
        },
        {"row": 3, "stage": "check", "reason": "this is no JSON object", "original": "nonsense"},
    ]


def test_a_mended_file_of_rejects_can_be_imported(tmp_path: Path):
    for name, text in (("rows.csv", CSV), ("rows.jsonl", LINES)):
        _, out = written(tmp_path, name, text)
        out.write_text(out.read_text().replace("bad", "good@b.c"))
        source = open_rows(out)

        results = list(split_into_parts(source, compile_plan("profiles", source.columns, Options(moment=NOW))))

        assert [each.rows for each in results if isinstance(each, Part)] == ["1"]
        again = tmp_path / f"again-{name}"
        with open_reject_file(again, source) as write:
            for each in results:
                if isinstance(each, Rejected):
                    write(each)
        assert again.read_text().count("reason") == 1


def told(path: Path, source: Source, turned_down: list[Rejected]) -> Path:
    """A run's rejects, told by one process; where they are in the end."""
    with Rejects(path, source, lambda: False) as told:
        for each in turned_down:
            told.add(each)
    return told.path


def test_a_reject_file_that_somebody_may_have_mended_is_never_written_over(tmp_path: Path):
    (tmp_path / "rows.csv").write_text(CSV)
    source, path = open_rows(tmp_path / "rows.csv"), tmp_path / "rejects.csv"
    assert told(path, source, rejected(source)) == path
    mended = path.read_text().replace("bad", "good@b.c")
    path.write_text(mended)

    second = told(path, source, rejected(source))
    third = told(path, source, rejected(source)[:1])

    assert path.read_text() == mended
    assert (second, third) == (tmp_path / "rejects.2.csv", second)
    assert "bad" in second.read_text()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rejects.2.csv", "rejects.csv", "rows.csv"]


def test_what_a_process_of_the_same_run_has_left_behind_is_made_whole_in_its_place(tmp_path: Path):
    (tmp_path / "rows.csv").write_text(CSV)
    source, path = open_rows(tmp_path / "rows.csv"), tmp_path / "rejects.csv"
    told(path, source, rejected(source)[:1])

    assert told(path, source, rejected(source)) == path
    assert path.read_text().splitlines()[-1].startswith("3,check,")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rejects.csv", "rows.csv"]


def test_rejects_that_nobody_wants_go_to_the_null_device(tmp_path: Path):
    (tmp_path / "rows.csv").write_text(CSV)
    source = open_rows(tmp_path / "rows.csv")

    assert reject_path(Path(os.devnull), tmp_path / "rows.csv", source, "R") == Path(os.devnull)
    assert told(Path(os.devnull), source, rejected(source)) == Path(os.devnull)


DUPLICATES = [
    ("profiles", "email,title\nada@example.com,first\nADA@example.com,second\n", ("ADA@", "eve@")),
    (
        "profiles",
        "phone_number,title\n+4917012345678,first\n+4917012345678,second\n",
        ("+4917012345678", "+4917012345679"),
    ),
    (
        "coupon_codes",
        "coupon_id,unique_code,expires_at\nC,A1,2027-01-01T00:00Z\nC,A1,2028-01-01T00:00Z\n",
        ("A1", "A2"),
    ),
    ("update_catalog_items", "id,title\none,first\n$custom:::$default:::one,second\n", ("one", "two")),
    (
        "events",
        "unique_id,metric,profile.email\nu1,Placed Order,a@b.c\nu1,Placed Order,d@b.c\n",
        ("u1", "u2"),
    ),
]


@pytest.mark.parametrize("jsonl", [False, True])
@pytest.mark.parametrize(("kind", "rows", "mend"), DUPLICATES)
def test_a_duplicate_never_beats_the_row_that_has_won_by_way_of_the_reject_file(
    tmp_path: Path, kind: str, rows: str, mend: tuple[str, str], jsonl: bool
):
    file = tmp_path / "rows.csv"
    file.write_text(rows)
    given: Any = list(csv.DictReader(io.StringIO(rows))) if jsonl else file
    first = made_of(kind, open_rows(given))
    out = tmp_path / f"rejects.{'jsonl' if jsonl else 'csv'}"
    with open_reject_file(out, open_rows(given)) as write:
        write(*first[1])

    again = made_of(kind, open_rows(out))
    mended = made_of(kind, open_rows(replaced(out, *mend)))

    assert (again[0], again[1][0].stage, again[1][0].reason) == ([], first[1][0].stage, first[1][0].reason)
    assert mended == (["1"], [])


def test_the_winner_lands_from_the_reject_file_although_its_duplicate_stands_before_it(tmp_path: Path):
    _, out = written(tmp_path, "rows.csv", "email,title\nada@example.com,winner\nADA@example.com,late\n")
    with out.open("a") as file:
        file.write("1,job,title: Klaviyo said no,ada@example.com,mended\n")

    sent, turned_down = made_of("profiles", open_rows(out))

    assert sent == ["2"]
    assert [(each.row, each.reason) for each in turned_down] == [(1, "email: an earlier row has the same")]


def made_of(kind: str, source: Source) -> tuple[list[str], list[Rejected]]:
    """The rows of the parts that a source makes, and those turned down."""
    results = list(split_into_parts(source, compile_plan(kind, source.columns, Options(moment=NOW))))
    return (
        [each.rows for each in results if isinstance(each, Part)],
        [each for each in results if isinstance(each, Rejected)],
    )


def replaced(file: Path, old: str, new: str) -> Path:
    """A copy of a file in which a text is another one."""
    copy = file.with_name(f"mended-{file.name}")
    copy.write_text(file.read_text().replace(old, new))
    return copy


def test_only_its_owner_may_read_the_file(tmp_path: Path):
    _, out = written(tmp_path, "rows.csv", CSV)

    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_what_json_cannot_say_is_written_as_text(tmp_path: Path):
    out = tmp_path / "rejected.jsonl"

    with open_reject_file(out, open_rows([])) as write:
        write(Rejected(1, "check", "why", {"at": datetime(2026, 1, 1, tzinfo=UTC), "what": {1}}))

    assert orjson.loads(out.read_bytes())["original"] == {"at": "2026-01-01T00:00:00+00:00", "what": "{1}"}


def test_originals_are_found_by_reading_a_second_time(tmp_path: Path):
    source, _ = written(tmp_path, "rows.csv", CSV)

    assert list(read_originals(source, {3, 1})) == [(1, ["a@b.c", 'one, "two"']), (3, ["c@b.c", "Ms", "x"])]


def test_no_more_is_read_than_up_to_the_last_row_that_is_wanted():
    read: list[int] = []

    def rows() -> object:
        for number in range(10_000):
            read.append(number)
            yield {"email": f"{number}@b.c"}

    assert list(read_originals(open_rows(rows()), [2])) == [(2, {"email": "1@b.c"})]
    assert len(read) < 2_000


def test_the_source_is_never_the_file_of_its_own_rejects(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text(CSV)

    with pytest.raises(InputError, match=r"rows\.csv is the source"):
        reject_path(path, path, open_rows(path), "R")


def test_a_reject_file_that_cannot_be_written_is_reported_before_anything_is_sent(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text(CSV)

    with pytest.raises(InputError, match="name another file for the rows"):
        reject_path(tmp_path / "nowhere" / "rejects.csv", path, open_rows(path), "R")
    with pytest.raises(InputError, match="cannot be written"):
        reject_path(None, path, open_rows(path), "R" * 300)
    assert reject_path(None, path, open_rows(path), "R") == tmp_path / "rows.R.rejects.csv"
    assert reject_path(None, path, open_rows(path), "may/1") == tmp_path / "rows.may-1.rejects.csv"


def test_reasons_that_differ_in_a_number_or_a_quotation_are_one():
    reasons = Reasons(["the row is 5,001 bytes", "email: missing", "the row is 7,300 bytes", "no such list 'A'"])
    reasons.add("no such list 'B'")
    reasons.add("no such list 'C'")

    assert reasons.most_frequent() == [("no such list 'A'", 3), ("the row is 5,001 bytes", 2), ("email: missing", 1)]


def test_reasons_without_end_are_counted_apart_only_up_to_a_hundred():
    reasons = Reasons("x" * number for number in range(150))

    assert reasons.most_frequent()[0] == ("other reasons", 50)
