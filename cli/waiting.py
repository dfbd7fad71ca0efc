"""`klaviyo waiting`: the tasks that wait in Redis for Klaviyo's limits; show them, count them, drop them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

import tasks.registry  # noqa: F401  registers every action
from cli.tables import Listing, listing
from cli.terminal import print_json, say, stdout, stop
from cli.times import duration, moment
from worker.app import app
from worker.governor import get_governor
from worker.messages import Message, readable
from worker.place import PREFIX
from worker.revocation import revoke

#: Rows that are shown where nobody says how many.
SHOWN = 50


@dataclass(frozen=True, slots=True)
class Waits:
    """One task that waits; its age is in seconds, negative until its time has come.

    ``arguments`` names them; ``job`` is the job that it is a step of.
    """

    id: str
    action: str
    account: str
    lane: str
    age: float
    arguments: str
    job: str | None


def waiting(
    ids: Annotated[list[str] | None, typer.Argument(help="ids of tasks; all of them if left out")] = None,
    action: Annotated[str | None, typer.Option(help="only this action")] = None,
    account: Annotated[str | None, typer.Option(help="only this account")] = None,
    lane: Annotated[str | None, typer.Option(help="only this lane: now or bulk")] = None,
    older: Annotated[str | None, typer.Option(help="only those that have waited longer: 90s, 5m, 2h, 3d")] = None,
    drop: Annotated[bool, typer.Option("--drop", help="drop them: they end as REVOKED, and nothing is sent")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="with --drop: only say what would be dropped")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="with --drop: do not ask")] = False,
    most: Annotated[int, typer.Option(help="rows to show at most")] = SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="for other programs")] = False,
) -> None:
    """Show the tasks that wait in Redis, oldest first, or drop them."""
    now = time.time()
    least = now - moment(older, now) if older else None
    before = [waits(message, now) for message in readable(get_governor().waiting())]
    found = sorted(_chosen(before, ids, action, account, lane, least), key=lambda each: -each.age)
    absent = [id for id in ids or () if id not in {each.id for each in before}]
    if not drop:
        if as_json:
            print_json([asdict(each) for each in found])
        else:
            if found:
                stdout().print(_table(found[:most]))
            say(f"{len(found):,} of {len(before):,} waiting tasks.")
        _need(absent)
        return
    if dry_run:
        say(f"{len(found):,} of {len(before):,} waiting tasks would be dropped.")
        _need(absent)
        return
    if found and not yes:
        typer.confirm(f"Drop {len(found):,} of {len(before):,} waiting tasks? There is no undo.", abort=True, err=True)
    dropped = sum(revoke(app, each.id, "dropped by an operator") or 0 for each in found)
    kept = "" if dropped == len(found) else f" {len(found) - dropped:,} were not: they have gone on, or follow a job."
    say(f"{dropped:,} dropped; {len(before):,} waited before, {get_governor().count():,} wait now.{kept}")
    _need(absent)


def _need(absent: list[str]) -> None:
    """See that every task that was named waits.

    Raises:
        Exit: one does not.

    """
    if absent:
        raise stop(
            f"No task waits with the id {', or '.join(absent)}: it has ended, or a worker has it. "
            "`celery -A worker control revoke ID` keeps what has not been sent from being sent."
        )


def waits(message: Message, moment: float) -> Waits:
    """A message as a row."""
    wait = message.wait
    return Waits(
        id=message.id,
        action=message.task.removeprefix(PREFIX),
        account=wait.get("account", ""),
        lane=wait.get("lane", ""),
        age=moment - float(wait.get("since", moment)),
        arguments=", ".join(message.kwargs),
        job=message.kwargs.get("job"),
    )


def _chosen(
    found: list[Waits],
    ids: list[str] | None,
    action: str | None,
    account: str | None,
    lane: str | None,
    least: float | None,
) -> Iterator[Waits]:
    for each in found:
        if (
            (not ids or each.id in ids)
            and (action is None or each.action == action.removeprefix(PREFIX))
            and (account is None or each.account == account)
            and (lane is None or each.lane == lane)
            and (least is None or each.age > least)
        ):
            yield each


def _table(found: list[Waits]) -> Listing:
    several = len({each.account for each in found}) > 1
    shown = listing(
        "id", "action", "account", "lane", "waits>", "arguments",
        whole=("id", "lane"), spare=() if several else ("account",), below=("arguments", "account"),
    )  # fmt: skip
    for each in found:
        age = duration(each.age) if each.age >= 0 else f"in {duration(-each.age)}"
        shown.add_row(each.id, each.action, each.account, each.lane, age, each.arguments)
    return shown
