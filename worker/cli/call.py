"""`klaviyo call`: one action, queued for a worker or made in this process."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

import typer

import tasks  # noqa: F401  registers every action
from worker.accounts import DEFAULT
from worker.action import ACTIONS, NAMES_2024, Action
from worker.app import app
from worker.cli.arguments import parameters
from worker.cli.terminal import WRONG, print_json, say, stop, working
from worker.governor import Lane
from worker.place import PREFIX


def call(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="the action; `klaviyo actions NAME` shows its parameters")],
    given: Annotated[str | None, typer.Option("--json", help="parameters as a JSON object")] = None,
    account: Annotated[str, typer.Option(help="alias of the account")] = DEFAULT,
    lane: Annotated[str, typer.Option(help="now, or bulk: served after everything in now")] = "now",
    countdown: Annotated[float, typer.Option(min=0, help="seconds to wait, in Redis, before it is sent")] = 0,
    expires: Annotated[float | None, typer.Option(min=0, help="seconds after which it is not sent any more")] = None,
    now: Annotated[bool, typer.Option("--now", help="make the request in this process, within the limits")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="wait for the worker's result and print it")] = False,
) -> None:
    """Queue an action and print its task's id.

    The parameters are options: --email ada@example.com --first-name Ada --properties '{"plan": "pro"}'.
    Lists are repeated or separated by commas. Flat names such as --data--attributes--email work too.
    """
    action = _action(name)
    lane_: Lane = "bulk" if lane == "bulk" else "now"
    if lane != lane_:
        raise stop(f"There is no lane {lane!r}: it is now or bulk.", WRONG)
    if now and (countdown or expires is not None):
        raise stop("--now makes the request at once: leave out --countdown and --expires.", WRONG)
    params = parameters(action.declaration, context.args, given)
    chosen = action.on(account, lane=lane_, countdown=countdown, expires=expires)
    if now:
        with working("Asking Klaviyo …"):
            envelope = chosen(**params)
        print_json(envelope)
        return
    task_id = chosen.delay(**params).id
    if not wait:
        typer.echo(task_id)
        say("Queued. `klaviyo call … --wait` waits for the result; a worker has to run (klaviyo up).", "dim")
        return
    _await(task_id)


def _await(task_id: str) -> None:
    try:
        with working(f"Waiting for task {task_id} …"):
            envelope = app.AsyncResult(task_id).get()
    except KeyboardInterrupt:
        raise stop(f"No longer waiting; task {task_id} goes on by itself.") from None
    print_json(envelope)


def _action(name: str) -> Action[Any]:
    word = name.removeprefix(PREFIX).replace("-", "_")
    known = NAMES_2024.get(word, word)
    if known in ACTIONS:
        return ACTIONS[known]
    near = difflib.get_close_matches(word, [*ACTIONS, *NAMES_2024], n=1)
    hint = f" Did you mean {near[0]}?" if near else " `klaviyo actions` lists them."
    raise stop(f"There is no action {word!r}.{hint}", WRONG)
