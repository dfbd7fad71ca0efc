"""``@action``: a declared function becomes a Celery task whose call sites the type checker knows.

create_profile.delay(email="ada@example.com")                          queue it
create_profile.on("eu-store", lane="bulk", countdown=60).delay(...)    choose account, lane, time
create_profile.si(email="ada@example.com")                             a signature, for chains and groups
create_profile(email="ada@example.com")                                make the request now, in this process
get_profiles.pages(sort="created")                                     read a list, page by page, in this process
get_profiles.collect(sort="created")                                   have the workers read a list to its end
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, ParamSpec

from celery import Task
from celery.canvas import Signature
from celery.result import AsyncResult

from worker.accounts import DEFAULT, account
from worker.app import app
from worker.declaration import MAX_BODY, Ask, Declaration, DeclarationError, Params, Repeat, Resolved, Seed, declare
from worker.errors import InputError, KlaviyoError
from worker.execution import now, run, unacknowledged_if_left
from worker.governor import Lane
from worker.jsonapi import Envelope
from worker.paging import first_page, next_page
from worker.settings import get_settings
from worker.transport import HEADER, header

P = ParamSpec("P")

PREFIX = "klaviyo."

#: The task that reads a list to its end, `tasks.collect`.
COLLECT = f"{PREFIX}collect"

#: Every declared action by its name, and every 2024 name by the action it became.
ACTIONS: dict[str, Action[Any]] = {}
NAMES_2024: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Options:
    """Where and when a call runs."""

    account: str = DEFAULT
    lane: Lane = "now"
    countdown: float = 0.0

    def headers(self, declaration: Declaration, params: Params) -> dict[str, Any]:
        """The message headers that put a call into its waiting list."""
        wait = header(declaration.line(self.account, params), self.lane, self.countdown)
        return {HEADER: {**wait, "account": self.account}}


class ActionTask(Task):  # type: ignore[type-arg]
    """The Celery task of one action. Every way of publishing leads through its ``apply_async``."""

    Strategy = "worker.strategy:default"
    acks_late = True
    typing = False
    # Errors that explain themselves: a line in the log, no traceback.
    throws = (KlaviyoError,)
    # One character: what people and shops are called has no place in events, logs and Flower.
    resultrepr_maxsize = 1
    max_retries = None

    def __init__(self, declaration: Declaration, name: str) -> None:
        self.declaration = declaration
        self.name = PREFIX + name
        self.__doc__ = declaration.doc

    def run(self, *args: Any, **params: Any) -> Envelope:
        """Carry out one delivery."""
        if args:
            raise InputError(self.declaration.name, ["it takes keyword arguments only"])
        with unacknowledged_if_left(self.request):
            return run(self.declaration, self.request, params)

    def apply_async(  # type: ignore[override]
        self,
        args: Any = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        countdown: float | None = None,
        eta: datetime | None = None,
        headers: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AsyncResult[Envelope]:
        """Check the call and publish it.

        ``countdown`` (seconds) and ``eta`` wait in Redis, however long. The account is ``klaviyo_account`` in
        ``headers``; ``on()`` is the better way to say it.

        Raises:
            InputError: the call is wrong; nothing was published.
            SettingsError: there is no such account.

        """
        if args:
            raise TypeError(f"{self.declaration.name} takes keyword arguments only")
        # A task of a chain is published again if the worker dies there; its id was fixed with the chain.
        params = self.declaration.bind(kwargs or {}, options.get("task_id"))
        chosen = dict(headers or {})
        if eta is not None:
            moment = eta if eta.tzinfo else eta.replace(tzinfo=UTC)
            countdown = (moment - datetime.now(UTC)).total_seconds()
        where = Options(
            account(get_settings(), chosen.pop("klaviyo_account", None) or DEFAULT).alias,
            chosen.pop("klaviyo_lane", None) or "now",
            max(0.0, countdown or 0.0),
        )
        line = self.declaration.line(where.account, params)
        result: AsyncResult[Envelope] = super().apply_async(  # type: ignore[call-arg]
            None,
            params,
            headers={**chosen, **where.headers(self.declaration, params)},
            queue=line.queue,
            argsrepr="()",
            kwargsrepr=masked(params),
            **options,
        )
        return result


def masked(params: Params) -> str:
    """The call as Flower shows it: which parameters it had, and none of their values."""
    return "{" + ", ".join(f"{name!r}: '***'" for name in params) + "}"


@dataclass(frozen=True, slots=True)
class Action(Generic[P]):
    """One Klaviyo operation, callable in several ways (see the module)."""

    declaration: Declaration
    task: ActionTask
    options: Options = Options()

    @property
    def name(self) -> str:
        """The task's name, ``klaviyo.create_profile``."""
        return self.task.name

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self.declaration.doc

    @property
    def __signature__(self) -> Any:
        return self.declaration.signature

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Envelope:
        """Make the request now, in this process, within the same budget; wait for it if need be."""
        self._no_positional(args)
        alias = account(get_settings(), self.options.account).alias
        return now(self.declaration, alias, self.declaration.bind(kwargs))

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[Envelope]:
        """Queue it: once this returns, it will be carried out."""
        self._no_positional(args)
        return self.task.apply_async(None, kwargs, **self._sent_with())

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[Envelope]:
        """An immutable signature for Celery's chains, groups and chords. It is checked here already."""
        self._no_positional(args)
        params = self.declaration.bind(kwargs, stamped=False)
        return self.task.signature(None, params, options=self._sent_with(), immutable=True)

    def pages(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[Envelope]:
        """Read a list to its end in this process, a request a page within the same budget, as the pages are wanted.

        Pages are as large as Klaviyo makes them; ``page_size`` makes them smaller, ``page_cursor`` begins elsewhere.
        """
        self._no_positional(args)
        alias = account(get_settings(), self.options.account).alias
        return self._pages(alias, first_page(self.declaration, kwargs))

    def _pages(self, alias: str, params: Params | None) -> Iterator[Envelope]:
        while params is not None:
            envelope = now(self.declaration, alias, params)
            params = next_page(self.declaration, params, envelope)
            yield envelope

    def collect(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[Envelope]:
        """Have the workers read a list to its end: a task a page, and all of it as one result (`tasks.collect`)."""
        self._no_positional(args)
        headers = {**self._sent_with()["headers"], "klaviyo_countdown": self.options.countdown}
        task = app.tasks[COLLECT]
        result: AsyncResult[Envelope] = task.apply_async((self.declaration.name,), dict(kwargs), headers=headers)
        return result

    def on(self, name: str = DEFAULT, *, lane: Lane = "now", countdown: float = 0.0) -> Action[P]:
        """The same action on another account, in another lane or later (``countdown`` in seconds, of any length)."""
        return replace(self, options=Options(name, lane, countdown))

    def _sent_with(self) -> dict[str, Any]:
        headers = {"klaviyo_account": self.options.account, "klaviyo_lane": self.options.lane}
        return {"headers": headers, "countdown": self.options.countdown or None}

    def _no_positional(self, args: tuple[Any, ...]) -> None:
        if args:
            raise TypeError(f"{self.declaration.name} takes keyword arguments only")


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
    max_body: int = MAX_BODY,
    multipart: bool = False,
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

    Raises:
        DeclarationError: at import, where the declaration contradicts itself.

    """

    def decorate(function: Callable[P, Envelope]) -> Action[P]:
        declaration = declare(
            function, route, limits=limits, scopes=scopes, type=type, repeat=repeat, names_2024=names_2024,
            extra=extra or {}, seed=seed or {}, checks=checks, prepare=prepare, stamp=stamp,
            resolve=resolve, max_body=max_body, multipart=multipart,
        )  # fmt: skip
        for name in (declaration.name, *declaration.names_2024):
            if name in ACTIONS or name in NAMES_2024:
                raise DeclarationError(f"action {name}: the name is taken")
        task = ActionTask(declaration, declaration.name)
        app.register_task(task)
        for name in declaration.names_2024:
            app.register_task(ActionTask(declaration, name))
            NAMES_2024[name] = declaration.name
        declared: Action[P] = Action(declaration, task)
        ACTIONS[declaration.name] = declared
        return declared

    return decorate
