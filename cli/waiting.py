"""`klaviyo waiting`: the tasks that wait in Redis for Klaviyo's limits; show, count or drop them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from cli.choosing_calls import choose_action, choose_lane, plain_name
from cli.terminal.printing import EXIT_USAGE, print_json, say, stdout, stop
from cli.terminal.tables import Listing, listing
from cli.terminal.times import duration, moment
from worker.account_and_lane import TASK_PREFIX
from worker.accounts.lookup import account as account_of
from worker.app import app
from worker.governor import Lane, get_governor
from worker.messages import Message, readable
from worker.redis.homes import ask_each, at_redis
from worker.revocation import Effect, revoke
from worker.setting_names import alias_of
from worker.settings import get_settings

#: How many rows are shown by default.
MAX_ROWS = 50


@dataclass(frozen=True, slots=True)
class WaitingTask:
    """One waiting task. ``age``: the seconds that it has waited, negative until its time has come.

    ``arguments``: their names, not their values; ``job``: the job that it is a step of.
    """

    id: str
    action: str
    account: str
    lane: str
    age: float
    arguments: str
    job: str | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tasks are meant: None where anything is. ``action`` is a name of today's revision."""

    action: str | None
    account: str | None
    lane: Lane | None
    min_age_s: float | None


def waiting(
    ids: Annotated[list[str] | None, typer.Argument(help="ids of tasks; all tasks if left out")] = None,
    action: Annotated[str | None, typer.Option(help="only this action")] = None,
    account: Annotated[str | None, typer.Option(help="only this account")] = None,
    lane: Annotated[str | None, typer.Option(help="only this lane: now or bulk")] = None,
    older: Annotated[str | None, typer.Option(help="only those that have waited longer than 90s, 5m, 2h, 3d")] = None,
    drop: Annotated[bool, typer.Option("--drop", help="drop them: they end as REVOKED and are not sent")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="with --drop: only count what would be dropped")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="with --drop: do not ask")] = False,
    most: Annotated[int, typer.Option(min=1, help="the most rows to show")] = MAX_ROWS,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for other programs")] = False,
) -> None:
    """Show the tasks waiting in Redis, oldest first, or drop them."""
    if (dry_run or yes) and not drop:
        raise stop(
            f"{'--dry-run' if dry_run else '--yes'} goes with --drop; without it, nothing is dropped.", EXIT_USAGE
        )
    now = time.time()
    min_age_s = now - moment(older, now) if older else None
    chosen = Filter(_action(action), _account(account), None if lane is None else choose_lane(lane), min_age_s)
    read = ask_each(lambda: [waiting_task(message, now) for message in readable(get_governor().waiting())])
    before = [each for tasks in read.values() for each in tasks]
    places = {each.id: name for name, tasks in read.items() for each in tasks}
    found = sorted(_chosen(before, ids, chosen), key=lambda each: -each.age)
    absent = [id for id in ids or () if id not in {each.id for each in before}]
    shown = found
    if not drop:
        if found and not as_json:
            stdout().print(_table(found[:most]))
        said = f"{len(found):,} of {len(before):,} waiting tasks."
    elif dry_run:
        said = f"{len(found):,} of {len(before):,} waiting tasks would be dropped."
    else:
        if found and not yes:
            question = f"Drop {len(found):,} of {len(before):,} waiting tasks? There is no undo."
            typer.confirm(question, abort=True, err=True)
        shown = [each for each in found if _drop(each, places[each.id])]
        left = sum(ask_each(lambda: get_governor().count()).values())
        said = f"{len(shown):,} dropped; {len(before):,} were waiting before, {left:,} are now."
        if kept := len(found) - len(shown):
            said += f" {kept:,} were not: a worker has taken them, or they follow a job."
    if as_json:
        print_json([asdict(each) for each in shown])
    if drop or not as_json:
        say(said)
    _require_waiting(absent)


def _drop(task: WaitingTask, where: str) -> bool:
    """Drop a task where it waits: its account may have moved since."""
    with at_redis(where):
        return revoke(app, task.id, "dropped by an operator") is Effect.WITHDRAWN


def _require_waiting(absent: list[str]) -> None:
    """Require that every named task is waiting.

    Raises:
        Exit: one is not.

    """
    if absent:
        raise stop(
            f"No task with the id {' or '.join(absent)} is waiting: it has ended, or a worker has it. "
            "`celery -A worker control revoke ID` keeps it from being sent if it has not been yet."
        )


def waiting_task(message: Message, moment: float) -> WaitingTask:
    """Return a message as a row."""
    wait = message.wait
    return WaitingTask(
        id=message.id,
        action=message.task.removeprefix(TASK_PREFIX),
        account=wait.get("account", ""),
        lane=wait.get("lane", ""),
        age=moment - float(wait.get("since", moment)),
        arguments=", ".join(message.kwargs),
        job=message.kwargs.get("job"),
    )


def _action(name: str | None) -> str | None:
    """Return the name in today's revision of an action, or of a step that waits as one.

    Raises:
        Exit: there is none.

    """
    if name is None:
        return None
    word = plain_name(name)
    return word if f"{TASK_PREFIX}{word}" in app.tasks else choose_action(name).declaration.name


def _account(name: str | None) -> str | None:
    """Return the alias of an account: one that there is, or one that was removed and has left something.

    Raises:
        SettingsError: there is and was none.

    """
    if name is None:
        return None
    alias = alias_of(name)
    if alias and any(ask_each(lambda: get_governor().lines(alias)).values()):
        return alias
    return account_of(get_settings(), name).alias


def _chosen(found: list[WaitingTask], ids: list[str] | None, by: Filter) -> Iterator[WaitingTask]:
    for each in found:
        if (
            (not ids or each.id in ids)
            and (by.action is None or plain_name(each.action) == by.action)
            and (by.account is None or each.account == by.account)
            and (by.lane is None or each.lane == by.lane)
            and (by.min_age_s is None or each.age > by.min_age_s)
        ):
            yield each


def _table(found: list[WaitingTask]) -> Listing:
    several = len({each.account for each in found}) > 1
    shown = listing(
        "id", "action", "account", "lane", "waits>", "arguments",
        whole=("id", "lane"), optional=() if several else ("account",), below=("arguments", "account"),
    )  # fmt: skip
    for each in found:
        age = duration(each.age) if each.age >= 0 else f"in {duration(-each.age)}"
        shown.add_row(each.id, each.action, each.account, each.lane, age, each.arguments)
    return shown
