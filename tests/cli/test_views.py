"""Screens at the widths of usual terminals: no word is broken, and nothing is squeezed."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from rich.text import Text

from cli import limits, top
from cli.actions import command as actions
from cli.commands import COMMANDS
from cli.terminal.columns import BREAKABLE_WIDTH, break_words, fit_widths, least_width
from cli.terminal.printing import PIPE_WIDTH as WIDE_PIPE
from cli.terminal.tables import listing
from tests.cli.screens import PAUSES, SCREENS, SLOTS, shown
from tests.cli.typed import run
from worker.action import ACTIONS

pytestmark = pytest.mark.usefixtures("settings")

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    """Show times in the machine's time zone."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


#: Room for everything.
PIPE_WIDTH = 1_000
_PIECES = re.compile(r"[^_:+./=\\-]*[_:+./=\\-]*")


def parts(words):
    """Yield what a line may hold of these words: whole words, and pieces of long names between joints."""
    for word in words:
        yield word
        pieces = [piece for piece in _PIECES.findall(word) if piece] if len(word) > BREAKABLE_WIDTH else []
        for begin in range(len(pieces)):
            for end in range(begin + 1, len(pieces) + 1):
                yield "".join(pieces[begin:end])


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("screen", SCREENS)
def test_no_word_of_a_screen_is_broken_at_usual_widths(screen, width):
    whole, text = shown(screen, PIPE_WIDTH), shown(screen, width)
    # The name of a column that moved below each row is on that line.
    assert set(text.split()) <= set(parts(whole.split()))
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS)], ids=" ".join)
def test_no_word_of_a_help_is_broken_at_usual_widths(words, width, monkeypatch):
    def told(columns):
        monkeypatch.setenv("COLUMNS", str(columns))
        return re.sub(r"[│╭╮╰╯─]", " ", run(*words, "--help").stdout)

    whole, text = told(PIPE_WIDTH), told(width)
    assert set(text.split()) <= set(parts(whole.split()))
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("imports",), "There was no import in the last two weeks."),
        (("jobs", "--since", "2026-11-24T08:00"), "No job has started since 24 Nov 08:00; --since looks further back."),
        (
            ("jobs", "--failed", "--since", "2026-11-24T08:00"),
            "No job that has started since 24 Nov 08:00 has failed; --since looks further back.",
        ),
        (("limits",), "No action has been called through this Redis yet, so there is nothing to show."),
        (("waiting",), "0 of 0 waiting tasks."),
    ],
    ids=" ".join,
)
def test_a_command_with_nothing_to_show_says_so_in_a_sentence(words, said, width, fake_redis, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    result = run(*words)

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{said}\n")


@pytest.mark.parametrize(
    "words", [("actions",), ("actions", "create_profile"), ("actions", "bulk_import_profiles"), ("revision", "FILE")]
)
@pytest.mark.parametrize("width", [80, 100, None])
def test_a_pipe_gets_tables_as_wide_as_columns_says_and_no_blanks_at_line_ends(words, width, tmp_path, monkeypatch):
    if width:
        monkeypatch.setenv("COLUMNS", str(width))
    else:
        monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "FILE").write_text('{"paths": {}}')
    monkeypatch.chdir(tmp_path)

    lines = run(*words).stdout.splitlines()

    assert max(map(len, lines)) <= (width or WIDE_PIPE)
    assert [line for line in lines if line != line.rstrip()] == []


def test_no_wire_name_of_any_action_is_broken_at_80_columns():
    for action in ACTIONS.values():
        told = shown(actions._shown(action.declaration), 80).split()
        names = [each.wire for each in action.declaration.parameters.values() if each.location == "body"]
        assert [name for name in names if name not in told and len(name) < 60] == [], action.name


def bucket(number, **how):
    windows = [{"used": 0, "limit": 75, "per": "s"}, {"used": 0, "limit": 700, "per": "m"}]
    return limits.Row(f"default:get_bucket_{number}", "L", windows, **how)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("lines", [6, 22, 23])
@pytest.mark.parametrize("pauses", [[], PAUSES])
def test_a_view_that_is_watched_says_how_many_it_has_no_room_for(width, lines, pauses):
    told = shown(top.view([bucket(n, now=n) for n in range(1, 51)], pauses, SLOTS, 0, lines), width).splitlines()

    rows = sum("get_bucket_" in line for line in told)
    assert len(told) <= lines or rows == 0
    assert told[-1] == f"… and {50 - rows} more"


def test_a_view_that_is_watched_shows_everything_where_there_is_room():
    told = shown(top.view([bucket(1), bucket(2)], [], SLOTS, 0, 22), 120)

    assert ("get_bucket_1" in told, "get_bucket_2" in told, "more" in told) == (True, True, False)


def test_the_first_line_of_top_says_what_there_is_to_see_to():
    found = [
        bucket(1, now=3, bulk=2_000, in_flight=5, empty_seconds=700.0),
        bucket(2, bulk=7, later=40, paused=True, why="the account eu is paused by root: moved"),
    ]

    told = top.summary(found, {}, 12).plain

    assert told == (
        "2,010 waiting, 40 for later, 5 under way; empty in 12 min; 1 queue stands still; "
        "12 failed (klaviyo failures); no worker runs"
    )


def test_unused_buckets_are_only_counted_unless_all_are_requested():
    found = [bucket(1, now=1), bucket(2), bucket(3, in_flight=0), bucket(4, blocked_seconds=3.0)]

    told, everything = shown(limits.overview(found, False), 120), shown(limits.overview(found, True), 120)
    nothing = shown(limits.overview([bucket(2)], False), 120)

    assert [name for name in ("1", "2", "3", "4") if f"get_bucket_{name}" in told] == ["1", "4"]
    assert told.splitlines()[-1] == "… and 2 unused (--all)"
    assert [name for name in ("1", "2", "3", "4") if f"get_bucket_{name}" in everything] == ["1", "2", "3", "4"]
    assert "unused" not in everything
    assert nothing == "No bucket is in use: 1 unused (--all).\n"


def test_the_widest_columns_give_way_first_and_none_beyond_what_it_needs():
    assert fit_widths([10, 30, 20], [10, 12, 5], 64) == [10, 30, 20]
    assert fit_widths([10, 30, 20], [10, 12, 5], 44) == [10, 15, 15]
    assert fit_widths([10, 30, 20], [10, 12, 5], 31) == [10, 12, 5]
    assert fit_widths([10, 30, 20], [10, 12, 5], 30) is None


def test_a_long_name_is_broken_at_its_joints_and_a_short_one_not_at_all():
    name = "get_errors_for_bulk_import_profiles_job"

    assert break_words(Text(name), 14).plain.split("\n") == ["get_errors_", "for_bulk_", "import_", "profiles_job"]
    assert least_width("create_profile") == len("create_profile")
    assert break_words(Text("a sentence of words"), 8).plain == "a sentence of words"


def test_what_may_be_left_out_goes_before_what_stands_below_its_row():
    table = listing("name", "id", "note", whole=("name", "id", "note"), optional=("note",), below=("id",))
    table.add_row("first", "0123456789", "a remark")
    table.add_row("second", "-", "")

    assert shown(table, 30) == "name    id          note\nfirst   0123456789  a remark\nsecond  -\n"
    assert shown(table, 20) == "name    id\nfirst   0123456789\nsecond  -\n"
    assert shown(table, 16) == "name\nfirst\n  id 0123456789\nsecond\n"


def test_a_table_of_nothing_is_its_header():
    assert shown(listing("name", "not landed>", "note", whole=("name",), below=("note",)), 80) == (
        "name  not landed  note\n"
    )


def test_text_from_elsewhere_is_no_markup():
    table = listing("source")
    table.add_row("[/data/customers.csv]")

    assert shown(table, 80) == "source\n[/data/customers.csv]\n"


def test_the_documentation_shows_screens_as_they_are():
    blocks = re.findall(r"^```console\n\$ ([^\n]+)\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)

    assert len(blocks) >= 5
    for command, text in blocks:
        assert text == shown(command, 80)
