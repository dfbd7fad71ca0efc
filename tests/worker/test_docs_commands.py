"""The commands that the documentation shows are there, with the options that it gives them."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
from click import Group
from typer.main import get_command

import tasks.registry  # noqa: F401  registers every action
from cli.commands import app
from tests.cases import for_each
from worker.action import ACTIONS
from worker.settings import Settings

ROOT = Path(__file__).parents[2]
#: What commands.md shows is printed, and canvas.md and testing.md show none.
PAGES = (
    ROOT / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in ("jobs", "syncs", "imports", "other-code-bases", "contributing", "troubleshooting")
    ),
    ROOT / "docs" / "measurements.md",
    ROOT / "CHANGELOG.md",
)
COMMANDS = get_command(app).commands
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def consoles():
    """Each line of the console examples."""
    for page in PAGES:
        for block in re.findall(r"^ *```console\n(.*?)^ *```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            yield from map(str.strip, block.splitlines())


def commands():
    """Every command line, of the examples and inside of sentences, as words."""
    lines = [line.removeprefix("$ ") for line in consoles() if line.startswith("$ ")]
    for page in PAGES:
        prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        lines += re.findall(r"`((?:klaviyo|make|celery|python -m|pytest) [^`]+)`", prose)
    for part in [part for line in lines for part in line.split(" | ")]:
        words = [word for word in shlex.split(part, comments=True) if word != "…"]
        yield tuple(words)


def after_variables(words):
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words


@for_each(dict.fromkeys(commands()))
def test_a_command_is_there_with_its_options(*words):
    program, *rest = after_variables(words) if words[0] != "export" else words
    match Path(program).name, rest:
        case "klaviyo", ["--help" | "--version"]:
            pass
        case "klaviyo", [name, *given]:
            assert name in COMMANDS
            command = COMMANDS[name].load()
            if isinstance(command, Group) and given and not given[0].startswith("-"):
                assert given[0] in command.commands
                command = command.commands[given.pop(0)]
            known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
            if name == "call":
                known |= {f"--{parameter.replace('_', '-')}" for parameter in parameters()}
            given = [word.partition("=")[0].strip("[]") for word in given]
            assert {word for word in given if word.startswith("-") and word != "-"} <= known
        case "make", [target, *_]:
            assert target in TARGETS
        case "python", ["-m", module, *_]:
            assert importlib.util.find_spec(module)
        case "python", ["-c", code]:
            exec(code, {})
        case "pytest", ["-q", *given]:
            assert [word for word in given if word.startswith("tests/") and not (ROOT / word).exists()] == []
        case "celery", ["-A", "worker", kind, *_] | [kind]:
            assert kind in ("worker", "beat", "flower", "inspect", "purge")
        case "export" | "docker" | "pip" | "zcat", _:
            pass
        case other:
            pytest.fail(f"no test knows {other}")


def parameters():
    return {name for each in ACTIONS.values() for name in each.declaration.parameters}


def test_the_settings_of_an_example_are_taken(monkeypatch, clean_settings):
    for line in consoles():
        if not line.startswith("$ "):
            name, _, value = line.partition("=")
            monkeypatch.setenv(name, value)

    (shop,) = Settings(_env_file=None).pushes.values()

    assert (shop.kind, shop.delete) == ("catalog_items", "missing")
