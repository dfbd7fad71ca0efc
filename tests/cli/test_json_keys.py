"""The keys of `--json` that scripts may rely on are those that the documentation names."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from cli import limits, schedules
from cli.failures import command as failures
from cli.jobs import view as jobs_view
from schedules.stream_status import PullRun, StreamStatus
from tests.cli.screens import AT, FAILURES, JOB
from worker.failures.kept import Failure

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def names(kind):
    return {each.name for each in fields(kind)}


PRINTED = {
    "klaviyo limits": names(limits.Row) | {"used", "limit", "per"},
    "klaviyo jobs": set(jobs_view.as_dict(JOB)),
    "klaviyo sync": names(StreamStatus) | names(PullRun),
    "klaviyo schedules": names(schedules.Row),
    "klaviyo failures": set(failures.group_as_dict(FAILURES[0])),
    "klaviyo failures show GROUP": set(
        failures.failure_as_dict(
            FAILURES[0], Failure("id", "task", "default", "now", AT, '{"error": "", "args": [], "kwargs": {}}')
        )
    ),
}


@pytest.mark.parametrize("command", PRINTED)
def test_the_documentation_names_every_key_of_json(command):
    [row] = re.findall(rf"^\| `{command} --json` \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)

    assert set(re.findall(r"`(\w+)`", row)) == PRINTED[command]
