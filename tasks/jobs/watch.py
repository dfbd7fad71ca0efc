"""Polling jobs until Klaviyo is done with them: many in one request if there is a list of them, otherwise one by one.

A poll of a group (the jobs of one kind on one account) reads the whole list of jobs in progress. Our jobs that are not
in it are over: several are looked up in the list of complete jobs, a few one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from tasks.jobs.kinds import JOB_KINDS, JobKind, by_id
from tasks.jobs.ledger import OPEN, Job, get_ledger, group
from tasks.jobs.next_step import LOST_AFTER_S, POLL, WATCH, go_on
from tasks.jobs.pace import poll_delay
from tasks.jobs.progress import show_state
from tasks.jobs.records import counters, describe_error, objects
from worker.api.jsonapi import Envelope
from worker.api.paging import attributes, listed, next_page, one
from worker.api.parameters import Params
from worker.app import app
from worker.errors import KlaviyoError, NotFound
from worker.reminders import remind, sees_to
from worker.settings import get_settings
from worker.steps import AskingStep

#: How late a poll may be, in seconds, before its watcher counts as dead: a poll may have to wait for budget first.
WATCHER_DEAD_AFTER_S = 300.0

#: The list of complete jobs is read if at least this many have left the list of those in progress.
MIN_MISSING_FOR_LIST = 5
COMPLETE = 'equals(status,"complete")'
PAGE_SIZE = 100

#: The most jobs that are polled one by one after a poll of their group.
MAX_SINGLE_POLLS = 50

#: How many 404s in a row it takes to believe that a job is gone, and the seconds between them.
NOT_FOUND_BELIEVED_AFTER, NOT_FOUND_RETRY_S = 3, 2.0

#: Seconds until a group is polled again after Klaviyo refused a poll.
REFUSED_RETRY_S = 60.0


@dataclass(frozen=True, slots=True)
class GroupPoll:
    """How far a poll of a group has come.

    ``polled_ms`` is the time from which it counts, ``part`` which of the kind's lists is being read, ``requests`` how
    many it has cost, ``pages_left`` how many pages of complete jobs it may still read.
    """

    kind: str
    token: str
    polled_ms: int
    part: int = 0
    requests: int = 1
    pages_left: int = 0


class Watch(AskingStep[GroupPoll]):
    """Poll the jobs of a group, page by page."""

    name = WATCH
    about = GroupPoll

    def publish(self, job: Job, kind: JobKind, after: float) -> None:
        """Make sure that the group of this job is watched."""
        ensure_watched(group(job.account, job.kind))

    def publish_poll(self, account: str, kind: JobKind, token: str, requests: int = 1) -> None:
        """Publish the next poll, to run when it is due."""
        watched = group(account, kind.name)
        ledger = get_ledger()
        open_, took, now = ledger.in_progress(watched), ledger.durations(kind.name), ledger.now()
        aged = [(now - (job.accepted or now), job.items) for job in open_]
        wait = poll_delay(aged, took, kind.min_poll_s, kind.max_poll_s, requests)
        ledger.watch(watched, token, wait + WATCHER_DEAD_AFTER_S, takeover=True)
        self._read_page(account, kind, GroupPoll(kind.name, token, int((now + wait) * 1000)), wait=wait)
        # Only now that it is published: the earlier reminder is due soon, should this worker die in between.
        remind(f"watch|{watched}", wait + WATCHER_DEAD_AFTER_S)

    def _read_page(
        self, account: str, kind: JobKind, poll: GroupPoll, params: Params | None = None, wait: float = 0.0
    ) -> None:  # fmt: skip
        assert kind.listing is not None
        first = kind.page((*kind.in_progress, COMPLETE)[poll.part])
        self.ask(kind.listing, params or first, account, poll, countdown=wait)

    def answered(self, envelope: Envelope, params: Params, account: str, about: GroupPoll) -> None:
        """Record what a page says, then go on to the next page, list or poll."""
        kind, watched = JOB_KINDS[about.kind], group(account, about.kind)
        if not get_ledger().watch(watched, about.token, WATCHER_DEAD_AFTER_S):
            return
        assert kind.listing is not None
        resources = listed(kind.listing.declaration, envelope)
        following = next_page(kind.listing.declaration, params, envelope)
        owners = get_ledger().owners(watched, [each["id"] for each in resources])
        for each in resources:
            if owner := owners.get(each["id"]):
                record_status(owner, kind, attributes(each), about.polled_ms)
        more = replace(about, requests=about.requests + 1)
        complete, last = about.part == len(kind.in_progress), about.part + 1 >= len(kind.in_progress)
        if following and not complete:
            self._read_page(account, kind, more, following)
            return
        if not last:
            self._read_page(account, kind, replace(more, part=about.part + 1))
            return
        missing = self._missing(watched, about.polled_ms)
        if complete and following and missing and about.pages_left > 1:
            self._read_page(account, kind, replace(more, pages_left=about.pages_left - 1), following)
        elif not complete and len(missing) >= MIN_MISSING_FOR_LIST:
            self._read_page(
                account, kind, replace(more, part=about.part + 1, pages_left=-(-len(missing) // PAGE_SIZE) + 1)
            )
        else:
            self._finish_poll(account, kind, about, missing)

    def failed(self, error: KlaviyoError, params: Params, account: str, about: GroupPoll) -> None:
        """Poll again later, whatever the reason: the jobs are still there, until their deadline."""
        watched = group(account, about.kind)
        if get_ledger().watch(watched, about.token, WATCHER_DEAD_AFTER_S):
            remind(f"watch|{watched}", REFUSED_RETRY_S)
            give_up_stuck(get_ledger().in_progress(watched), JOB_KINDS[about.kind])
        raise error

    def _missing(self, watched: str, polled_ms: int) -> list[Job]:
        """Return the jobs that were accepted before this poll and that the list of jobs in progress did not have."""
        found = get_ledger().in_progress(watched)
        return [job for job in found if job.polled_ms < polled_ms and (job.accepted or 0) * 1000 < polled_ms]

    def _finish_poll(self, account: str, kind: JobKind, poll: GroupPoll, missing: list[Job]) -> None:
        watched = group(account, kind.name)
        for job in missing[:MAX_SINGLE_POLLS]:
            poll_job.publish_poll(job, kind)
        give_up_stuck(get_ledger().in_progress(watched), kind)
        if not get_ledger().stop_watching(watched, poll.token):
            # A new token: if this step is delivered twice, only the last watcher that it starts goes on.
            self.publish_poll(account, kind, str(uuid4()), poll.requests)


@dataclass(frozen=True, slots=True)
class JobPoll:
    """Which job is polled, whether that goes on until it is over, and how many 404s there were in a row."""

    job: str
    kind: str
    until_over: bool
    not_found: int = 0


class PollJob(AskingStep[JobPoll]):
    """Poll one job."""

    name = POLL
    about = JobPoll

    def publish(self, job: Job, kind: JobKind, after: float) -> None:
        """Poll this job until it is over."""
        self.publish_poll(job, kind, until_over=True)

    def publish_poll(self, job: Job, kind: JobKind, until_over: bool = False, not_found: int = 0) -> None:
        """Publish the next poll of this job, to run when it is due."""
        assert kind.status is not None
        wait = NOT_FOUND_RETRY_S if not_found else 0.0
        if until_over and not not_found:
            ledger = get_ledger()
            took, now = ledger.durations(kind.name), ledger.now()
            wait = poll_delay([(now - (job.accepted or now), job.items)], took, kind.min_poll_s, kind.max_poll_s)
        params, poll = by_id(kind.status, job.job_id), JobPoll(job.id, kind.name, until_over, not_found)
        self.ask(kind.status, params, job.account, poll, countdown=wait, task_id=f"{job.id}.{uuid4()}")
        if until_over:
            remind(f"job|{job.id}", wait + LOST_AFTER_S)

    def answered(self, envelope: Envelope, params: Params, account: str, about: JobPoll) -> None:
        """Record what Klaviyo says of the job."""
        kind, now = JOB_KINDS[about.kind], get_ledger().now()
        record_status(about.job, kind, attributes(one(envelope)), int(now * 1000))
        if about.until_over:
            self._poll_until_over(about.job, kind)

    def failed(self, error: KlaviyoError, params: Params, account: str, about: JobPoll) -> None:
        """Believe a 404 only when it is repeated: Klaviyo has answered 404 for jobs that exist."""
        kind = JOB_KINDS[about.kind]
        row = get_ledger().job(about.job)
        if isinstance(error, NotFound) and row is not None and row.state in OPEN:
            if about.not_found + 1 < NOT_FOUND_BELIEVED_AFTER:
                self.publish_poll(row, kind, about.until_over, about.not_found + 1)
            else:
                end_job(about.job, "vanished")
            return
        if about.until_over:
            self._poll_until_over(about.job, kind)
        raise error

    def _poll_until_over(self, id: str, kind: JobKind) -> None:
        row = get_ledger().job(id)
        if row is not None and row.state in OPEN and not give_up_stuck([row], kind):
            self.publish_poll(row, kind, until_over=True)


def record_status(id: str, kind: JobKind, attributes: dict[str, Any], polled_ms: int) -> None:
    """Record what Klaviyo said of a job at the time ``polled_ms``."""
    status, counts = attributes.get("status"), counters(attributes)
    if status in ("complete", "cancelled"):
        errors = [describe_error(each, kind.path) for each in objects(attributes.get("errors"))]
        end_job(id, status, counts, errors)
        return
    state = "processing" if status == "processing" else "accepted"
    if get_ledger().record_poll(id, polled_ms, state, counts) == "news":  # type: ignore[arg-type]
        show_state(id, state.upper(), **counts)


def end_job(
    id: str, status: str, counts: dict[str, int] | None = None, errors: list[dict[str, Any]] | None = None
) -> None:  # fmt: skip
    """Record that Klaviyo is done with a job, and start the jobs that waited for its slot."""
    news, released = get_ledger().end(id, status, counts, errors)
    go_on(*([id] if news else []), *released)


def give_up_stuck(jobs: Iterable[Job], kind: JobKind) -> bool:
    """Give up the jobs that have not ended by their deadline. Return True if there was one."""
    now, deadline = get_ledger().now(), get_settings().job_deadline or kind.deadline_s
    late = [job for job in jobs if now - (job.accepted or now) > deadline]
    for job in late:
        end_job(job.id, "stuck", job.counters)
    return bool(late)


def ensure_watched(watched: str, *, takeover: bool = False) -> None:
    """Start a watcher for a group unless it has one; ``takeover``: in any case."""
    account, _, name = watched.partition("|")
    token = str(uuid4())
    if get_ledger().watch(watched, token, WATCHER_DEAD_AFTER_S, takeover):
        watcher.publish_poll(account, JOB_KINDS[name], token)


@sees_to("watch")
def _watch_again(watched: str) -> None:
    ensure_watched(watched, takeover=True)


watcher: Any = app.register_task(Watch())
poll_job: Any = app.register_task(PollJob())
