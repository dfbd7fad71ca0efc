"""Accounts that come and go while the system runs: kept in Redis, encrypted, and remembered by each process.

A process reads an account when it first needs it and then keeps it in memory. Each change gives the account a new
generation, a number larger than any before, so that one command tells a process what has changed since it last looked.
Workers ask every two seconds (`worker.process.bootstep`), other processes at a call if they last asked more than
`CACHED_S` ago.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import orjson
import redis
from pydantic import SecretStr

from worker.accounts.credentials import Account, Grant
from worker.accounts.encryption import get_encryption
from worker.errors import SettingsError
from worker.governor import EVEN_IF_FULL, KEY_PREFIX
from worker.one_per_process import one_per_redis
from worker.process.state import working
from worker.redis.connection import AWAY, get_publisher, get_redis
from worker.redis.patience import asking_redis_once, waits_for_redis
from worker.settings import get_settings

#: Seconds for which a process trusts its copy of the accounts.
CACHED_S = 5.0

#: An alias is part of the names of waiting lists and schedule entries.
_ALIAS = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

#: Stores a row, or removes it if the new one is empty, provided that the account still has the expected generation.
#: Returns the new generation, or 0. A refreshed token must be stored even if Redis is full.
_CHANGE = (
    EVEN_IF_FULL
    + """
local rows, changes, alias, row, expected = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
if tonumber(redis.call('ZSCORE', changes, alias) or '0') ~= tonumber(expected) then return 0 end
local time = redis.call('TIME')
local last = tonumber(redis.call('ZREVRANGE', changes, 0, 0, 'WITHSCORES')[2]) or 0
local generation = math.max(last + 1, time[1] * 1000 + math.floor(time[2] / 1000))
if row == '' then redis.call('HDEL', rows, alias) else redis.call('HSET', rows, alias, row) end
redis.call('ZADD', changes, string.format('%.0f', generation), alias)
return generation
"""
)


def checked_alias(alias: str) -> str:
    """Return an alias under which an account can be stored.

    Raises:
        SettingsError: none can be stored under it.

    """
    if not _ALIAS.fullmatch(alias):
        raise SettingsError(f"{alias!r} cannot name an account: use up to 63 letters, digits and hyphens")
    return alias


@dataclass(frozen=True, slots=True)
class Lacking:
    """Scopes that the key of this fingerprint has been found to lack."""

    key: str
    scopes: frozenset[str]


class AccountStore:
    """The stored accounts, as one process sees them."""

    def __init__(
        self, client: Callable[[], redis.Redis], prefix: str = KEY_PREFIX, moment: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._moment = client, moment
        self._rows, self._changes = f"{prefix}accounts", f"{prefix}accounts:changes"
        self._scopes = f"{prefix}accounts:lacking"
        self._known: dict[str, Account | None] = {}
        self._seen = 0
        self._forgotten = 0  # counts up whenever something is forgotten: a row read before that may be outdated
        self._lacking: dict[str, Lacking] = {}
        self._looked: float | None = None
        self._lock = threading.Lock()

    def find(self, alias: str) -> Account | None:
        """Return the account with this alias; None if none is stored under it."""
        self.look_if_old()
        try:
            return self._known[alias]
        except KeyError:
            return self.read(alias)

    def look_if_old(self) -> None:
        """Look for changes unless that was done lately. While Redis is away, what is remembered stays current."""
        if self._looked is None or self._moment() - self._looked > CACHED_S:
            self.look()

    def look(self) -> None:
        """Look for changes."""
        self._looked = self._moment()
        try:
            with asking_redis_once():
                self._seen, _ = self.changes(self._seen)
        except AWAY:
            return

    def lacking(self, alias: str) -> Lacking | None:
        """Return the scopes that an account's key was found to lack; None if there are none."""
        self.look_if_old()
        return self._lacking.get(alias)

    @waits_for_redis
    def learn_lacking(self, alias: str, key: str, scopes: Collection[str]) -> None:
        """Remember that the key with this fingerprint lacks these scopes; forget those that another key lacked."""
        known = self._lacking.get(alias)
        found = Lacking(key, frozenset(scopes) | (known.scopes if known and known.key == key else frozenset()))
        self._client().hset(self._scopes, alias, orjson.dumps({"key": key, "scopes": sorted(found.scopes)}).decode())
        self._lacking = {**self._lacking, alias: found}

    @waits_for_redis
    def forget_lacking(self, alias: str) -> None:
        """Forget which scopes an account's key lacks."""
        self._client().hdel(self._scopes, alias)
        self._lacking = {name: each for name, each in self._lacking.items() if name != alias}

    @waits_for_redis
    def read(self, alias: str) -> Account | None:
        """Read an account from Redis, and remember it."""
        before = self._forgotten
        row, generation = self._row(alias)
        found = _account(alias, row, generation) if row else None
        with self._lock:
            if self._forgotten == before:
                self._known[alias] = found
        return found

    @waits_for_redis
    def all(self) -> list[Account]:
        """Return every stored account, by its alias."""
        pipe = self._client().pipeline(transaction=True)
        pipe.hgetall(self._rows)
        pipe.zrange(self._changes, 0, -1, withscores=True)
        rows, changes = pipe.execute()
        generations = {alias: int(generation) for alias, generation in changes}
        return [_account(alias.decode(), rows[alias], generations.get(alias, 0)) for alias in sorted(rows)]

    @waits_for_redis
    def aliases(self) -> list[str]:
        """Return the alias of every stored account."""
        found: Any = self._client().hkeys(self._rows)
        return sorted(alias.decode() for alias in found)

    @waits_for_redis
    def change(self, alias: str, expected: int | None = None, **values: Any) -> Account | None:
        """Store these values of an account, which may be a new one, and keep its others.

        ``values`` are those of `Account`: ``api_key``, ``company_id``, ``timezone``, ``conversion_metric``, ``grant``,
        ``moved_to``, ``weight``.
        Return the changed account. Return None, and change nothing, if it no longer has the ``expected`` generation
        (0: not stored).

        Raises:
            SettingsError: the alias is not a possible one, or no secret key is set.

        """
        name, encryption = _name(checked_alias(alias)), get_encryption()
        while True:
            row, generation = self._row(alias)
            if expected not in (None, generation):
                return None
            before = orjson.loads(encryption.decrypt(row, of=name)) if row else {}
            changed = encryption.encrypt(orjson.dumps({**before, **_plain(values)}), of=name)
            if self._change(alias, changed, generation):
                return self.read(alias)

    @waits_for_redis
    def remove(self, alias: str) -> bool:
        """Remove an account. Return True if it was stored."""
        row, generation = self._row(alias)
        return bool(row) and bool(self._change(alias, b"", generation))

    @waits_for_redis
    def encrypt_anew(self) -> int:
        """Encrypt again, with the first key, what another key has encrypted; return the number of such accounts.

        Raises:
            SettingsError: a row cannot be decrypted by any key that is set.

        """
        encryption, done = get_encryption(), 0
        for alias in self.aliases():
            row, generation = self._row(alias)
            if row and not encryption.is_current(row):
                plain = encryption.decrypt(row, of=_name(alias))
                # Whoever has changed it meanwhile has encrypted it with the first key.
                done += bool(self._change(alias, encryption.encrypt(plain, of=_name(alias)), generation))
        return done

    @waits_for_redis
    def changes(self, since: int) -> tuple[int, list[str]]:
        """Return the newest generation, and the accounts that have changed since another one; 0 for all.

        This process forgets what it remembered of them.
        """
        pipe = self._client().pipeline(transaction=False)
        pipe.zrangebyscore(self._changes, f"({since}", "+inf")
        pipe.zrange(self._changes, 0, 0, desc=True, withscores=True)
        pipe.hgetall(self._scopes)
        changed, newest, lacking = pipe.execute()
        self._lacking = {alias.decode(): _lacking(found) for alias, found in lacking.items()}
        latest = int(newest[0][1]) if newest else 0
        aliases = [alias.decode() for alias in changed]
        with self._lock:
            if latest < since:  # Redis was emptied
                aliases = sorted({*aliases, *self._known})
            for alias in aliases:
                self._known.pop(alias, None)
            self._forgotten += len(aliases)
        self._looked = self._moment()
        return latest, aliases

    def _row(self, alias: str) -> tuple[bytes, int]:
        """The encrypted row of an account, empty if there is none, and its generation, 0 if it was never stored."""
        pipe = self._client().pipeline(transaction=True)
        pipe.hget(self._rows, alias)
        pipe.zscore(self._changes, alias)
        row, generation = pipe.execute()
        return row or b"", int(generation or 0)

    def _change(self, alias: str, row: bytes, expected: int) -> int:
        keys = (self._rows, self._changes)
        generation: Any = self._client().eval(_CHANGE, len(keys), *keys, alias, row, expected)
        with self._lock:
            self._known.pop(alias, None)
            self._forgotten += 1
        return int(generation)


def _name(alias: str) -> str:
    """The name to which an account's secrets are bound."""
    return f"account {alias}"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values of an account, ready to be encrypted."""
    plain = dict(values)
    if key := plain.get("api_key"):
        plain["api_key"] = key.get_secret_value()
    if grant := plain.get("grant"):
        plain["grant"] = grant.plain()
    return plain


def _account(alias: str, row: bytes, generation: int) -> Account:
    """Read an account from its row; without its secrets if they cannot be decrypted here."""
    settings = get_settings()
    try:
        plain = orjson.loads(get_encryption().decrypt(row, of=_name(alias)))
    except SettingsError as error:
        return Account(alias, None, None, settings.timezone, settings.conversion_metric, None, generation, str(error))
    key, grant = plain.get("api_key"), plain.get("grant")
    return Account(
        alias,
        SecretStr(key) if key else None,
        plain.get("company_id"),
        plain.get("timezone") or settings.timezone,
        plain.get("conversion_metric") or settings.conversion_metric,
        Grant.of(grant) if grant else None,
        generation,
        moved_to=plain.get("moved_to") or "",
        weight=plain.get("weight") or 1,
    )


def _lacking(stored: bytes) -> Lacking:
    found = orjson.loads(stored)
    return Lacking(found["key"], frozenset(found["scopes"]))


def _client() -> redis.Redis:
    """A worker waits for Redis as long as it takes; other processes no longer than their callers do."""
    return get_redis() if working.is_set() else get_publisher()


@one_per_redis
def get_account_store() -> AccountStore:
    """The stored accounts as this process sees them."""
    return AccountStore(_client)
