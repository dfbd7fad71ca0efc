"""The documentation says what the declarations say."""

from __future__ import annotations

from pathlib import Path

import tasks.registry  # noqa: F401  registers every action
from cli.actions.markdown import markdown
from worker.action import ACTIONS

PAGE = Path(__file__).parents[2] / "docs" / "actions.md"


def test_the_page_of_actions_is_current():
    declarations = [each.declaration for each in ACTIONS.values() if each.declaration.package == "tasks"]

    assert PAGE.read_text("utf-8") == markdown(declarations), "run: klaviyo actions --markdown > docs/actions.md"


def test_every_action_is_on_the_page_once_in_a_row_of_five_cells():
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]

    assert sorted(row.split("`")[1] for row in rows) == sorted(
        name for name, each in ACTIONS.items() if each.declaration.package == "tasks"
    )
    assert {row.replace(r"\|", "").count("|") for row in rows} == {6}
