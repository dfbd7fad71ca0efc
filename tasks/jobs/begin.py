"""The task that stands for a whole job: the steps after it have its id, its callbacks and its place in a chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NoReturn, ParamSpec

from celery.canvas import Signature
from celery.exceptions import Ignore
from celery.result import AsyncResult

from tasks.jobs.collect import collect
from tasks.jobs.kinds import KINDS, Kind
from tasks.jobs.next_step import go_on
from tasks.jobs.records import records
from tasks.jobs.telling import tell
from worker.accounts import DEFAULT, account
from worker.action import NAMES_2024, PREFIX, Action, Options, masked
from worker.app import app
from worker.declaration import Params
from worker.errors import InputError
from worker.execution import patiently
from worker.governor import Lane
from worker.jsonapi import Envelope
from worker.ledger import get_ledger
from worker.paging import one
from worker.settings import get_settings
from worker.steps import Step

P = ParamSpec("P")

JOB = f"{PREFIX}job"


def kind_of(name: str) -> Kind:
    """The kind of job that an action begins, by either of its names.

    Raises:
        InputError: it begins none.

    """
    word = name.removeprefix(PREFIX)
    kind = KINDS.get(NAMES_2024.get(word, word))
    if kind is None:
        raise InputError(JOB, [f"{word!r} begins no job; these do: {', '.join(sorted(KINDS))}"])
    return kind


class Begin(Step):
    """Enter a job into the ledger. From there on it goes its own way, and ends as this task's result."""

    name = JOB

    def run(self, previous: Mapping[str, Any] | None = None, /, *, kind: str, params: Params) -> NoReturn:
        """Open the job; ``previous`` is the result before it in a chain, whose campaign it is for."""
        this = kind_of(kind)
        params = dict(params)
        if previous is not None and "id" in this.spawn.declaration.parameters and "id" not in params:
            params["id"] = one(previous).get("id")
        declaration = this.spawn.declaration
        params = declaration.bind(params, self.request.id)
        request, repeat = declaration.request(params), declaration.repeat_of(params)
        alias = account(get_settings(), self.account).alias
        lane: Lane = self.request.get("klaviyo_lane") or "now"
        continuation: Any = self.replace(collect.si())
        news, released = patiently(
            lambda: get_ledger().open(
                self.task_id, this.name, alias, request, lane=lane, cap=this.cap,
                items=len(records(request.body, this.path)),
                once="" if repeat.blindly else repeat.note, continuation=continuation,
            )
        )  # fmt: skip
        if news:
            tell(self.task_id, "SPAWNING")
        go_on(*released)
        raise Ignore("the job goes on by itself")

    def on_replace(self, sig: Signature[Any]) -> Any:
        """Keep the step that takes this task's place, instead of publishing it: it is the job's last."""
        return sig

    def apply_async(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> AsyncResult[Envelope]:
        """Check the call and publish it.

        Raises:
            InputError: the call is wrong; nothing was published.

        """
        given = dict(kwargs or {})
        this, params = kind_of(given.get("kind", "")), given.get("params") or {}
        if not args:
            params = this.spawn.declaration.bind(params, options.get("task_id"))
        shown = f"{{'kind': {this.name!r}, 'params': {masked(params)}}}"
        result: AsyncResult[Envelope] = super().apply_async(
            args, {"kind": this.name, "params": params}, **{**options, "argsrepr": "(…)", "kwargsrepr": shown}
        )
        return result


begin = app.register_task(Begin())


@dataclass(frozen=True, slots=True)
class JobCall(Generic[P]):
    """A job that can be asked for in the ways of an action (`run_job`)."""

    kind: Kind
    options: Options = field(default_factory=Options)

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[Envelope]:
        """Begin the job and follow it to its end; the result is the whole job's."""
        return begin.apply_async((), {"kind": self.kind.name, "params": kwargs}, **self._sent_with())

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[Envelope]:
        """An immutable signature for Celery's chains, groups and chords. It is checked here already."""
        params = self.kind.spawn.declaration.bind(kwargs, stamped=False)
        return self._signature((), params, immutable=True)

    def s(self) -> Signature[Envelope]:
        """A signature for a campaign's job in a chain: the campaign is the one of the result before it."""
        if "id" not in self.kind.spawn.declaration.parameters:
            raise TypeError(f"{self.kind.name} takes nothing from the task before it: use .si(…)")
        return self._signature((), {}, immutable=False)

    def on(self, name: str = DEFAULT, *, lane: Lane = "now") -> JobCall[P]:
        """The same job on another account, or in another lane."""
        return JobCall(self.kind, Options(name, lane))

    def _signature(self, args: Any, params: Params, *, immutable: bool) -> Signature[Envelope]:
        given = {"kind": self.kind.name, "params": params}
        made: Signature[Envelope] = begin.signature(args, given, options=self._sent_with(), immutable=immutable)
        return made

    def _sent_with(self) -> dict[str, Any]:
        alias = account(get_settings(), self.options.account).alias
        return {"headers": {"klaviyo_account": alias, "klaviyo_lane": self.options.lane}}


def run_job(action: Action[P]) -> JobCall[P]:
    """The job that an action begins, followed to its true end.

    ``run_job(bulk_import_profiles).delay(profiles=[…])`` returns one result for the whole job: an envelope whose
    ``data`` has ``status``, the counters, ``errors`` with the place of each failed record, and ``seconds``. Until then
    its state is SPAWNING, ACCEPTED or PROCESSING. It raises `JobFailed` or one of its kinds where the job did not end
    well, and what the action itself would raise where Klaviyo did not begin it.

    Raises:
        InputError: the action begins no job.

    """
    return JobCall(kind_of(action.declaration.name))
