"""A command starts at once: it imports what it needs, and nothing else. Counted, not timed."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from inspect import getdoc
from pathlib import Path

import pytest
from typer.main import get_command

from cli.commands import COMMANDS, app
from tests.cli.typed import run

ROOT = str(Path(__file__).parents[2])

#: What takes long to import: every action with its models, and the packages that only some commands work with.
HEAVY = (
    "tasks.registry", "worker.action", "schedules", "celery", "flower", "httpx", "sqlalchemy", "alembic",
)  # fmt: skip
#: What a command needs that asks Redis, and one that only shows what there is does not.
REDIS = ("redis", "pydantic", "pydantic_settings")

_TOLD = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr))
from cli import main
main()
"""


def imported(*words):
    """Return the packages that are loaded at the end of a command, run in its own process."""
    environment = {**os.environ, "PYTHONPATH": ROOT, "KLAVIYO_REDIS_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(
        [sys.executable, "-c", _TOLD, *words], env=environment, capture_output=True, text=True, check=False
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("words", [("--help",), ("--version",)])
def test_what_only_shows_what_there_is_imports_nothing_that_works(words):
    assert not imported(*words) & {*HEAVY, *REDIS}


@pytest.mark.parametrize("words", [("limits",), ("jobs",), ("imports",)])
def test_what_an_operator_looks_at_first_imports_no_action_and_no_store(words):
    found = imported(*words)

    assert "redis" in found
    assert not found & {*HEAVY}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_all_commands_says_what_each_says_of_itself(name):
    place, summary = COMMANDS[name]
    module, _, function = place.partition(":")
    told = getdoc(getattr(importlib.import_module(f"cli.{module}"), function))

    assert " ".join(told.partition("\n\n")[0].split()) == summary
    assert get_command(app).commands[name].load().name == name


def test_the_version_is_shown_with_klaviyos_revision():
    result = run("--version")

    assert result.exit_code == 0
    assert result.stdout.startswith("klaviyo-worker 0.")
    assert "revision 2026-07-15" in result.stdout


def test_a_misspelled_command_is_reported_with_the_nearest_name():
    result = run("jbos")

    assert result.exit_code == 2
    assert "Did you mean 'jobs'?" in result.stderr
