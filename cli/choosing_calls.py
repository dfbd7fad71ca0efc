"""Which action and which lane a command is about."""

from __future__ import annotations

import difflib
from typing import Any

import tasks.registry  # noqa: F401  registers every action
from cli.terminal.printing import EXIT_USAGE, stop
from worker.account_and_lane import TASK_PREFIX, lane_named
from worker.action import ACTIONS, NAMES_2024, Action
from worker.errors import InputError
from worker.governor import Lane


def choose_action(name: str) -> Action[Any]:
    """Return the action with this name, in either revision.

    Raises:
        Exit: there is none.

    """
    word = plain_name(name)
    if word in ACTIONS:
        return ACTIONS[word]
    near = difflib.get_close_matches(word, [*ACTIONS, *NAMES_2024], n=1)
    hint = f" Did you mean {near[0]}?" if near else " `klaviyo actions` lists them."
    raise stop(f"There is no action {word!r}.{hint}", EXIT_USAGE)


def plain_name(name: str) -> str:
    """Return the name in today's revision of what may be an action's name, or its task's."""
    word = name.removeprefix(TASK_PREFIX).replace("-", "_")
    return NAMES_2024.get(word, word)


def choose_lane(name: str) -> Lane:
    """Return the lane with this name.

    Raises:
        Exit: there is none.

    """
    try:
        return lane_named("", name)
    except InputError as error:
        [problem] = error.problems
        raise stop(f"T{problem[1:]}{'' if problem.endswith('?') else '.'}", EXIT_USAGE) from None
