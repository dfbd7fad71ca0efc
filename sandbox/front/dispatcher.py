"""The way of one API request: route, caller, revision, scopes, size, limits, body, operation, answer.

Faults strike on this way: at the edge, before the request is counted, or when it has been done.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from sandbox.call import Call, Reply
from sandbox.errors import ApiError, refusal, throttled
from sandbox.front import bodies
from sandbox.front.auth import Caller, check_revision, check_scopes
from sandbox.front.connection import Exchange
from sandbox.front.faults import GATEWAY, Fault
from sandbox.front.ledger import Row
from sandbox.front.uploads import form_parts
from sandbox.front.windows import Bucket, Steady
from sandbox.operations import Operation
from sandbox.reading import query
from sandbox.world import World

log = logging.getLogger(__name__)

GATEWAY_PAGE = b"<!DOCTYPE html><html><head><title>%d</title></head><body>Error %d. Try again.</body></html>"
CHALLENGE_PAGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"


@dataclass(slots=True)
class Progress:
    """How far a request has come: what is known of it when it is answered or refused."""

    operation: Operation | None = None
    path_id: str = ""
    caller: Caller | None = None
    buckets: tuple[Bucket, ...] = ()
    fault: Fault | None = None
    status: int = 0
    """What was answered; 0 as long as nothing was."""

    @property
    def names(self) -> tuple[str | None, str | None]:
        """The names of operation and account, as far as they are known."""
        return self.operation.id if self.operation else None, self.caller.account if self.caller else None


class Dispatcher:
    """The ASGI application for everything under /api and /client."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, and enter it into the ledger however it ends."""
        world = self._world
        exchange = Exchange(scope, receive, send)
        progress = Progress()
        ledger = world.ledger
        number, at = ledger.next_number(), world.config.clock()
        try:
            await self._latency()
            try:
                await self._handled(exchange, progress)
            except ApiError as failure:
                await self._refuse(exchange, progress, failure)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                # A body so odd that no check foresaw it, or a bug of the sandbox: a 500 either way, and a traceback.
                log.exception("%s %s", exchange.method, exchange.path)
                await self._refuse(exchange, progress, refusal(500, "The sandbox failed. See its log."))
        finally:
            operation, account = progress.names
            ledger.add(
                Row(
                    number,
                    at,
                    account,
                    operation,
                    exchange.method,
                    exchange.path,
                    progress.status,
                    exchange.header("x-sandbox-mark"),
                    progress.fault.fault if progress.fault else None,
                )
            )

    async def _handled(self, exchange: Exchange, progress: Progress) -> None:
        world = self._world
        raw = query.read(exchange.scope["query_string"])
        operation = self._routed(exchange, progress)
        self._admit_caller(exchange, operation, progress, raw)
        progress.fault = world.faults.strike(*progress.names)
        if progress.fault and progress.fault.at_edge() and await self._edge(exchange, progress, progress.fault):
            return
        check_revision(
            exchange.header("revision"),
            exchange.header("x-klaviyo-revision-fall-forward-opt-out") == "1",
            self._today,
        )
        assert progress.caller is not None
        check_scopes(progress.caller, operation)
        body = await exchange.body(bodies.MAX_BYTES)
        bodies.check_envelope(operation, exchange.header("content-type") or "", len(body))
        self._draw(progress)
        if progress.fault and progress.fault.fault in ("status", "gone") and not progress.fault.after_commit:
            await self._fail(exchange, progress, progress.fault)
            return
        reply = self._performed(exchange, operation, progress, raw, body)
        if progress.fault and progress.fault.fault != "latency":
            await self._fail(exchange, progress, progress.fault)
            return
        document = b"" if reply.document is None else orjson.dumps(reply.document)
        await self._answer(exchange, progress, reply.status or operation.status, document)

    def _routed(self, exchange: Exchange, progress: Progress) -> Operation:
        methods, path_id = self._world.operations.methods(exchange.path)
        if not methods:
            raise refusal(404, f"The path {exchange.path} could not be found.", pointer="/")
        operation = methods.get(exchange.method)
        if operation is None:
            raise refusal(405, f"Method {exchange.method} is not allowed.", pointer="/")
        progress.operation, progress.path_id = operation, path_id or ""
        return operation

    def _admit_caller(self, exchange: Exchange, operation: Operation, progress: Progress, raw: dict[str, str]) -> None:
        world = self._world
        if operation.client_side:
            caller = world.credentials.visitor(raw.get("company_id"))
        else:
            caller = world.credentials.caller(exchange.header("authorization"), world.config.clock())
        progress.caller = caller
        progress.buckets = tuple(world.limits.buckets(caller.quota, operation, partial(query.listed, raw)))

    def _draw(self, progress: Progress) -> None:
        if self._world.limits.off:
            return
        draw = self._world.windows.draw(progress.buckets, self._world.config.clock())
        if not draw.admitted:
            raise throttled(draw.retry_after)

    def _performed(
        self, exchange: Exchange, operation: Operation, progress: Progress, raw: dict[str, str], body: bytes
    ) -> Reply:
        world = self._world
        assert progress.caller is not None
        store = world.stores[progress.caller.account]
        now = world.config.clock()
        store.settle(now)
        call = Call(
            operation,
            progress.path_id,
            query.checked(raw, operation, world.operations),
            self._parsed(exchange, operation, progress.path_id, body),
            store,
            now,
            exchange.base_url,
            world.job_rules,
            world.sections.additional,
        )
        return world.sections.handler(operation)(call)

    @staticmethod
    def _parsed(exchange: Exchange, operation: Operation, path_id: str, body: bytes) -> Any:
        if operation.multipart:
            return form_parts(exchange.header("content-type") or "", body)
        return bodies.document(operation, body, path_id) if operation.body else None

    async def _edge(self, exchange: Exchange, progress: Progress, fault: Fault) -> bool:
        """Let a fault strike in front of Klaviyo. True when the request ends there."""
        match fault.fault:
            case "latency":
                await self._pause(fault.seconds or 0.0)
                return False
            case "hang":
                await exchange.hang(self._world.stopping, fault.seconds)
            case "reset":
                await exchange.cut()
            case "challenge":
                progress.status = 403
                headers = {"cf-mitigated": "challenge", "server": "cloudflare"}
                await exchange.answer(403, CHALLENGE_PAGE, headers, b"text/html; charset=UTF-8")
            case _:
                raise throttled(fault.retry_after)
        return True

    async def _fail(self, exchange: Exchange, progress: Progress, fault: Fault) -> None:
        """Let a fault strike behind the windows."""
        if fault.fault == "cut_after_commit":
            await exchange.cut()
        elif fault.fault == "malformed":
            await self._answer(exchange, progress, 200, b'{"data": {"type": "prof')
        elif fault.fault == "gone":
            raise refusal(410, "This endpoint is gone.")
        elif fault.status in GATEWAY:
            progress.status = fault.status
            page = GATEWAY_PAGE % (fault.status, fault.status)
            await exchange.answer(fault.status, page, {"server": "cloudflare"}, b"text/html; charset=UTF-8")
        else:
            raise refusal(fault.status, "The sandbox was told to fail.", retry_after=fault.retry_after)

    async def _refuse(self, exchange: Exchange, progress: Progress, failure: ApiError) -> None:
        headers = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
        await self._answer(exchange, progress, failure.status, orjson.dumps(failure.document()), headers)

    async def _answer(
        self,
        exchange: Exchange,
        progress: Progress,
        status: int,
        document: bytes,
        headers: dict[str, str] | None = None,
    ) -> None:
        headers = dict(headers or {})
        if status != 429 and progress.buckets and not self._world.limits.off:
            steady = self._world.windows.steady(progress.buckets[0], self._world.config.clock())
            headers |= _rate_limit_headers(steady)
        await self._latency()
        progress.status = status
        await exchange.answer(status, document, headers)

    async def _latency(self) -> None:
        low, high = self._world.config.latency
        if high > 0:
            await asyncio.sleep(self._world.latency_random.uniform(low, high))

    async def _pause(self, seconds: float) -> None:
        """Wait, but not beyond the server's end."""
        try:
            await asyncio.wait_for(self._world.stopping.wait(), seconds)
        except TimeoutError:
            return

    def _today(self) -> date:
        return datetime.fromtimestamp(self._world.config.clock(), UTC).date()


def _rate_limit_headers(steady: Steady) -> dict[str, str]:
    return {
        "RateLimit-Limit": str(steady.limit),
        "RateLimit-Remaining": str(steady.remaining),
        "RateLimit-Reset": str(steady.reset),
    }
