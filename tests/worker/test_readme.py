"""What the README says is what there is."""

import re
from pathlib import Path

from cli.commands import COMMANDS
from worker.settings import Settings

README = Path(__file__).parents[2] / "README.md"


def settings_table():
    """The README's table of settings, from the settings themselves."""
    rows = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None or field.default_factory else f"`{field.default}`"
        rows.append(f"| `KLAVIYO_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def test_the_table_of_settings_is_current():
    text = README.read_text("utf-8")
    table = re.search(r"<!-- settings: .*? -->\n(.*?)\n<!-- end of settings -->", text, re.DOTALL)

    assert table
    assert table[1] == settings_table()


def test_every_file_that_is_linked_exists():
    links = re.findall(r"\]\(([\w/.]+)\)", README.read_text("utf-8"))

    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []


def test_every_command_that_is_typed_exists():
    text = README.read_text("utf-8")
    typed = re.findall(r"^\$ (?:[A-Z_]+=\S+ )*(make|klaviyo) (\w+)", text, re.MULTILINE)
    targets = re.findall(r"^(\w+):.*## ", README.with_name("Makefile").read_text("utf-8"), re.MULTILINE)

    known = {("make", each) for each in targets} | {("klaviyo", each) for each in COMMANDS}
    assert {("make", "setup"), ("klaviyo", "up")} <= set(typed) <= known
