"""Reminders: what somebody has to see to by a given time, in case a worker dies between two steps.

A reminder is a text, ``kind|which``. Whoever owns a kind registers what is done about one that is overdue. Scripts may
set reminders too, atomically with what they change (see ledger.lua).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import redis
from celery.utils.log import get_logger

from worker.errors import KlaviyoError
from worker.governor import EVEN_IF_FULL, KEY_PREFIX
from worker.process.left_behind import LeftBehind
from worker.redis.connection import AWAY, get_redis
from worker.redis.patience import waits_for_redis

logger = get_logger(__name__)

#: KEYS[1] has the moment (ms) at which each is overdue. ARGV[1] is now in ms, or "" for the server's clock, ARGV[2] a
#: delay in ms or "", ARGV[3] the reminder to set or take back; without one it tells what is overdue.
SCRIPT = f"""
{EVEN_IF_FULL}
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[3] then
  if ARGV[2] == '' then return redis.call('ZREM', KEYS[1], ARGV[3]) end
  return redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[3])
end
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 50)
for _, reminder in ipairs(found) do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), reminder) end
return found
"""


class Reminders:
    """Every reminder that this Redis knows."""

    def __init__(self, client: redis.Redis, prefix: str = KEY_PREFIX, clock: Callable[[], int] | None = None) -> None:
        self._key = f"{prefix}overdue"
        self._clock = clock
        self._script = client.register_script(SCRIPT)

    def set(self, reminder: str, seconds: float | None) -> None:
        """Have somebody see to it after so many seconds; None: it has been seen to."""
        self._call("" if seconds is None else int(seconds * 1000), reminder)

    def overdue(self, again_s: float) -> list[str]:
        """Return what nobody has seen to in time, 50 at most; each comes again after ``again_s`` seconds."""
        return [each.decode() for each in self._call(int(again_s * 1000))]

    def _call(self, *arguments: Any) -> Any:
        return self._script([self._key], [self._clock() if self._clock else "", *arguments])


def get_reminders() -> Reminders:
    """The reminders of this process's Redis."""
    return Reminders(get_redis())


@waits_for_redis
def remind(reminder: str, seconds: float | None) -> None:
    """Set a reminder, or with None take it back, however long Redis is away."""
    get_reminders().set(reminder, seconds)


_seen_to_by: dict[str, Callable[[str], None]] = {}


def sees_to(kind: str) -> Callable[[Callable[[str], None]], Callable[[str], None]]:
    """Decorate what is done about an overdue reminder of this kind, given what follows its ``|``."""

    def register(see_to: Callable[[str], None]) -> Callable[[str], None]:
        _seen_to_by[kind] = see_to
        return see_to

    return register


def see_to(reminders: Iterable[str]) -> None:
    """Have these seen to, each by whoever owns its kind.

    Raises:
        LeftBehind, redis.ConnectionError, redis.TimeoutError: Redis is away.

    """
    for reminder in reminders:
        kind, _, which = reminder.partition("|")
        try:
            _seen_to_by[kind](which)
        except (LeftBehind, *AWAY):
            raise
        except Exception as error:
            # The others are not to wait for it; it comes again after a while.
            surprise = not isinstance(error, (KlaviyoError, LookupError, ValueError))
            logger.error("%s could not be seen to: %s", reminder, error, exc_info=surprise)
