"""``@action``: a declared function becomes a Celery task whose call sites the type checker knows.

create_profile.delay(email="ada@example.com")                          queue it
create_profile.on("eu-store", lane="bulk", countdown=60).delay(...)    choose account, lane, time
create_profile.si(email="ada@example.com")                             a signature, for chains and groups
create_profile.apply_async(kwargs={…}, link=…)                         with Celery's options; also .s, .map, .chunks
create_profile.delay_many([{"email": "ada@example.com"}, …])           queue many at once
await create_profile.adelay(email="ada@example.com")                   queue it, from asyncio
create_profile(email="ada@example.com")                                make the request now, in this process
get_profiles.pages(sort="created")                                     read a list, page by page, in this process
get_profiles.collect(sort="created")                                   have the workers read a list to its end
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec

from worker.account_and_lane import TASK_PREFIX, Place, lane_named
from worker.api.declaration import MAX_BODY_BYTES, Ask, Declaration, Resolved, declare
from worker.api.jsonapi import Envelope
from worker.api.paging import first_page, next_page
from worker.api.parameters import DeclarationError, Params
from worker.api.repeat import Repeat
from worker.api.seed_names import Seed
from worker.app import app, registered
from worker.calls import only, time_to_send
from worker.lane_and_expiry import Lane
from worker.message_headers import TOGETHER

if TYPE_CHECKING:
    from celery.canvas import Signature, group
    from celery.result import AsyncResult, EagerResult

    from worker.action_task import ActionTask
    from worker.errors import KlaviyoError

P = ParamSpec("P")

#: The task that reads a list to its end, `tasks.collect`.
COLLECT = f"{TASK_PREFIX}collect"

#: Every declared action by its name, and every 2024 name by the action it became.
ACTIONS: dict[str, Action[Any]] = {}
NAMES_2024: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Options:
    """Where and when a call runs; None where it is left to what the call follows."""

    account: str | None = None
    lane: Lane | None = None
    countdown: float = 0.0
    expires: float | timedelta | datetime | None = None
    together: bool | None = None

    def sent(self) -> dict[str, Any]:
        """As options of Celery's ``apply_async``."""
        # A signature travels as JSON, which knows no timedelta.
        expires = self.expires.total_seconds() if isinstance(self.expires, timedelta) else self.expires
        times = {"countdown": self.countdown or None, "expires": expires}
        when = {name: value for name, value in times.items() if value is not None}
        shared = {} if self.together is None else {TOGETHER: self.together}
        return {**Place(self.account, self.lane).options(), **when, **shared}


@dataclass(frozen=True, slots=True)
class Action(Generic[P]):
    """One Klaviyo operation, callable in several ways (see the module)."""

    declaration: Declaration
    options: Options = Options()

    @property
    def name(self) -> str:
        """The task's name, ``klaviyo.create_profile``."""
        return TASK_PREFIX + self.declaration.name

    @property
    def task(self) -> ActionTask:
        """Its Celery task. The first use of any makes those of all, and loads what it takes to publish a call."""
        task: Any = app.tasks[self.name]
        return task  # type: ignore[no-any-return]

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self.declaration.doc

    @property
    def __signature__(self) -> Any:
        return self.declaration.signature

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Envelope:
        """Make the request now, in this process, within the same budget; wait for it if need be."""
        self._no_positional(args)
        return self.task.here(self._account(), self.declaration.bind(kwargs))

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[Envelope]:
        """Queue it: once this returns, it will be carried out."""
        self._no_positional(args)
        return self.apply_async(None, kwargs)

    def delay_many(
        self, calls: Iterable[Mapping[str, Any]], *, aside: list[tuple[int, KlaviyoError]] | None = None
    ) -> list[AsyncResult[Envelope]]:
        """Queue a call for each of these mappings of parameters, some hundred at a time; the results, in their order.

        All are checked first, and nothing is published where one is wrong; with ``aside``, those that are wrong are put
        there, each with its number and what is wrong with it, and the others are published.

        Raises:
            InputError: one of them is wrong; nothing was published.
            SettingsError: there is no such account.
            NotConfirmed: Redis has not said in time that it has the task that is named, or any after it.

        """
        from worker.many import publish_all

        return publish_all(self.task, calls, self.options.sent(), aside)

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[Envelope]:
        """Queue it as `delay` does, without blocking the event loop."""
        import asyncio

        return await asyncio.to_thread(self.delay, *args, **kwargs)

    def apply_async(
        self, args: None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult[Envelope]:
        """Queue it with any of Celery's options: ``link``, ``link_error``, ``task_id``, ``eta``, ``priority``….

        `ActionTask.apply_async` tells what they mean here. The parameters, in ``kwargs``, are checked at run time only.
        """
        return self.task.apply_async(args, kwargs, **{**self.options.sent(), **options})

    def apply(
        self, args: None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> EagerResult[Envelope]:
        """Carry it out now, in this process, with the outcome as a result of Celery's; errors are in it."""
        result: EagerResult[Envelope] = self.task.apply(args, kwargs, **{**self.options.sent(), **options})
        return result

    def signature(
        self, args: None = None, kwargs: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None,
        *, immutable: bool = False, **more: Any,
    ) -> Signature[Envelope]:  # fmt: skip
        """A signature as Celery makes it, of a call that may be incomplete: it is checked when it is published."""
        sent = {**self.options.sent(), **(options or {}), **more}
        return self.task.signature(args, dict(kwargs or {}), options=sent, immutable=immutable)

    def s(self, *args: P.args, **kwargs: P.kwargs) -> Signature[Envelope]:
        """A signature, checked here already. In a chain it is given the result of the task before it.

        An action takes nothing from there but, where it needs an ``id`` and has none, the id of the record: such a call
        is incomplete, and made by `signature`.
        """
        self._no_positional(args)
        return self._signed(kwargs, immutable=False)

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[Envelope]:
        """An immutable signature for Celery's chains, groups and chords. It is checked here already."""
        self._no_positional(args)
        return self._signed(kwargs, immutable=True)

    def map(self, calls: Iterable[Mapping[str, Any]]) -> group:
        """A call for each of these mappings of parameters, as a group: each waits for its own turn at Klaviyo.

        Celery's ``map`` is one task that makes the calls one after the other, in one worker; its result is a list, as
        that of a group is.

        Raises:
            InputError: one of them is wrong.

        """
        from celery.canvas import group

        name = self.declaration.name
        return group([self._signed(only(name, each), immutable=True) for each in calls], app=app)

    def starmap(self, calls: Iterable[Sequence[Mapping[str, Any]] | Mapping[str, Any]]) -> group:
        """The same as `map`: an action takes its parameters by name. A list of one mapping stands for the mapping."""
        return self.map(only(self.declaration.name, each) for each in calls)

    def chunks(self, calls: Iterable[Mapping[str, Any]], n: int) -> group:
        """`map` in parts of ``n``: a task for each part, whose result is the list of its calls' results.

        The part's task makes its calls in the workers, each of which waits for its own turn; so this process publishes
        only one message a part.
        """
        from celery.canvas import chunks

        checked = (self._bound(only(self.declaration.name, each)) for each in calls)
        pattern: Any = self.task.signature(options=self.options.sent())
        return chunks(pattern, checked, n, app=app).group()

    def pages(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[Envelope]:
        """Read a list to its end in this process, a request a page within the same budget, as the pages are wanted.

        Pages are as large as Klaviyo makes them; ``page_size`` makes them smaller, ``page_cursor`` begins elsewhere.
        """
        self._no_positional(args)
        return self._pages(self._account(), first_page(self.declaration, kwargs))

    def _pages(self, alias: str, params: Params | None) -> Iterator[Envelope]:
        while params is not None:
            envelope = self.task.here(alias, params)
            params = next_page(self.declaration, params, envelope)
            yield envelope

    def collect(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[Envelope]:
        """Have the workers read a list to its end: a task a page, and all of it as one result (`tasks.collect`)."""
        self._no_positional(args)
        task = registered(COLLECT)
        result: AsyncResult[Envelope] = task.apply_async((self.declaration.name,), dict(kwargs), **self.options.sent())
        return result

    def on(
        self,
        name: str | None = None,
        *,
        lane: Lane | None = None,
        countdown: float = 0.0,
        expires: float | timedelta | datetime | None = None,
        together: bool | None = None,
    ) -> Action[P]:
        """The same action on another account, in another lane, later, or not after some time.

        ``countdown`` is in seconds, of any length. ``expires`` (seconds, a timedelta, or a time, in UTC if it has no
        zone): a task that has not been sent by then ends as REVOKED. ``together=False``: the call has a request of its
        own, however many like it wait; ``together=True``: it may also go as a record of a bulk job, where it ends when
        the job has told what became of it, and its docstring says how its envelope differs. What is left out is as
        where the call is made: inside a task, the task's account and lane.

        Raises:
            InputError: there is no such lane, that is no time, or the call would expire before its countdown is over.

        """
        if lane is not None:
            lane_named(self.declaration.name, lane)
        time_to_send(self.declaration.name, countdown, expires)
        return replace(self, options=Options(name, lane, countdown, expires, together))

    if not TYPE_CHECKING:  # it would hide every misspelled method from the type checker

        def __getattr__(self, name: str) -> Any:
            """Say where to find what a Celery team looks for here."""
            why = _ELSEWHERE.get(name)
            raise AttributeError(f"{self.name} has no {name!r}" + (f": {why}" if why else ""))

    def _account(self) -> str:
        return self.task.alias(self.options.account)

    def _bound(self, params: Mapping[str, Any]) -> Params:
        return self.declaration.bind(params, stamped=False)

    def _signed(self, params: Mapping[str, Any], *, immutable: bool) -> Signature[Envelope]:
        return self.task.signature(None, self._bound(params), options=self.options.sent(), immutable=immutable)

    def _no_positional(self, args: tuple[Any, ...]) -> None:
        if args:
            raise TypeError(f"{self.declaration.name} takes keyword arguments only")


#: Where to find what an action does not have.
_ELSEWHERE = {
    "AsyncResult": "use worker.app.app.AsyncResult(id)",
    "link": "it belongs to a call, .si(…).link(…) or .apply_async(…, link=…)",
    "link_error": "it belongs to a call, .si(…).on_error(…) or .apply_async(…, link_error=…)",
    "priority": "it belongs to a call, .on(lane='bulk') or .apply_async(…, priority=…)",
    "retry": "what Klaviyo could not answer is repeated by itself, where that does no harm",
    "autoretry_for": "what Klaviyo could not answer is repeated by itself, where that does no harm",
    "max_retries": "KLAVIYO_MAX_ATTEMPTS says how often",
    "default_retry_delay": "KLAVIYO_BACKOFF_SECONDS says how long",
    "rate_limit": "Klaviyo's own limits are kept, across all workers",
}


def action(
    route: str,
    *,
    limits: str,
    scopes: str = "",
    type: str | None = None,
    repeat: Repeat | None = None,
    names_2024: str = "",
    extra: Mapping[str, str] | None = None,
    seed: Mapping[str, Seed] | None = None,
    checks: tuple[Callable[[Params], str | None], ...] = (),
    prepare: Callable[[Params], None] | None = None,
    stamp: Callable[[Params, str | None], None] | None = None,
    resolve: Callable[[Params, Ask], Resolved] | None = None,
    max_body: int = MAX_BODY_BYTES,
    multipart: bool = False,
    upserts: bool = False,
) -> Callable[[Callable[P, Envelope]], Action[P]]:
    """Declare an action; the function's signature is its schema and ``...`` its body.

    Args:
        route: method and path, ``"GET /api/profiles/{id}"``; a parameter of the same name fills ``{id}``.
        limits: Klaviyo's windows, ``"75/s 750/m"``, with ``"225/d"`` where there is a day's.
        scopes: what a private key must be allowed, separated by blanks.
        type: JSON:API type of the body's resource; parameters become ``data.attributes.<name>`` unless marked.
        repeat: `SAFE`, `with_key` or `never`; GET is safe by itself.
        names_2024: the operation's names in revision 2024-07-15, separated by blanks.
        extra: account-wide buckets, ``{"include=lists": "1/s 15/m"}``.
        seed: hand-edited names of the seed document that the rule for flat names does not give.
        checks: what the signature cannot say; each returns a problem or None.
        prepare: sets what every call must carry, in place, after the checks.
        stamp: gives a call the ids and times that it lacks, so that a repeat is known as one; see `Declaration.bind`.
        resolve: turns parameters marked `Aside` into ones that travel, in the worker, by asking other actions.
        max_body: largest request in bytes.
        multipart: the body travels as a form, not as JSON; its parameters have their places by ``At``.
        upserts: Klaviyo answers 201 for what it has created and 200 for what it has updated.

    Raises:
        DeclarationError: at import, where the declaration contradicts itself; where an annotation does, at the first
            call.

    """

    def decorate(function: Callable[P, Envelope]) -> Action[P]:
        declaration = declare(
            function, route, limits=limits, scopes=scopes, type=type, repeat=repeat, names_2024=names_2024,
            extra=extra or {}, seed=seed or {}, checks=checks, prepare=prepare, stamp=stamp,
            resolve=resolve, max_body=max_body, multipart=multipart, upserts=upserts,
        )  # fmt: skip
        for name in (declaration.name, *declaration.names_2024):
            if name in ACTIONS or name in NAMES_2024:
                raise DeclarationError(f"action {name}: the name is taken")
        for name in declaration.names_2024:
            NAMES_2024[name] = declaration.name
        declared: Action[P] = Action(declaration)
        ACTIONS[declaration.name] = declared
        app.when_wanted(lambda: _make_tasks(declaration))
        return declared

    return decorate


app.loads("worker.action_task")


def _make_tasks(declaration: Declaration) -> None:
    from worker.action_task import ActionTask

    for name in (declaration.name, *declaration.names_2024):
        app.register_task(ActionTask(declaration, name))
