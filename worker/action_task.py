"""The Celery task of one action: every way of publishing a call leads through it, and so does every delivery."""

from __future__ import annotations

from typing import Any

from worker.account_and_lane import TASK_PREFIX, here, place_of, taken
from worker.accounts.lookup import DEFAULT, account
from worker.accounts.scopes import require_scopes
from worker.api.declaration import Declaration
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.calls import received
from worker.checked_task import Addressed, Asked, CheckedTask
from worker.errors import KlaviyoError
from worker.governor import Together
from worker.message_headers import HEADER, TOGETHER
from worker.redis.homes import at_home
from worker.settings import get_settings
from worker.successors import passing_on, run_and_pass_on
from worker.telemetry.masking import mask_values
from worker.tiers import Line
from worker.together.sharing import traveling
from worker.transport import header


class ActionTask(CheckedTask):
    """The Celery task of one action."""

    Strategy = "worker.process.strategy:default"
    Request = "worker.process.request:Request"
    acks_late = True
    typing = False
    # Errors that explain themselves: a line in the log, no traceback.
    throws = (KlaviyoError,)
    # One character: what people and shops are called has no place in events, logs and Flower.
    resultrepr_maxsize = 1
    max_retries = None

    def __init__(self, declaration: Declaration, name: str) -> None:
        self.declaration = declaration
        self.name = TASK_PREFIX + name
        self.__doc__ = declaration.doc

    def __call__(self, *args: Any, **params: Any) -> Envelope:
        """Carry out one delivery, and publish what follows it."""
        return run_and_pass_on(self, lambda: self.run(*args, **params))

    def run(self, *args: Any, **params: Any) -> Envelope:
        """Carry out one delivery."""
        # Imported where it is used, here and below: a process that only publishes needs no HTTP client.
        from worker.carrying_out import run

        request = self.request
        if not request.is_eager:
            return run(self.declaration, request, args, params)
        given = received(self.declaration, args, params, follows=True)
        alias = account(get_settings(), place_of(request).account or DEFAULT).alias
        return self.here(alias, self.declaration.bind(given, request.id))

    def alias(self, name: str | None) -> str:
        """The alias of the account of this name, else of the one whose task this thread carries out.

        Raises:
            SettingsError: there is no such account.

        """
        return account(get_settings(), name or here().account or DEFAULT).alias

    def here(self, alias: str, params: Params) -> Envelope:
        """Make the request now, in this process, within everybody's budget; wait for it if need be."""
        from worker.execution import send_in_process

        with at_home(alias):
            return send_in_process(self.declaration, alias, params)

    @property
    def called(self) -> str:
        """The action's name."""
        return self.declaration.name

    @property
    def unchecked(self) -> str:
        """The queue of its tier."""
        return self.declaration.line(DEFAULT, {}).queue

    def addressed(self, args: Any, kwargs: Any, asked: Asked) -> Addressed:
        """The call in the waiting list of its buckets."""
        # A task of a chain is published again if the worker dies there; its id was fixed with the chain.
        given = received(self.declaration, args or (), kwargs or {}, follows=passing_on())
        params = self.declaration.bind(given, asked.task_id)
        self.require_scopes(asked)
        line, blindly, together = self.way(params, asked)
        return Addressed(None, params, headers(line, asked, blindly, together), line.queue, mask_values(params))

    def require_scopes(self, asked: Asked) -> None:
        """Raise `ScopeMissing` if the account's credentials are known to lack what the call needs."""
        if not self.declaration.client_side:
            require_scopes(asked.owner, self.called, self.declaration.scopes)

    def way(self, params: Params, asked: Asked) -> tuple[Line, bool, Together]:
        """Where a call waits, whether its lease may be claimed with the pop, and how it can travel with others."""
        declaration, repeatable = self.declaration, self.declaration.repeat_of(params).blindly
        alias = asked.owner.alias
        together = traveling(declaration, alias, params, not repeatable, asked.together)
        # What is looked up first may take longer than a lease that is claimed with the pop.
        return declaration.line(alias, params), repeatable and not declaration.resolve, together

    def apply(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> Any:
        """Carry out the call in this process, as Celery's ``task_always_eager`` does."""
        headers = dict(options.pop("headers", None) or {})
        options.pop(TOGETHER, None)
        headers.update(taken(options, headers).inside(here()).options())
        return super().apply(args, kwargs, headers=headers, **options)


def headers(line: Line, asked: Asked, blindly: bool, together: Together) -> dict[str, Any]:
    """The headers of a call that waits in this line."""
    wait = header(line, asked.lane, asked.delay, asked.expires, blindly, together)
    return {HEADER: {**wait, "account": asked.owner.alias}}
