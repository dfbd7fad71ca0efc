"""What is shown of a file before anything is sent."""

from __future__ import annotations

from pathlib import Path

from tasks.imports.interpretation import interpret
from tasks.imports.options import Options
from tasks.imports.preview import make_preview
from tasks.imports.sources import open_rows
from tests.tasks.action_samples import NOW


def test_values_are_shown_with_escapes_for_what_cannot_be_seen_or_does_something_to_a_terminal(tmp_path: Path):
    path = tmp_path / "people.csv"
    path.write_text("email,title\nzo\u200be@example.com,\x1b[31mBoss\na\0@example.com,Åsa  Öst\n")

    source, plan = interpret(open_rows(path), "profiles", Options(moment=NOW))
    addresses, titles = make_preview(source, plan).columns

    assert [shown for shown, _ in addresses.values] == ["zo\\u200be@example.com", "a\\x00@example.com"]
    assert [shown for shown, _ in titles.values] == ["\\x1b[31mBoss", "Åsa Öst"]
