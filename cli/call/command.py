"""`klaviyo call`: one action, queued for a worker or carried out in this process."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any

import typer
from celery.exceptions import TaskRevokedError
from celery.exceptions import TimeoutError as NotYet

from cli.call.arguments import parameters
from cli.choosing_calls import choose_action, choose_lane
from cli.limits import describe_pause
from cli.terminal.printing import EXIT_INTERRUPTED, EXIT_USAGE, print_json, say, stop, working
from cli.terminal.times import span
from worker.accounts.lookup import DEFAULT
from worker.accounts.lookup import account as account_of
from worker.app import app
from worker.governor import get_governor
from worker.redis.homes import at_home
from worker.settings import get_settings
from worker.tiers import Line

#: Seconds between two checks whether the awaited task is paused.
POLL_INTERVAL_S = 2.0


def call(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="the action; `klaviyo actions NAME` shows its parameters")],
    given: Annotated[str | None, typer.Option("--json", help="parameters as a JSON object")] = None,
    account: Annotated[str, typer.Option(help="alias of the account")] = DEFAULT,
    lane: Annotated[str, typer.Option(help="now, or bulk, which is served after everything in now")] = "now",
    countdown: Annotated[str | None, typer.Option(help="send it only after this time: 90s, 5m, 2h")] = None,
    expires: Annotated[str | None, typer.Option(help="do not send it after this time: 90s, 5m, 2h")] = None,
    now: Annotated[bool, typer.Option("--now", help="make the request in this process, within the limits")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="wait for the worker's result and print it")] = False,
) -> None:
    """Queue an action and print its task's id.

    The parameters are options: --email ada@example.com --first-name Ada --properties '{"plan": "pro"}'.
    Lists are repeated or separated by commas. Flat names such as --data--attributes--email work too.
    """
    action, lane_ = choose_action(name), choose_lane(lane)
    if now and (countdown is not None or expires is not None):
        raise stop("--now makes the request at once: leave out --countdown and --expires.", EXIT_USAGE)
    params = parameters(action.declaration, context.args, given)
    chosen = action.on(
        account, lane=lane_, countdown=span(countdown) if countdown else 0.0, expires=span(expires) if expires else None
    )
    if now:
        with working("Asking Klaviyo …"):
            envelope = chosen(**params)
        print_json(envelope)
        return
    task_id = chosen.delay(**params).id
    if not wait:
        typer.echo(task_id)
        say("Queued. A worker has to run (`klaviyo up`); `klaviyo call … --wait` waits for the result.", "dim")
        return
    alias = account_of(get_settings(), account).alias
    line = action.declaration.line(alias, action.declaration.bind(params, stamped=False))
    with at_home(alias):
        print_json(_await_result(task_id, line))


def _await_result(task_id: str, line: Line) -> Any:
    """Wait for a task's result; while a pause holds the task up, say so."""
    result, known = app.AsyncResult(task_id), set[str]()
    try:
        with working(f"Waiting for task {task_id} …"):
            while True:
                _tell_pauses(line, known)
                with contextlib.suppress(NotYet):
                    return result.get(timeout=POLL_INTERVAL_S)
    except KeyboardInterrupt:
        raise stop(f"No longer waiting; task {task_id} continues.", EXIT_INTERRUPTED) from None
    except TaskRevokedError as error:
        raise stop(f"Task {task_id} has ended as REVOKED ({error}): it was not sent.") from None


def _tell_pauses(line: Line, known: set[str]) -> None:
    """Print each pause that holds the line up, once, and how to resume it."""
    for pause in get_governor().holding((line.name, line.spec)):
        if pause.what not in known:
            known.add(pause.what)
            say(f"The task is waiting. {describe_pause(pause)}", "yellow")
