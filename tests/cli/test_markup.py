"""Text from files, from Klaviyo or from a user is shown as it is: no command takes it for markup."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cli
from cli.demo.sandbox import AnswerCounts, Proof
from cli.demo.view import View
from cli.terminal.printing import say, stderr, stdout, working
from cli.terminal.tables import facts, listing
from tasks.jobs.import_runs import Runs
from tests.cases import for_each
from tests.cli.typed import run

#: As markup, an error, a style, and a picture.
OUTSIDE = "[/data/x.csv] [red]old[/red] :on:"

pytestmark = pytest.mark.usefixtures("settings")


def test_every_console_takes_a_text_as_it_is(capsys):
    table = listing(OUTSIDE)
    table.add_row(OUTSIDE)
    for console in (stdout(), stdout(soft_wrap=True), stderr(), stderr(soft_wrap=True)):
        console.print(OUTSIDE)
        console.print(table)
        console.print(facts((OUTSIDE, OUTSIDE)))
    say(OUTSIDE)
    with working(OUTSIDE) as tell:
        tell(OUTSIDE)

    told = capsys.readouterr()
    assert (told.out + told.err).count(OUTSIDE) == 4 * 5 + 1


#: What makes a console that is not `cli.terminal.printing`'s, or markup of a text in spite of one.
FORBIDDEN = {"Console", "from_markup", "render", "status", "rprint"}

#: Every module that writes to a terminal; the dashboard's pages are Tornado's to escape.
WRITERS = sorted(path for path in Path(cli.__file__).parent.rglob("*.py") if path.parent.name != "dashboard")


@for_each(map(str, WRITERS))
def test_no_command_makes_a_console_of_its_own_or_markup_of_a_text(file):
    path = Path(file)
    calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    names = {each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in calls}

    assert names & FORBIDDEN == ({"Console", "status"} if path.stem == "printing" else set())


def test_the_demo_shows_a_failure_as_it_is(capsys):
    sandbox = type("Sandbox", (), {"count_answers": lambda self: AnswerCounts(), "is_ready": lambda self: True})()

    View(sandbox).summary(Proof(), "http://127.0.0.1:5555", [f"create_event failed: {OUTSIDE}"], keep=False)

    assert f"create_event failed: {OUTSIDE}" in capsys.readouterr().out


def test_a_source_with_a_name_like_markup_is_listed(fake_redis):
    runs = Runs(fake_redis)
    runs.begin("R", "profiles", "default", OUTSIDE, {"path": None})
    runs.record_progress("R", f"/rejects/{OUTSIDE}", [(f"email: {OUTSIDE}", 2)], rows=2, checked=2)

    assert run("imports").exit_code == 0
    shown = run("imports", "R").stdout
    assert f"/rejects/{OUTSIDE}" in shown
    assert f"email: {OUTSIDE}" in shown


@pytest.mark.parametrize("words", [("actions", OUTSIDE), ("check", "--account", OUTSIDE)])
def test_typed_text_is_shown_as_it_was_typed(words, fake_redis):
    result = run(*words)

    assert result.exit_code == 2
    assert "[/data/x.csv] [red]old[/red]" in " ".join(result.output.replace("│", " ").split())
