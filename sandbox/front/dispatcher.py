"""Handles one API request: route, caller, revision, scopes, size, limits, body, operation, response.

Faults strike along the way: at the edge, before the request is counted, or once it has been carried out.
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
from sandbox.front.faults import GATEWAY_STATUSES, Fault
from sandbox.front.request_log import LoggedRequest
from sandbox.front.uploads import parse_form
from sandbox.front.windows import Bucket, Steady
from sandbox.operations import Operation
from sandbox.reading import query
from sandbox.world import World

log = logging.getLogger(__name__)

GATEWAY_PAGE = b"<!DOCTYPE html><html><head><title>%d</title></head><body>Error %d. Try again.</body></html>"
CHALLENGE_PAGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"


@dataclass(slots=True)
class Progress:
    """How far a request has got, and what is known of it when it is answered or refused."""

    operation: Operation | None = None
    path_id: str = ""
    caller: Caller | None = None
    buckets: tuple[Bucket, ...] = ()
    fault: Fault | None = None
    status: int = 0
    """The status that was sent; 0 as long as nothing was."""

    @property
    def names(self) -> tuple[str | None, str | None]:
        """The operation's id and the account's alias, as far as they are known."""
        return self.operation.id if self.operation else None, self.caller.account if self.caller else None


class Dispatcher:
    """The ASGI application for everything under /api and /client."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, and log it however it ends."""
        world = self._world
        exchange = Exchange(scope, receive, send)
        progress = Progress()
        requests = world.requests
        number, at = requests.next_number(), world.config.clock()
        try:
            await self._delay()
            try:
                await self._handle(exchange, progress)
            except ApiError as failure:
                await self._refuse(exchange, progress, failure)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                # A body that no check foresaw, or a bug in the sandbox: a 500 either way, and a traceback.
                log.exception("%s %s", exchange.method, exchange.path)
                await self._refuse(exchange, progress, refusal(500, "The sandbox failed. See its log."))
        finally:
            operation, account = progress.names
            requests.add(
                LoggedRequest(
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

    async def _handle(self, exchange: Exchange, progress: Progress) -> None:
        world = self._world
        raw = query.split_query(exchange.scope["query_string"])
        operation = self._route(exchange, progress)
        self._admit_caller(exchange, operation, progress, raw)
        fault = progress.fault = world.faults.strike(*progress.names)
        if fault and fault.at_edge() and await self._strike_at_edge(exchange, progress, fault):
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
        self._charge(progress)
        if fault and fault.fault in ("status", "gone") and not fault.after_commit:
            await self._strike_after_counting(exchange, progress, fault)
            return
        reply = self._perform(exchange, operation, progress, raw, body)
        if fault and fault.fault != "latency":
            await self._strike_after_counting(exchange, progress, fault)
            return
        document = b"" if reply.document is None else orjson.dumps(reply.document)
        await self._answer(exchange, progress, reply.status or operation.status, document)

    def _route(self, exchange: Exchange, progress: Progress) -> Operation:
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
        progress.buckets = tuple(world.limits.buckets(caller.quota, operation, partial(query.split_list, raw)))

    def _charge(self, progress: Progress) -> None:
        if self._world.limits.off:
            return
        draw = self._world.windows.draw(progress.buckets, self._world.config.clock())
        if not draw.admitted:
            raise throttled(draw.retry_after)

    def _perform(
        self, exchange: Exchange, operation: Operation, progress: Progress, raw: dict[str, str], body: bytes
    ) -> Reply:
        world = self._world
        assert progress.caller is not None
        store = world.stores[progress.caller.account]
        now = world.config.clock()
        store.run_due(now)
        call = Call(
            operation,
            progress.path_id,
            query.parse_query(raw, operation, world.operations),
            self._parse_body(exchange, operation, progress.path_id, body),
            store,
            now,
            exchange.base_url,
            world.job_rules,
            world.traps[store.alias],
            world.sections.additional,
        )
        return world.sections.handler(operation)(call)

    @staticmethod
    def _parse_body(exchange: Exchange, operation: Operation, path_id: str, body: bytes) -> Any:
        if operation.multipart:
            return parse_form(exchange.header("content-type") or "", body)
        return bodies.parse_document(operation, body, path_id) if operation.body else None

    async def _strike_at_edge(self, exchange: Exchange, progress: Progress, fault: Fault) -> bool:
        """Let a fault strike before Klaviyo counts the request. True if the request ends there."""
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

    async def _strike_after_counting(self, exchange: Exchange, progress: Progress, fault: Fault) -> None:
        """Let a fault strike after the request was counted."""
        if fault.fault == "cut_after_commit":
            await exchange.cut()
        elif fault.fault == "malformed":
            await self._answer(exchange, progress, 200, b'{"data": {"type": "prof')
        elif fault.fault == "gone":
            raise refusal(410, "This endpoint is gone.")
        elif fault.status in GATEWAY_STATUSES:
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
        await self._delay()
        progress.status = status
        await exchange.answer(status, document, headers)

    async def _delay(self) -> None:
        low, high = self._world.config.latency
        if high > 0:
            await asyncio.sleep(self._world.latency_random.uniform(low, high))

    async def _pause(self, seconds: float) -> None:
        """Wait, unless the server stops first."""
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
