"""The task that beat and `klaviyo sync` ask for: read these streams of an account into the store."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from celery.exceptions import Ignore
from sqlalchemy.exc import InterfaceError, OperationalError

from schedules import guard, trouble
from schedules.clock import present
from schedules.deferred import LOOK_AFTER, register
from schedules.entries import Mode
from schedules.pull import pages as pull
from schedules.pull.requests import GO_ON, Request, claim, load, save, scheduled
from schedules.pull.streams import STREAMS
from schedules.push import task as push_task
from schedules.reports import pages as reports
from schedules.reports.pages import REPORTS
from worker.accounts import account as account_of
from worker.errors import InputError
from worker.patience import published
from worker.place import PREFIX
from worker.reminders import remind
from worker.settings import get_settings
from worker.steps import Step

SYNC = f"{PREFIX}sync"


class Sync(Step):
    """Begin a sync. Its streams are read by tasks of their own; this one is over when the first have begun."""

    name = SYNC

    def run(
        self, *, account: str, streams: list[str], mode: Mode = "changes", since: str | None = None
    ) -> dict[str, Any]:  # fmt: skip
        """Write down what is asked for, and begin; what beat asks for only where the run before it is over.

        Raises:
            Ignore: it has been run, or another goes on.

        """
        alias, chosen = account_of(get_settings(), account).alias, checked(streams)
        if scheduled(self.task_id) and not guard.begin(self.task_id, self.holder, pull.SILENT):
            raise Ignore("this run of the entry is not wanted")
        save(Request(self.task_id, alias, mode, since, present().timestamp(), dict.fromkeys(chosen, "wanted")))
        go_on(self.task_id)
        return {"account": alias, "streams": chosen, "mode": mode}


class GoOn(Step):
    """Begin the streams of a request whose parents have been read."""

    name = GO_ON
    ignore_result = True

    def run(self, request: str) -> None:
        """Look and begin."""
        go_on(request)


class LookAfter(Step):
    """Take up a run that has written nothing for a while."""

    name = LOOK_AFTER
    ignore_result = True

    def run(self, which: str) -> None:
        """Ask for its pages again, or for the push that waits."""
        if which.startswith(push_task.WAITS):
            push_task.try_again(which)
            return
        with _or_later(which):
            reports.look_after(which) if which.rpartition("|")[2] in REPORTS else pull.look_after(which)


def checked(streams: Iterable[str]) -> list[str]:
    """The streams that are read by themselves, parents first; ``jobs`` stands for ``jobs:…`` of every kind.

    Raises:
        InputError: one has a name that none has, or there is nothing to read: they come with streams not asked for.

    """
    families = {name.partition(":")[0] for name in (*STREAMS, *REPORTS)}
    if not (asked := set(streams)):
        raise InputError(SYNC, ["it names no stream"])
    if unknown := sorted(asked - families - set(STREAMS)):
        near = difflib.get_close_matches(unknown[0], [*families, *STREAMS], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(families))}"
        raise InputError(SYNC, [f"there is no stream {unknown[0]!r}; {hint}"])
    read = [
        name
        for name, stream in STREAMS.items()
        if (name in asked or name.partition(":")[0] in asked) and stream.action is not None
    ]
    if not (chosen := [*read, *(name for name in REPORTS if name in asked)]):
        parents = sorted({stream.parent.stream for name in asked if (stream := STREAMS[name]).parent})
        raise InputError(SYNC, [f"{' and '.join(sorted(asked))} come with {' and '.join(parents)}: ask for these"])
    return chosen


def go_on(id: str) -> None:
    """Begin every stream of a request that can begin; where all have ended, so has the request."""
    request = load(id)
    if request is None:
        return
    for name, state in request.streams.items():
        parent = STREAMS[name].parent if name in STREAMS else None
        waits = parent and request.streams.get(parent.stream) in ("wanted", "running")
        if state == "wanted" and not waits:
            since = datetime.fromisoformat(request.since) if request.since else None
            pull.remind(request.account, id, name)
            # Two streams that end at once have this done twice at once.
            if not claim(id, name):
                continue
            with _or_later(f"{request.account}|{id}|{name}"):
                if name in REPORTS:
                    reports.begin(request.account, id, name)
                else:
                    pull.begin(request.account, id, name, "full" if request.mode == "full" else "incremental", since)
    if request.over and scheduled(id):
        told = "; ".join(f"{name}: {why}" for name, why in request.failed.items())
        guard.end(id, not request.failed, told)


@contextmanager
def _or_later(which: str) -> Iterator[None]:
    """Begin a stream, or look after it; where the store cannot be written, it is looked after again soon."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        trouble.met(error)
        remind(f"sync|{which}", trouble.AWAY)
    else:
        trouble.overcome()


sync = register(Sync())
register(GoOn())
register(LookAfter())


def start(account: str, streams: Iterable[str], mode: Mode = "changes", since: datetime | None = None) -> str:
    """Ask for a sync; returns the request's id.

    Raises:
        InputError: there is no such stream. SettingsError: there is no such account.

    """
    alias = account_of(get_settings(), account).alias
    kwargs = {
        "account": alias,
        "streams": checked(streams),
        "mode": mode,
        "since": since.isoformat() if since else None,
    }
    return str(published(lambda: sync.apply_async((), kwargs)).id)
