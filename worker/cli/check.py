"""`klaviyo check`: whether everything that a worker needs is there, and what to do where it is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import uuid4

import redis
import typer
from rich.table import Table
from rich.text import Text

import tasks  # noqa: F401  registers every action
from worker.accounts import Account, account, aliases
from worker.action import ACTIONS
from worker.cli import strays
from worker.cli.failures import address, unreachable
from worker.cli.limits import told
from worker.cli.terminal import FAILED, WRONG, stdout
from worker.connection import get_redis
from worker.declaration import Declaration
from worker.embedded import MINIMUM
from worker.errors import Forbidden, Refused, Throttled, Unauthorized, Unavailable
from worker.execution import Call, attempt
from worker.governor import get_governor
from worker.jsonapi import REVISION, Envelope
from worker.paging import records
from worker.settings import get_settings, misspelled_settings

#: Seconds for which a probe waits until its bucket has room.
PATIENCE = 70.0

#: Columns for what a line is about.
WHAT = 15


def check(
    name: Annotated[str | None, typer.Option("--account", help="alias of one account; all of them if left out")] = None,
) -> None:
    """Check the settings, Redis, the store, Klaviyo, and each account's key and scopes. Nothing is written."""
    settings = get_settings()
    _good("settings", "read; Klaviyo is at " + settings.base_url)
    if said := misspelled_settings():
        _warn("settings", said)
    _check_redis()
    for pause in get_governor().paused():
        _warn("paused", told(pause))
    _check_strays()
    names = [name] if name else aliases(settings)
    if not names:
        raise _bad("account", "there is none: set KLAVIYO_API_KEY (environment or .env) to a private API key.", WRONG)
    for each in names:
        _check_account(account(settings, each))


def _check_redis() -> None:
    try:
        told: dict[str, Any] = get_redis().info()
    except redis.RedisError as error:
        raise _bad("Redis", unreachable(error)) from None
    name, version = ("Valkey", told["valkey_version"]) if "valkey_version" in told else ("Redis", told["redis_version"])
    # Valkey calls itself Redis 7.2.4 too, for programs that know only Redis.
    if tuple(int(part) for part in version.split(".")[:2]) < MINIMUM:
        least = ".".join(str(part) for part in MINIMUM)
        raise _bad("Redis", f"version {version} is too old: at least {least} is needed.")
    # Only the embedded server has no port at all.
    where = "embedded, on a private socket" if told.get("tcp_port") == 0 else "not embedded"
    _good("Redis", f"{name} {version} at {address()} ({where})")
    if told.get("role") == "slave":
        raise _bad("Redis", "it is a replica, and takes no task: set KLAVIYO_REDIS_URL to the primary.")
    if 0 < told.get("maxmemory", 0) <= told["used_memory"]:
        raise _bad("memory", "Redis is full: give it more, or let the workers work off what waits (klaviyo limits).")
    policy = told.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise _bad(
            "eviction",
            f"maxmemory-policy is {policy}: Redis may throw queued tasks away when its memory is full. "
            "Set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in its configuration).",
        )
    _good("eviction", "noeviction: nothing queued is thrown away")
    if told.get("aof_enabled"):
        _good("on disk", "append-only file: what is queued survives a restart")
    else:
        _warn("on disk", "no append-only file: what is queued since the last snapshot is lost if Redis dies.")


def _check_strays() -> None:
    messages: Any = get_redis().lrange(strays.QUEUE, 0, strays.MOST - 1)
    if found := strays.counted(messages):
        _warn("lost calls", strays.told(found))


def _check_account(which: Account) -> None:
    label = f"account {which.alias}"
    which.key()
    try:
        envelope = _ask(ACTIONS["get_accounts"].declaration, which.alias)
    except Unauthorized:
        raise _bad(
            label,
            f"Klaviyo does not know its key. Copy a private API key (it begins with pk_) from Klaviyo, "
            f"Settings → API keys, and set {which.variable('API_KEY')}.",
        ) from None
    except Forbidden:
        _good(label, "its key is known to Klaviyo")
        _warn(label, "the key lacks accounts:read: which account it belongs to cannot be told.")
    except Unavailable as error:
        raise _bad(
            "Klaviyo",
            f"{get_settings().base_url} cannot be reached: {error.reason}. Check the network, a proxy "
            "(HTTPS_PROXY) and KLAVIYO_BASE_URL.",
        ) from None
    else:
        _describe(which, label, envelope)
        for pause in get_governor().paused():
            if pause.what == f"account:{which.alias}" and pause.key not in ("", which.fingerprint):
                _warn(label, "its workers have another key, which Klaviyo refuses: start them again, and all goes on.")
    _check_scopes(which, label)


def _describe(which: Account, label: str, envelope: Envelope) -> None:
    data = next(iter(records(envelope)), {})
    attributes = data.get("attributes") or {}
    company = attributes.get("public_api_key") or data.get("id")
    contact = attributes.get("contact_information")
    organisation = (contact if isinstance(contact, dict) else {}).get("organization_name") or "unnamed"
    _good(label, f"key valid, revision {REVISION}; it is {organisation!r}, company id {company}")
    if which.company_id is None:
        _warn(label, f"no company id is set: /client actions need {which.variable('COMPANY_ID')}={company}.")
    elif which.company_id != company:
        raise _bad(
            label,
            f"the company id is {which.company_id}, but its key belongs to {company}. "
            f"Set {which.variable('COMPANY_ID')}={company}, or use that account's own key.",
        )


def _check_scopes(which: Account, label: str) -> None:
    granted, missing = [], []
    for scope, declaration in probes():
        try:
            _ask(declaration, which.alias)
        except Forbidden:
            missing.append(scope)
        except (Refused, Throttled, Unavailable) as error:
            _warn(label, f"{scope} could not be tried: {error}")
        else:
            granted.append(scope)
    if granted:
        _good(label, f"may read: {_names(granted)}")
    if missing:
        _warn(
            label,
            f"may not read: {_names(missing)}. A key's scopes cannot be changed: make a new key if you need them.",
        )
    _good(label, "what it may write cannot be tried without writing; `klaviyo actions NAME` shows what an action needs")


def _names(scopes: list[str]) -> str:
    return ", ".join(scope.removesuffix(":read") for scope in scopes)


def probes() -> Iterator[tuple[str, Declaration]]:
    """For each scope to read that one action needs alone and without parameters: that action, the least limited one."""
    found: dict[str, Declaration] = {}
    for action in ACTIONS.values():
        each = action.declaration
        if each.method != "GET" or each.client_side or len(each.scopes) != 1 or each.checks:
            continue
        if any(parameter.required for parameter in each.parameters.values()):
            continue
        scope = each.scopes[0]
        if scope not in found or each.limits.steady > found[scope].limits.steady:
            found[scope] = each
    yield from sorted(found.items(), key=lambda item: item[0])


def _ask(declaration: Declaration, alias: str) -> Envelope:
    """One request, within everybody's budget; unlike a task, it is tried once."""
    governor, settings = get_governor(), get_settings()
    call = Call(declaration, alias, {}, f"check-{uuid4()}")
    until = time.monotonic() + PATIENCE
    while seconds := governor.reserve((call.line.name, call.line.spec), call.task_id, settings.lease_ms):
        if time.monotonic() + seconds > until:
            raise Unavailable(declaration.name, alias, "its limit is used up by other work at the moment", False)
        time.sleep(min(seconds, 1.0))
    return attempt(call, governor, settings)


def _good(what: str, text: str) -> None:
    stdout().print(_line("✓", "green", what, text))


def _warn(what: str, text: str) -> None:
    stdout().print(_line("!", "yellow", what, text))


def _bad(what: str, text: str, code: int = FAILED) -> typer.Exit:
    """The end of the check; raise it."""
    stdout().print(_line("✗", "red", what, text))
    return typer.Exit(code)


def _line(mark: str, style: str, what: str, text: str) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style=style)
    table.add_column(min_width=WHAT, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(mark, what, Text(text))
    return table
