"""Finding out whether Klaviyo began a job whose request was not answered, before it is sent again.

Candidates are jobs in Klaviyo's list that began since, belong to none of ours and have as many records. Their records
are compared with ours. If none matches, the list is read once more a while later, since Klaviyo may still have been
working on the request. If none matches then, the request has not arrived, and it is sent again. If one shows no records
until the job's deadline, the outcome is unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson

from tasks.jobs.kinds import JOB_KINDS, JobKind, by_id
from tasks.jobs.ledger import Job, get_ledger, group
from tasks.jobs.next_step import FIND, go_on
from tasks.jobs.progress import show_state
from tasks.jobs.records import counters, names, objects, records
from tasks.rules import value_at
from worker.action import Action
from worker.api.jsonapi import Envelope
from worker.api.paging import attributes, listed, next_page, one
from worker.api.parameters import Params
from worker.app import app
from worker.errors import KlaviyoError, NotFound, OutcomeUnknown
from worker.reminders import remind
from worker.settings import get_settings
from worker.steps import AskingStep

#: Seconds by which Klaviyo's clock and ours may differ.
CLOCK_SKEW_S = 60.0

#: The most pages of the list that are read: jobs of a week, a hundred a page.
MAX_PAGES = 50

#: Seconds until the list is read again if a candidate shows no records yet; the delay doubles up to the second value.
MIN_RETRY_S, MAX_RETRY_S = 2.0, 60.0


#: Where the records of a candidate are listed: those that it took, or those that failed; neither before it has begun.
CONTENTS, ERRORS, NOWHERE = "contents", "errors", "nowhere yet"

#: The id of one of Klaviyo's jobs, and where its records are listed.
Candidate = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Search:
    """Which job is searched for, and how far the search has come.

    ``candidate`` is the one of Klaviyo's jobs that is compared with ours, "" while the list is read. ``candidates`` are
    the others that it may be. ``pages`` and ``rounds`` count how often the list was requested. ``second`` is True once
    a first search has found nothing.
    """

    job: str
    kind: str
    candidate: str = ""
    candidates: list[Candidate] = field(default_factory=list)
    pages: int = 1
    rounds: int = 0
    second: bool = False


class Find(AskingStep[Search]):
    """Search for one job: first read the list, then compare each candidate."""

    name = FIND
    about = Search

    def publish(self, job: Job, kind: JobKind, after: float) -> None:
        """Publish the search."""
        self._begin(job, kind, Search(job.id, kind.name), after)

    def _begin(self, job: Job, kind: JobKind, search: Search, after: float) -> None:
        if kind.trace == "id":
            campaign = value_at(orjson.loads(self._body(job) or b"{}"), ("data", "id"))
            assert kind.status is not None
            self._ask(job, kind.status, by_id(kind.status, campaign), replace(search, candidate=campaign), after)
        else:
            assert kind.listing is not None
            self._ask(job, kind.listing, kind.page(), search, after)

    def _ask(self, job: Job, action: Action[Any], params: Params, search: Search, after: float = 0.0) -> None:
        self.ask(
            action, params, job.account, search, lane=job.lane, countdown=after, task_id=f"{job.id}.{uuid4()}"
        )  # fmt: skip

    def needed(self, about: Search) -> bool:
        """Return True unless the job has been found meanwhile."""
        return self._unanswered_job(about.job) is not None

    def answered(self, envelope: Envelope, params: Params, account: str, about: Search) -> None:
        """Go on with a page of the list, or with the records of a candidate."""
        kind, job = JOB_KINDS[about.kind], self._unanswered_job(about.job)
        if job is None:
            return
        if kind.trace == "id":
            self._accept(job, kind, about)
        elif about.candidate:
            self._compare_records(job, kind, envelope, about)
        else:
            self._add_candidates(job, kind, envelope, params, about)

    def failed(self, error: KlaviyoError, params: Params, account: str, about: Search) -> None:
        """Take the next candidate after a 404; search again later after any other error."""
        kind, job = JOB_KINDS[about.kind], self._unanswered_job(about.job)
        if job is None:
            return
        if isinstance(error, NotFound):
            self._check_next(job, kind, about)
            return
        if _is_overdue(job, kind):
            self._end_as_unknown(job, kind, f"the search for it failed: {error}")
        else:
            remind(f"job|{job.id}", get_settings().backoff_max_seconds)
        raise error

    def _unanswered_job(self, id: str) -> Job | None:
        """Return the job if it still has to be found."""
        job = get_ledger().job(id)
        return job if job is not None and job.state == "spawning" and job.sent else None

    def _add_candidates(self, job: Job, kind: JobKind, envelope: Envelope, params: Params, search: Search) -> None:
        assert kind.listing is not None
        page, began = listed(kind.listing.declaration, envelope), (job.sent or 0) - CLOCK_SKEW_S
        count = len(records(self._body(job), kind.path)) or None
        fits = {
            each["id"]: found
            for each in page
            if _created_at(found := attributes(each)) >= began
            and (count is None or counters(found).get("total", count) == count)
        }
        taken = get_ledger().owners(group(job.account, job.kind), fits)
        new = [(id, _where_records_are(kind, found)) for id, found in fits.items() if id not in taken]
        search = replace(search, candidates=[*search.candidates, *new], pages=search.pages + 1)
        following = next_page(kind.listing.declaration, params, envelope)
        older = kind.newest_first and page and _created_at(attributes(page[-1])) < began
        if following and not older and search.pages <= MAX_PAGES:
            self._ask(job, kind.listing, following, search)
        else:
            self._check_next(job, kind, search)

    def _check_next(self, job: Job, kind: JobKind, search: Search) -> None:
        """Compare the next candidate; if none is left after two searches, the job was not begun."""
        if not search.candidates:
            if search.second:
                self._resend_or_give_up(job, kind)
            else:
                self._begin(job, kind, Search(job.id, kind.name, second=True), get_settings().read_timeout)
            return
        (job_id, where), *rest = search.candidates
        search = replace(search, candidate=job_id, candidates=rest)
        if where == NOWHERE:
            if _is_overdue(job, kind):
                self._end_as_unknown(job, kind, "one of Klaviyo's jobs that it may be has shown no records")
            elif all(each[1] == where for each in rest):
                retry = Search(job.id, kind.name, rounds=search.rounds + 1, second=search.second)
                self._begin(job, kind, retry, min(MIN_RETRY_S * 2**search.rounds, MAX_RETRY_S))
            else:
                self._check_next(job, kind, replace(search, candidates=[*rest, (job_id, where)]))
        else:
            assert kind.contents is not None, "a job is recognised by its records"
            action, extra = (kind.errors, {}) if where == ERRORS and kind.errors else kind.contents
            self._ask(job, action, {**by_id(action, job_id), **extra}, search)

    def _compare_records(self, job: Job, kind: JobKind, envelope: Envelope, search: Search) -> None:
        data = envelope.get("data")
        if isinstance(data, list):
            theirs = [attributes(each).get("original_payload") or each for each in data]
        else:
            errors = objects(attributes(one(envelope)).get("errors"))
            theirs = [*envelope.get("included", []), *({"attributes": each.get("meta")} for each in errors)]
        ours = {name for each in records(self._body(job), kind.path) for name in names(each)}
        # All of them have to match: another job of the same size may share a record with ours.
        if theirs and all(names(each) & ours for each in theirs):
            self._accept(job, kind, search)
        else:
            self._check_next(job, kind, search)

    def _accept(self, job: Job, kind: JobKind, search: Search) -> None:
        if get_ledger().accept(job.id, search.candidate, kind.own_id) == "taken":
            self._check_next(job, kind, search)
            return
        show_state(job.id, "ACCEPTED", job_id=search.candidate)
        go_on(job.id)

    def _body(self, job: Job) -> bytes | None:
        request = get_ledger().request(job.id)
        return request.body if request else None

    def _resend_or_give_up(self, job: Job, kind: JobKind) -> None:
        settings, ledger = get_settings(), get_ledger()
        if kind.respawn and job.tries + 1 < settings.max_attempts:
            ledger.allow_resend(job.id, tries=job.tries + 1)
            go_on(job.id)
            return
        self._end_as_unknown(job, kind, "the answer was lost, and Klaviyo lists no such job")

    def _end_as_unknown(self, job: Job, kind: JobKind, reason: str) -> None:
        look_at = kind.spawn.declaration.repeat.note or "the list of jobs"
        unknown = OutcomeUnknown(kind.name, job.account, reason, look_at)
        failure = {"type": OutcomeUnknown.__name__, "args": list(unknown.args)}
        _, released = get_ledger().end(job.id, "unknown", failure=failure)
        go_on(job.id, *released)


def _is_overdue(job: Job, kind: JobKind) -> bool:
    """Return True if a job was sent so long ago that it is no longer searched for."""
    now = get_ledger().now()
    return now - (job.sent or now) > (get_settings().job_deadline or kind.deadline_s)


def _where_records_are(kind: JobKind, attributes: dict[str, Any]) -> str:
    """Return where the records of a job are listed."""
    counts = counters(attributes)
    done, failed = counts.get("completed", 0), counts.get("failed", 0)
    if done or (failed and kind.errors is None) or attributes.get("status") in ("complete", "cancelled"):
        return ERRORS if failed and not done else CONTENTS
    return NOWHERE


def _created_at(attributes: dict[str, Any]) -> float:
    """Return when a job was created; infinity if it does not say, since it may be recent."""
    try:
        made = datetime.fromisoformat(attributes.get("created_at") or attributes.get("created") or "")
        return (made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return math.inf


app.register_task(Find())
