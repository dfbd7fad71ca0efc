"""The side door under /_sandbox: what tests and demos read, and the switches that they set."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.door import records as records
from sandbox.front.auth import Caller
from sandbox.front.faults import Fault
from sandbox.records import campaigns, events
from sandbox.records.job_rules import Rule
from sandbox.world import Drain, World

Act = Callable[[World, dict[str, Any]], Any]


def routes(world: World) -> list[Route]:
    """All routes of the side door. Each act takes the JSON body, or the query of a GET, and returns the answer."""
    acts: list[tuple[str, str, Act]] = [
        ("GET", "/health", lambda world, given: {"ok": True}),
        ("POST", "/reset", _reset),
        ("GET", "/requests", _requests),
        ("GET", "/requests/counts", lambda world, given: world.requests.counts()),
        ("GET", "/windows", lambda world, given: world.windows.report(world.config.clock())),
        ("GET", "/state", _state),
        ("POST", "/limits", _limits),
        ("GET", "/faults", lambda world, given: [asdict(fault) for fault in world.faults.active]),
        ("POST", "/faults", _add_fault),
        ("DELETE", "/faults", _clear_faults),
        ("GET", "/jobs", lambda world, given: [asdict(rule) for rule in world.job_rules.active]),
        ("POST", "/jobs", _add_job_rule),
        ("DELETE", "/jobs", _clear_job_rules),
        ("POST", "/seed", records.sow),
        ("GET", "/rows", records.rows),
        ("POST", "/change", records.change),
        ("GET", "/traps", records.traps),
        ("POST", "/traps", records.set_traps),
        ("DELETE", "/traps", records.clear_traps),
        ("GET", "/drain", _drains),
        ("POST", "/drain", _drain),
        ("POST", "/accounts", _add_account),
        ("POST", "/keys", _add_key),
        ("POST", "/tokens", _drop_tokens),
    ]
    return [Route(path, _endpoint(world, act), methods=[method]) for method, path, act in acts]


def _endpoint(world: World, act: Act) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await request.body()
            given = orjson.loads(body) if body else dict(request.query_params)
            if not isinstance(given, dict):
                raise ValueError("the body has to be a JSON object")
            answer, status = act(world, given), 200
        except (KeyError, TypeError, ValueError) as mistake:
            answer, status = {"error": f"{type(mistake).__name__}: {mistake}"}, 400
        if isinstance(answer, Response):
            return answer
        return Response(orjson.dumps(answer), status, media_type="application/json")

    return endpoint


def _reset(world: World, given: dict[str, Any]) -> Any:
    world.reset(given.get("seed", world.config.seed), keep_windows=given.get("keep_windows", False))
    return {"ok": True}


def _requests(world: World, given: dict[str, Any]) -> Any:
    return world.requests.latest(given.get("operation"), given.get("account"), int(given.get("after", 0)))


def _state(world: World, given: dict[str, Any]) -> Any:
    """The number of records by account and type, and of things that a client did twice."""
    for store in world.stores.values():
        store.run_due(world.config.clock())
    return {
        alias: store.counts()
        | {
            "doubled_events": events.count_doubled(store),
            "doubled_jobs": store.count_doubled_jobs(),
            "doubled_sends": campaigns.count_repeated_sends(store),
        }
        for alias, store in world.stores.items()
    }


def _limits(world: World, given: dict[str, Any]) -> Any:
    if "off" in given:
        world.limits.off = bool(given["off"])
    numbers = {name: int(given[name]) for name in ("burst", "steady", "daily") if given.get(name) is not None}
    if numbers:
        world.limits.override(given.get("account"), given.get("operation"), numbers)
    return {"ok": True}


def _add_fault(world: World, given: dict[str, Any]) -> Any:
    world.faults.active.append(Fault.of(given))
    return {"active": len(world.faults.active)}


def _clear_faults(world: World, given: dict[str, Any]) -> Any:
    world.faults.active.clear()
    return {"active": 0}


def _add_job_rule(world: World, given: dict[str, Any]) -> Any:
    for type in filter(None, (given.get("type"), *given.get("caps", ()))):
        if not (type.endswith("-job") and type in world.relations.collections):
            raise ValueError(f"there are no jobs of type {type!r}")
    world.job_rules.active.append(Rule.of(given))
    return {"active": len(world.job_rules.active)}


def _clear_job_rules(world: World, given: dict[str, Any]) -> Any:
    world.job_rules.active.clear()
    return {"active": 0}


def _drains(world: World, given: dict[str, Any]) -> Any:
    return [
        {"account": account, "operation": operation, "admitted": drain.admitted, "refused": drain.refused}
        for (account, operation), drain in world.drains.items()
    ]


def _drain(world: World, given: dict[str, Any]) -> Any:
    """Start, change or stop the hidden second client that draws on one operation's windows."""
    account, operation = given.get("account", "default"), world.operations.by_id[given["operation"]]
    per_second = float(given["per_second"])
    running = world.drains.pop((account, operation.id), None)
    if running:
        running.task.cancel()
    if per_second > 0:

        async def eat() -> None:
            while True:
                bucket = world.limits.bucket(account, operation.id, operation.limits)
                if world.windows.draw([bucket], world.config.clock()).admitted:
                    drain.admitted += 1
                else:
                    drain.refused += 1
                await asyncio.sleep(1 / per_second)

        drain = world.drains[account, operation.id] = Drain(asyncio.get_running_loop().create_task(eat()))
    return {"running": per_second > 0}


def _add_account(world: World, given: dict[str, Any]) -> Any:
    world.add_account(given["alias"], given["key"], given["company_id"], _scopes(given))
    return {"ok": True}


def _add_key(world: World, given: dict[str, Any]) -> Any:
    account = given.get("account", "default")
    if account not in world.stores:
        raise ValueError(f"unknown account {account!r}")
    world.credentials.keys[given["key"]] = Caller(account, account, _scopes(given), given.get("read_only", False))
    return {"ok": True}


def _drop_tokens(world: World, given: dict[str, Any]) -> Any:
    """Invalidate an account's access tokens (`drop: "access"`) or its refresh tokens (`"refresh"`).

    `life_s`: how many seconds the access tokens that are issued from now on hold.
    """
    if "life_s" in given:
        world.credentials.token_life_s = float(given["life_s"])
        return {"life_s": world.credentials.token_life_s}
    tokens = {"access": world.credentials.tokens, "refresh": world.credentials.refresh_tokens}[given["drop"]]
    return {"dropped": world.credentials.drop(given.get("account", "default"), tokens)}


def _scopes(given: dict[str, Any]) -> frozenset[str] | None:
    return None if given.get("scopes") is None else frozenset(given["scopes"])
