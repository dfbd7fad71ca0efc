"""The task that stands for a whole job; the job's last step takes over its id, callbacks and place in a chain."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, NoReturn, ParamSpec

from celery.canvas import Signature
from celery.exceptions import Ignore
from celery.result import AsyncResult

from tasks.jobs.kinds import JOB_KINDS, JobKind
from tasks.jobs.ledger import get_ledger
from tasks.jobs.next_step import go_on
from tasks.jobs.progress import show_state
from tasks.jobs.records import records
from tasks.jobs.settle import settle_job
from worker.account_and_lane import TASK_PREFIX, Place, lane_named, lane_of
from worker.accounts.lookup import account
from worker.action import NAMES_2024, Action, Options
from worker.api.declaration import Declaration
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.app import app
from worker.calls import delay_of, received, time_to_send, until_of
from worker.errors import InputError, SettingsError
from worker.governor import Lane, get_governor
from worker.revocation import revoke
from worker.settings import get_settings
from worker.steps import Opening
from worker.telemetry.masking import mask_values
from worker.telemetry.traces import kept_context

P = ParamSpec("P")

JOB = f"{TASK_PREFIX}job"


def kind_of(name: str) -> JobKind:
    """Return the kind of job that an action begins, by either of its names.

    Raises:
        InputError: it begins none.

    """
    word = name.removeprefix(TASK_PREFIX)
    kind = JOB_KINDS.get(NAMES_2024.get(word, word))
    if kind is None:
        raise InputError(JOB, [f"{word!r} begins no job; these do: {', '.join(sorted(JOB_KINDS))}"])
    return kind


class Begin(Opening):
    """Enter a job into the ledger; its outcome will be this task's result."""

    name = JOB

    def run(self, previous: Mapping[str, Any] | None = None, /, *, kind: str, params: Params) -> NoReturn:
        """Open the job; ``previous`` is the result before it in a chain, which names the campaign."""
        if self.request.is_eager:
            raise SettingsError(
                "a job is followed by workers, and task_always_eager has none: test with worker.testing"
            )
        this, id = kind_of(kind), self.task_id
        declaration = this.spawn.declaration
        params = declaration.bind(
            received(declaration, () if previous is None else (previous,), params, follows=True), id
        )
        request, repeat = declaration.request(params), declaration.repeat_of(params)
        alias, lane = account(get_settings(), self.account).alias, lane_of(self.request)
        delay = delay_of(self.request)
        # The process that publishes the last step may be running another task by then.
        continuation: Any = self.replace(settle_job.si().set(**Place(alias, lane).options(), **kept_context()))
        news, released = get_ledger().open(
            id, this.name, alias, request, lane=lane, cap=this.cap,
            items=len(records(request.body, this.path)),
            once="" if repeat.blindly else repeat.note, continuation=continuation,
            expires=until_of(self.request), stamps=self.request.stamps,
            eta=get_ledger().now() + delay if delay else None,
        )  # fmt: skip
        if get_governor().revoked(id):
            # Revoked just now, perhaps before the job was in the ledger.
            revoke(app, id)
        elif news:
            show_state(id, "SPAWNING")
        go_on(*released)
        raise Ignore("the job goes on in its own steps")

    def on_replace(self, sig: Signature[Any]) -> Any:
        """Return the step that replaces this task instead of publishing it: it is the job's last."""
        return sig

    def check_arguments(
        self, args: Any, kwargs: Mapping[str, Any], task_id: str | None
    ) -> tuple[Any, dict[str, Any], str]:
        """Check the parameters, unless the result before it in a chain completes them, which is at run time."""
        this, params = kind_of(str(kwargs.get("kind", ""))), kwargs.get("params") or {}
        if not args:
            params = this.spawn.declaration.bind(params, task_id)
        shown = f"{{'kind': {this.name!r}, 'params': {mask_values(params)}}}"
        return args, {"kind": this.name, "params": params}, shown

    def asks(self, args: Any, kwargs: Mapping[str, Any]) -> Declaration:
        """Return the action that begins the job."""
        return kind_of(kwargs["kind"]).spawn.declaration


begin = app.register_task(Begin())


@dataclass(frozen=True, slots=True)
class JobCall(Generic[P]):
    """A job, called in the same ways as an action (`run_job`)."""

    kind: JobKind
    options: Options = field(default_factory=Options)

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[Envelope]:
        """Begin the job and follow it to its end; the result is the outcome of the whole job."""
        return self.apply_async(dict(kwargs))

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[Envelope]:
        """Begin the job as `delay` does, without blocking the event loop."""
        return await asyncio.to_thread(self.delay, *args, **kwargs)

    def apply_async(self, kwargs: Mapping[str, Any], **options: Any) -> AsyncResult[Envelope]:
        """Begin the job with any of Celery's options; the parameters are checked at run time only."""
        given = {"kind": self.kind.name, "params": kwargs}
        result: AsyncResult[Envelope] = begin.apply_async((), given, **{**self.options.sent(), **options})
        return result

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[Envelope]:
        """Return an immutable signature for Celery's chains, groups and chords. The parameters are checked at once."""
        params = self.kind.spawn.declaration.bind(kwargs, stamped=False)
        return self._signature((), params, immutable=True)

    def s(self) -> Signature[Envelope]:
        """Return a signature for a campaign's job in a chain; the result before it names the campaign."""
        if "id" not in self.kind.spawn.declaration.parameters:
            raise TypeError(f"{self.kind.name} takes nothing from the task before it: use .si(…)")
        return self._signature((), {}, immutable=False)

    def on(
        self,
        name: str | None = None,
        *,
        lane: Lane | None = None,
        countdown: float = 0.0,
        expires: float | timedelta | datetime | None = None,
    ) -> JobCall[P]:
        """Return the same job for another account or lane, at a later time, or with an expiry, as `Action.on` does.

        A job that expires before it is sent to Klaviyo ends as REVOKED; one that was sent is followed to its end.

        Raises:
            InputError: there is no such lane, that is no time, or the job would expire before its countdown is over.

        """
        if lane is not None:
            lane_named(self.kind.name, lane)
        time_to_send(self.kind.name, countdown, expires)
        return JobCall(self.kind, Options(name, lane, countdown, expires))

    def _signature(self, args: Any, params: Params, *, immutable: bool) -> Signature[Envelope]:
        given = {"kind": self.kind.name, "params": params}
        made: Signature[Envelope] = begin.signature(args, given, options=self.options.sent(), immutable=immutable)
        return made


def run_job(action: Action[P]) -> JobCall[P]:
    """Return the job that an action begins, to be followed to its true end.

    ``run_job(bulk_import_profiles).delay(profiles=[…])`` returns one result for the whole job: an envelope whose
    ``data`` has ``status``, the counters, ``errors`` with the index of each failed record, and ``seconds``. Until then
    its state is SPAWNING, ACCEPTED or PROCESSING. It raises `JobFailed` or one of its subclasses if the job did not end
    well, and what the action itself would raise if Klaviyo did not begin it.

    Raises:
        InputError: the action begins no job.

    """
    return JobCall(kind_of(action.declaration.name))
