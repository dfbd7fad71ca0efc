"""`klaviyo failures`: tasks that failed for good, by action and reason; show, repeat or drop them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

import tasks.registry  # noqa: F401  registers every action
from cli.failures.groups import drop_all, read_failures, read_groups, replay_all
from cli.terminal.printing import EXIT_FAILED, EXIT_USAGE, print_json, say, stdout, stop
from cli.terminal.tables import Listing, listing
from cli.terminal.times import clock, day_and_time
from worker.app import app
from worker.errors import SettingsError
from worker.failures.identifying import identify
from worker.failures.kept import Count, Failure
from worker.failures.replay import OutcomeMatters, Replayed

#: How many failures of a group are shown by default.
MAX_ROWS = 50

#: What is said where there is no group.
NOTHING_KEPT = "No failed task is kept."

#: Stands for every group.
ALL = "all"

#: What can be done to groups.
VERBS = ("show", "replay", "drop")

#: The options that go with some of these only.
VERBS_OF = {"--dry-run": ("replay", "drop"), "--yes-again": ("replay",), "--yes": ("drop",)}


def failures(
    verb: Annotated[str | None, typer.Argument(metavar="[show|replay|drop]", help="what to do with the groups")] = None,
    groups: Annotated[list[str] | None, typer.Argument(metavar="[GROUP]…", help="their ids, or all")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="with replay, drop: only count")] = False,
    yes_again: Annotated[
        bool, typer.Option("--yes-again", help="with replay: repeat also what may have been carried out")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="with drop: do not ask")] = False,
    most: Annotated[int, typer.Option(min=1, help="with show: the most rows of each group")] = MAX_ROWS,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for other programs")] = False,
) -> None:
    """Show the tasks that failed for good, by action and reason; or repeat or drop those of a group.

    A replay repeats each task once, in its lane and on its account, however often it is interrupted and begun again.
    """
    for (option, verbs), given in zip(VERBS_OF.items(), (dry_run, yes_again, yes), strict=True):
        if given and verb not in verbs:
            raise stop(f"{option} goes with {' or '.join(verbs)}.", EXIT_USAGE)
    found = read_groups()
    if verb is None:
        _overview(found, as_json)
        return
    if verb not in VERBS:
        raise stop(f"There is no `klaviyo failures {verb}`: it is {', '.join(VERBS[:-1])} or {VERBS[-1]}.", EXIT_USAGE)
    chosen = _chosen(found, verb, groups or [])
    if not chosen:
        say(NOTHING_KEPT)
    if verb == "show":
        _show(chosen, most, as_json)
    elif verb == "replay":
        _replay(chosen, yes_again, dry_run, as_json)
    else:
        _drop(chosen, dry_run, yes, as_json)


def _chosen(found: Sequence[Count], verb: str, ids: Sequence[str]) -> list[Count]:
    """Return the groups that were named.

    Raises:
        Exit: none was, or there is no such group.

    """
    if not ids:
        raise stop(
            f"Name the groups, or `all`: klaviyo failures {verb} GROUP. `klaviyo failures` lists them.", EXIT_USAGE
        )
    if ALL in ids:
        return list(found)
    known = {each.group.id: each for each in found}
    if absent := [id for id in ids if id not in known]:
        raise stop(f"There is no group {' or '.join(absent)}; `klaviyo failures` lists them.", EXIT_USAGE)
    return [known[id] for id in dict.fromkeys(ids)]


def _overview(found: Sequence[Count], as_json: bool) -> None:
    if as_json:
        print_json([group_as_dict(each) for each in found])
    elif not found:
        say(NOTHING_KEPT)
    else:
        stdout().print(table(found))
        say(
            "`klaviyo failures show GROUP` lists the tasks, `replay GROUP` sends them again, `drop GROUP` forgets them."
        )


def group_as_dict(count: Count) -> dict[str, Any]:
    """Return a group as JSON-compatible values."""
    return {**asdict(count.group), "failures": count.failures, "first": clock(count.first), "last": clock(count.last)}


def table(found: Sequence[Count]) -> Listing:
    """Lay out a row for each group."""
    shown = listing(
        "group", "failures>", "first", "last", "error", "reason",
        whole=("group", "first", "last", "error"), optional=("first",), below=("error", "reason"),
    )  # fmt: skip
    for each in found:
        times = (day_and_time(each.first), day_and_time(each.last))
        reason = f"{each.group.reason}; look at {each.group.look_at}" if each.group.unknown else each.group.reason
        shown.add_row(each.group.id, f"{each.failures:,}", *times, each.group.error, reason)
    return shown


def _show(chosen: Sequence[Count], most: int, as_json: bool) -> None:
    if as_json:
        rows = [(each, failure) for each in chosen for failure in read_failures(each.group.id)]
        print_json([failure_as_dict(each, failure) for each, failure in rows])
        return
    for each in chosen:
        say(f"{each.group.id}: {each.group.error}, {each.group.reason}", "bold")
        stdout().print(failure_table(read_failures(each.group.id, most)))
        if each.failures > most:
            say(f"Only the first {most:,} of {each.failures:,} are shown; --json has all of them.")


def failure_as_dict(count: Count, failure: Failure) -> dict[str, Any]:
    """Return a failure as JSON-compatible values; of its parameters what `identify` shows."""
    error, parameters = describe(failure)
    return {
        "id": failure.id,
        "group": count.group.id,
        "task": failure.task,
        "account": failure.account,
        "lane": failure.lane,
        "failed": clock(failure.at),
        "error": error,
        "parameters": parameters,
    }


def describe(failure: Failure) -> tuple[str, list[str]]:
    """Return the sentence of a failure's error, and its parameters: their names, and the values that are nobody's."""
    try:
        opened = failure.opened
    except SettingsError as error:
        return str(error), []
    task = app.tasks.get(failure.task)
    return opened["error"], list(identify(task.declaration, opened["kwargs"])) if task else list(opened["kwargs"])


def failure_table(found: Sequence[Failure]) -> Listing:
    """Lay out a row for each failure."""
    shown = listing(
        "id", "failed", "account", "lane", "parameters", "error",
        whole=("id", "failed", "lane"), below=("error", "parameters", "account"),
    )  # fmt: skip
    for each in found:
        error, parameters = describe(each)
        shown.add_row(each.id, day_and_time(each.at), each.account, each.lane, ", ".join(parameters) or "-", error)
    return shown


def _replay(chosen: Sequence[Count], yes_again: bool, dry_run: bool, as_json: bool) -> None:
    done, held = dict[str, Replayed](), list[OutcomeMatters]()
    for each in chosen:
        try:
            done[each.group.id] = replay_all(each.group, yes_again=yes_again, rehearse=dry_run)
        except OutcomeMatters as unknown:
            held.append(unknown)
            done[each.group.id] = Replayed()
    if as_json:
        print_json([{"group": id, **asdict(replayed)} for id, replayed in done.items()])
    for id, replayed in done.items():
        for sentence in describe_replay(id, replayed, dry_run):
            say(sentence)
    for error in held:
        say(str(error), "yellow")
    if held or any(replayed.impossible for replayed in done.values()):
        raise typer.Exit(EXIT_FAILED)


def describe_replay(group: str, replayed: Replayed, rehearsed: bool = False) -> Iterator[str]:
    """Say how many tasks of a group wait again, and why others cannot be repeated."""
    tasks = f"{replayed.tasks:,} task{'' if replayed.tasks == 1 else 's'}"
    yield f"{group}: {tasks} {'would wait' if rehearsed else 'wait' if replayed.tasks != 1 else 'waits'} again."
    for reason, count in replayed.impossible.most_common():
        yield f"{group}: {count:,} cannot be repeated: {reason}"


def _drop(chosen: Sequence[Count], dry_run: bool, yes: bool, as_json: bool) -> None:
    count = sum(each.failures for each in chosen)
    if dry_run:
        if as_json:
            print_json({each.group.id: each.failures for each in chosen})
        say(f"{count:,} failed tasks would be dropped.")
        return
    if count and not yes:
        typer.confirm(f"Drop {count:,} failed tasks? There is no undo.", abort=True, err=True)
    dropped = {each.group.id: drop_all(each.group.id) for each in chosen}
    if as_json:
        print_json(dropped)
    say(f"{sum(dropped.values()):,} dropped.")
