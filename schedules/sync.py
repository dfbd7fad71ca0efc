"""The task that beat and `klaviyo sync` publish: copy these streams of an account into the store."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from celery.exceptions import Ignore
from sqlalchemy.exc import InterfaceError, OperationalError

from schedules import entry_runs
from schedules.clock import current_time
from schedules.deferred import RESUME, register
from schedules.entries import SyncMode
from schedules.pull import pages as pull
from schedules.pull.streams import STREAMS
from schedules.push import task as push_task
from schedules.reports import pages as reports
from schedules.reports.pages import REPORTS
from schedules.store import outage
from schedules.sync_requests import START_STREAMS, SyncRequest, claim, load, save
from worker.account_and_lane import TASK_PREFIX
from worker.accounts.lookup import account as account_of
from worker.errors import InputError
from worker.publishing import published
from worker.redis.homes import at_home
from worker.reminders import remind
from worker.settings import get_settings
from worker.steps import Step

SYNC = f"{TASK_PREFIX}sync"


class Sync(Step):
    """Start a sync. Its streams are read by tasks of their own; this one ends once the first of them have started."""

    name = SYNC

    def run(
        self, *, account: str, streams: list[str], mode: SyncMode = "changes", since: str | None = None
    ) -> dict[str, Any]:  # fmt: skip
        """Save the request and start it; a scheduled one starts only if the entry's previous run has ended.

        Raises:
            Ignore: this run has already started, or the previous one is still running.

        """
        alias, chosen = account_of(get_settings(), account).alias, resolve_streams(streams)
        if entry_runs.is_scheduled(self.task_id) and not entry_runs.begin_run(
            self.task_id, self.holder, entry_runs.RUN_DEAD_AFTER_S
        ):
            raise Ignore("this run has already started, or the previous one is still running")
        save(SyncRequest(self.task_id, alias, mode, since, current_time().timestamp(), dict.fromkeys(chosen, "wanted")))
        start_ready_streams(self.task_id)
        return {"account": alias, "streams": chosen, "mode": mode}


class StartStreams(Step):
    """Start the streams of a request whose parents have been read."""

    name = START_STREAMS
    ignore_result = True

    def run(self, request: str) -> None:
        """Start whatever is ready."""
        start_ready_streams(request)


class Resume(Step):
    """Resume a run that has written nothing for a while."""

    name = RESUME
    ignore_result = True

    def run(self, which: str) -> None:
        """Request its pages again, or publish the waiting push again."""
        if which.startswith(push_task.REMINDER_PREFIX):
            push_task.publish_again(which)
            return
        with _resumed_later_if_store_fails(which):
            reports.resume(which) if which.rpartition("|")[2] in REPORTS else pull.resume(which)


def resolve_streams(streams: Iterable[str]) -> list[str]:
    """Return the streams to read for these names, parents first; ``jobs`` stands for ``jobs:…`` of every kind.

    Raises:
        InputError: there is no stream of this name, or all of them come with other streams and cannot be read alone.

    """
    families = {name.partition(":")[0] for name in (*STREAMS, *REPORTS)}
    if not (asked := set(streams)):
        raise InputError(SYNC, ["name at least one stream"])
    if unknown := sorted(asked - families - set(STREAMS)):
        near = difflib.get_close_matches(unknown[0], [*families, *STREAMS], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the streams are {', '.join(sorted(families))}"
        raise InputError(SYNC, [f"there is no stream {unknown[0]!r}; {hint}"])
    read = [
        name
        for name, stream in STREAMS.items()
        if (name in asked or name.partition(":")[0] in asked) and stream.action is not None
    ]
    if not (chosen := [*read, *(name for name in REPORTS if name in asked)]):
        parents = sorted({stream.parent.stream for name in asked if (stream := STREAMS[name]).parent})
        raise InputError(
            SYNC,
            [f"{' and '.join(sorted(asked))} cannot be read alone: name {' and '.join(parents)}, which brings them"],
        )
    return chosen


def start_ready_streams(id: str) -> None:
    """Start every stream of a request that is ready; end its scheduled run once all of them have ended."""
    request = load(id)
    if request is None:
        return
    for name, state in request.streams.items():
        parent = STREAMS[name].parent if name in STREAMS else None
        waits = parent and request.streams.get(parent.stream) in ("wanted", "running")
        if state == "wanted" and not waits:
            pull.renew_reminder(request.account, id, name)
            # Two streams that end at the same time both get here.
            if not claim(id, name):
                continue
            with _resumed_later_if_store_fails(f"{request.account}|{id}|{name}"):
                if name in REPORTS:
                    reports.start_run(request.account, id, name)
                else:
                    since = pull.parse_time(request.since)
                    pull.start_run(request.account, id, name, pull.mode_of(request), since)
    if request.is_over and entry_runs.is_scheduled(id):
        message = "; ".join(f"{name}: {why}" for name, why in request.failed.items())
        entry_runs.end_run(id, not request.failed, message)


@contextmanager
def _resumed_later_if_store_fails(which: str) -> Iterator[None]:
    """Have a stream resumed soon if the store cannot be written within this block."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        outage.note_failure(error)
        remind(f"sync|{which}", outage.RETRY_DELAY_S)
    else:
        outage.note_success()


sync = register(Sync())
register(StartStreams())
register(Resume())


def request_sync(
    account: str, streams: Iterable[str], mode: SyncMode = "changes", since: datetime | None = None
) -> str:
    """Publish a sync and return the request's id.

    Raises:
        InputError: there is no such stream.
        SettingsError: there is no such account.

    """
    alias = account_of(get_settings(), account).alias
    kwargs = {
        "account": alias,
        "streams": resolve_streams(streams),
        "mode": mode,
        "since": since.isoformat() if since else None,
    }
    with at_home(alias):
        return str(published(lambda: sync.apply_async((), kwargs)).id)
