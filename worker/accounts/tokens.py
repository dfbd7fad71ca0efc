"""Access tokens of OAuth accounts: each is refreshed before it expires, once for everybody who needs it.

A task that finds a token near its end refreshes it before its own request. That moment is spread over the accounts at
random, so that accounts whose tokens expire together do not ask together. A lock in Redis lets only one process do it.
Klaviyo's answer is stored before it is used, and only if the account still has the generation that was read under the
lock: a process that was suspended meanwhile can overwrite neither a newer token nor a new grant.
"""

from __future__ import annotations

import time
import uuid
import zlib
from contextlib import suppress
from dataclasses import replace
from random import uniform
from typing import Any, NoReturn

from worker.accounts.credentials import Account, Grant
from worker.accounts.stored import get_account_store
from worker.accounts.token_endpoint import TokenRefused, Tokens, TokenUnavailable, refresh
from worker.errors import CredentialsFailed, Paused, SettingsError, TokenPending
from worker.governor import EVEN_IF_FULL, KEY_PREFIX, Governor, RequestEnd
from worker.process.state import closing
from worker.redis.connection import AWAY, get_redis
from worker.redis.patience import waits_for_redis
from worker.tiers import Bucket, Limits, Line

#: What Klaviyo allows of its token endpoint, for each account that has installed an application.
TOKEN_LIMITS = Limits.parse("10/m")

#: A token is refreshed at some moment between the first two of these, in seconds before it expires, and is not used any
#: more within the third. If a token lives only briefly, these shares of its life count instead.
EARLIEST_S, LATEST_S, USELESS_S = 300.0, 60.0, 15.0
EARLIEST_SHARE, LATEST_SHARE, USELESS_SHARE = 0.25, 0.1, 0.02

#: Seconds after which a dead process's lock is free: longer than a refresh can take.
LOCK_S = 20.0

#: Seconds to wait for another process's refresh, and between two looks at it.
PATIENCE_S, LOOK_INTERVAL_S = 1.0, 0.05

#: Seconds after which a task looks for a new token again, and until a refresh that had no answer is repeated.
PENDING_S, REPEAT_S = 1.0, (2.0, 6.0)

#: Seconds for which a token is new. If Klaviyo refuses a new one, another one would not help.
NEW_S = 60.0

#: Even a full Redis takes this: the tasks that fill it need tokens to be carried out.
_LOCK = EVEN_IF_FULL + "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])"
_UNLOCK = EVEN_IF_FULL + "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"


def token_line(alias: str) -> Line:
    """The bucket of an account's token requests, as the governor knows it."""
    return Line(alias, (Bucket("oauth_token", TOKEN_LIMITS),))


def authorized(owner: Account, action: str, governor: Governor) -> Account:
    """Return the account with an access token that is still valid.

    Raises:
        TokenPending: there is no new token yet.
        CredentialsFailed: there will be none.

    """
    grant = owner.grant
    if grant is None:
        return owner
    left = grant.expires - time.time()
    if left > refreshed_before_s(owner.alias, grant):
        return owner
    life = grant.expires - grant.obtained
    if left <= min(USELESS_S, USELESS_SHARE * life):
        return renew(owner, action, governor)
    try:
        return renew(owner, action, governor, patience_s=0.0)
    except TokenPending:
        return owner


def refreshed_before_s(alias: str, grant: Grant) -> float:
    """Return how many seconds before its expiry a token is refreshed: it depends on the account, not on the process."""
    life = grant.expires - grant.obtained
    earliest, latest = min(EARLIEST_S, EARLIEST_SHARE * life), min(LATEST_S, LATEST_SHARE * life)
    chance = zlib.crc32(f"{alias} {grant.expires}".encode()) / 2**32
    return latest + (earliest - latest) * chance


def may_renew(owner: Account) -> bool:
    """Return True if Klaviyo may accept another token although it has refused this one."""
    return owner.grant is not None and time.time() - owner.grant.obtained > NEW_S


def renew(owner: Account, action: str, governor: Governor, patience_s: float = PATIENCE_S) -> Account:
    """Return the account with another access token than this one: another process's, or one that is requested here.

    Raises:
        TokenPending: somebody else is still requesting one, or it cannot be requested now.
        CredentialsFailed: Klaviyo has withdrawn the grant, or refuses the application.

    """
    until = time.monotonic() + patience_s
    while True:
        if newer := _newer(owner, action):
            return newer
        if token := _lock(owner.alias):
            break
        if time.monotonic() >= until or closing.wait(LOOK_INTERVAL_S):
            raise TokenPending(action, owner.alias, "it is being requested", PENDING_S)
    try:
        # Another process may have had the lock in between.
        return _newer(owner, action) or _request(owner, action, governor)
    finally:
        _unlock(owner.alias, token)


@waits_for_redis
def _lock(alias: str) -> str:
    """Take the lock of an account's refresh. Return what proves that, or an empty string if another process has it."""
    token = uuid.uuid4().hex
    taken: Any = get_redis().eval(_LOCK, 1, _lock_key(alias), token, int(LOCK_S * 1000))
    return token if taken else ""


def _unlock(alias: str, token: str) -> None:
    """Give the lock back, unless it has expired and another process has it. If Redis is away, it expires by itself."""
    with suppress(*AWAY):
        get_redis().eval(_UNLOCK, 1, _lock_key(alias), token)


def _lock_key(alias: str) -> str:
    return f"{KEY_PREFIX}accounts:refreshing:{alias}"


def _newer(owner: Account, action: str) -> Account | None:
    """The account as it is stored now, if it has changed."""
    latest = get_account_store().read(owner.alias)
    if latest is None:
        raise SettingsError(f"{action}: account {owner.alias} has been removed")
    return latest if latest.generation != owner.generation else None


def _request(owner: Account, action: str, governor: Governor) -> Account:
    assert owner.grant is not None
    line, id = token_line(owner.alias), f"token-{uuid.uuid4()}"
    try:
        seconds = governor.reserve((line.name, line.spec), id, int(LOCK_S * 1000))
    except Paused:
        seconds = PENDING_S
    if seconds:
        raise TokenPending(action, owner.alias, "its budget of token requests is used up", seconds)
    end = RequestEnd(used=True, forget=True)
    try:
        issued = refresh(owner.grant.refresh_token)
    except TokenUnavailable as unavailable:
        wait = unavailable.retry_after
        reason = ""
        if wait is None:
            wait = uniform(*REPEAT_S)  # noqa: S311  spreads requests, guards nothing
            reason = f"the last request for a token failed: {unavailable.reason}"
        end = RequestEnd(used=unavailable.retry_after is None, block=wait, block_reason=reason, forget=True)
        raise TokenPending(action, owner.alias, unavailable.reason, wait) from None
    except TokenRefused as refused:
        if newer := _newer(owner, action):
            return newer
        _refused(owner, action, refused)
    finally:
        governor.close_lease(id, end)
    stored = get_account_store().change(owner.alias, owner.generation, grant=_renewed(owner.grant, issued))
    # Nothing was stored if somebody has changed the account meanwhile: theirs is newer.
    return stored or _newer(owner, action) or owner


def _renewed(grant: Grant, issued: Tokens) -> Grant:
    now = time.time()
    return replace(
        grant,
        access_token=issued.access_token,
        refresh_token=issued.refresh_token,
        obtained=now,
        expires=now + issued.life,
        scopes=issued.scopes or grant.scopes,
    )


def _refused(owner: Account, action: str, refused: TokenRefused) -> NoReturn:
    if refused.code == "invalid_grant":
        why, remedy = "Klaviyo has withdrawn its grant", owner.renewing
    elif refused.code == "invalid_client":
        why = "Klaviyo does not know the application"
        remedy = "set KLAVIYO_CLIENT_ID and KLAVIYO_CLIENT_SECRET and restart the workers"
    else:
        why, remedy = "Klaviyo refuses it a token", owner.renewing
    raise CredentialsFailed(action, owner.alias, f"{why} ({refused.code})", remedy)
