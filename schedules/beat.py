"""RedBeat as this project runs it: the code says what runs; each due time is published at least once and starts once.

RedBeat keeps in Redis when each entry last ran, so that a missed run is made up for, and a lock, so that only one of
several beats leads. Seven things differ here:

- A definition in Redis is never read. An entry that was removed from the code does not run, and a beat of the previous
  version that still leads runs its own entries.
- It publishes, then records that it did. RedBeat does it the other way round and loses the run if it is killed in
  between. A run that is published twice has the same id, and `schedules.entry_runs` lets it start once.
- A beat that loses the lock because it was suspended or cut off for too long stands by again. RedBeat's ends with a
  traceback, and while standing by it blocks on the lock and answers no ping.
- While Redis cannot be reached it waits, and logs that once.
- What is due is decided by Redis's clock, which all beats and workers share, not by the machine's.
- Accounts that are stored while beat runs get their entries, and those that are removed lose them.
- What falls due for a paused account runs once when the account is resumed.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from logging import INFO, WARNING
from typing import Any, Literal

import redis
from celery.beat import SchedulingError
from celery.signals import beat_init
from celery.utils.log import get_logger
from kombu.exceptions import OperationalError
from redbeat.decoder import RedBeatJSONDecoder
from redbeat.schedulers import RedBeatScheduler, RedBeatSchedulerEntry, acquire_distributed_beat_lock, get_redis
from redis.exceptions import LockError
from redis.lock import Lock

from schedules.crontab import latest_due
from schedules.entries import as_setting, entries_of
from schedules.entry_runs import load_records, plan_entry, run_id
from worker.accounts.lookup import configured
from worker.accounts.stored import get_account_store
from worker.errors import AlreadyRevoked
from worker.governor import get_governor
from worker.redis.connection import AWAY
from worker.redis.patience import asking_redis_once
from worker.settings import get_settings

logger = get_logger(__name__)

#: Time between two attempts to take the lead, and between two attempts to reach Redis.
STANDBY_INTERVAL_S, RECONNECT_INTERVAL_S = 1.0, 1.0


class LeaderLock(Lock):
    """The lock of the beat that leads; extending it sets its remaining time instead of adding to it."""

    def extend(self, additional_time: float, replace_ttl: bool = True) -> Literal[True]:
        """Hold it for this many seconds from now."""
        return super().extend(additional_time, replace_ttl)


class CodeEntry(RedBeatSchedulerEntry):  # type: ignore[misc]
    """An entry as the code defines it, with the time of its last run from Redis."""

    @classmethod
    def from_key(cls, key: str, app: Any = None) -> CodeEntry:
        """Return the entry with this key.

        Raises:
            KeyError: it is not in the code, or was never stored.

        """
        name = key.removeprefix(app.redbeat_conf.key_prefix)
        definition = app.redbeat_conf.schedule[name]
        meta = get_redis(app).hget(key, "meta")
        if not meta:
            raise KeyError(key)
        last = json.loads(meta, cls=RedBeatJSONDecoder)["last_run_at"]
        return cls(name=name, app=app, last_run_at=last, **definition)

    @property
    def due_at(self) -> datetime:
        """Return the due time after the last run; RedBeat's own is too early by the time that has passed since then."""
        due: datetime = self.schedule.after(self.last_run_at)
        return due


class Scheduler(RedBeatScheduler):  # type: ignore[misc]
    """Stands by until it leads, then runs what is due."""

    Entry = CodeEntry

    lock: LeaderLock | None = None
    _last_logged = ""

    def __init__(self, app: Any, **kwargs: Any) -> None:
        #: Which generation of the stored accounts `_stored` has.
        self._generation = 0
        #: The entries of each stored account.
        self._stored: dict[str, dict[str, Any]] = {}
        #: The accounts that are paused.
        self._paused: set[str] = set()
        # RedBeat's receiver blocks until it leads; this scheduler stands by.
        beat_init.disconnect(acquire_distributed_beat_lock)
        # Celery, RedBeat and the entries all take the time from the application.
        app.now = lambda: redis_time(app)
        super().__init__(app, **kwargs)

    def setup_schedule(self) -> None:
        """Do nothing yet: a beat that stands by must not change what the leading one runs."""

    def tick(self, **kwargs: Any) -> float:
        """Run what is due and return the seconds until there is more to do."""
        try:
            if not self.lock and not self._take_lead():
                return STANDBY_INTERVAL_S
            client = get_redis(self.app)
            with asking_redis_once():
                self._follow_accounts()
                self._paused = {each.what.partition(":")[2] for each in get_governor().paused()}
            if client.zcard(self.app.redbeat_conf.schedule_key) < len(self.app.redbeat_conf.schedule):
                # Redis was flushed, or was too full to store them.
                super().setup_schedule()
            seconds = float(super().tick(**kwargs))
            self._log_once(f"This beat leads; entries: {len(self.app.redbeat_conf.schedule)}.")
            return seconds
        except LockError:
            self.lock = None
            self._log_once(
                "This beat was suspended or cut off for so long that another may lead now: it stands by.", WARNING
            )
            return 0.0
        except AWAY as error:
            self._log_once(
                f"Beat is waiting for Redis: {str(error).rstrip('.')}. Whatever falls due meanwhile runs once Redis is "
                "back.",
                WARNING,
            )
            return RECONNECT_INTERVAL_S

    def _take_lead(self) -> bool:
        client = get_redis(self.app)
        lock = client.lock(self.lock_key, timeout=self.lock_timeout, blocking=False, lock_class=LeaderLock)
        if not lock.acquire():
            self._log_once("Another beat leads; this one stands by.")
            return False
        with asking_redis_once():
            self._read_accounts()  # before: what is not in the schedule then is removed
        super().setup_schedule()
        self.lock = lock
        return True

    def _follow_accounts(self) -> None:
        """Add the entries of accounts that were stored, and remove those of accounts that are gone."""
        changed, gone = self._read_accounts()
        client, statics = get_redis(self.app), self.app.redbeat_conf.statics_key
        for name in gone:
            RedBeatSchedulerEntry(name, app=self.app).delete()
            client.srem(statics, name)
        if changed:
            self.update_from_dict(changed)
            client.sadd(statics, *changed)

    def _read_accounts(self) -> tuple[dict[str, Any], list[str]]:
        """Bring the schedule up to date. Return what is new or runs at other times, and what is gone."""
        changed: dict[str, Any] = {}
        gone: list[str] = []
        store, settings = get_account_store(), get_settings()
        self._generation, aliases = store.changes(self._generation)
        for alias in set(aliases) - set(configured(settings)):
            owner = store.find(alias)
            wanted = as_setting(entries_of(owner, settings)) if owner and not owner.moved_to else {}
            before = self._stored.pop(alias, {})
            if wanted:
                self._stored[alias] = wanted
            gone += before.keys() - wanted.keys()
            for name, definition in wanted.items():
                if name not in before or repr(before[name]["schedule"]) != repr(definition["schedule"]):
                    changed[name] = definition
        if changed or gone:
            kept = {name: each for name, each in self.app.redbeat_conf.schedule.items() if name not in gone}
            self.app.redbeat_conf.schedule = {**kept, **changed}
        return changed, gone

    def update_from_dict(self, dict_: dict[str, Any]) -> None:
        """Store the entries, each with the time of its last run.

        An entry that is new, or has a new timetable, counts from now: its earlier due times were not missed.
        """
        known = dict(zip(dict_, load_records(dict_), strict=True))
        for name, definition in dict_.items():
            entry = self._maybe_entry(name, definition)
            when = repr(entry.schedule)
            try:
                entry.last_run_at = self.Entry.from_key(entry.key, app=self.app).last_run_at
                changed = known[name].when != when
            except KeyError:
                changed = True
            if changed:
                entry.reschedule()
                plan_entry(name, when)
            entry.save()

    def maybe_due(self, entry: CodeEntry, **kwargs: Any) -> float:
        """Run an entry if it is due and return the seconds until it is due next.

        RedBeat logs a traceback for each attempt that Redis refuses; here `tick` says it once, and tries again.

        Raises:
            redis.ConnectionError, redis.TimeoutError: Redis does not take it at the moment.

        """
        is_due, seconds = entry.is_due()
        if is_due and (entry.kwargs or {}).get("account") in self._paused:
            return float(self.max_interval)
        if is_due:
            logger.info("Sending due task %s (%s)", entry.name, entry.task)
            try:
                self.apply_async(entry, **kwargs)
            except AWAY:
                raise
            except Exception as error:
                # Celery wraps kombu's error, which wraps Redis's.
                if isinstance(error.__context__, OperationalError):
                    raise redis.ConnectionError(str(error.__context__)) from None
                logger.exception("%s cannot be run now; the other entries go on", entry.name)
        return float(seconds)

    def apply_async(self, entry: CodeEntry, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Publish the latest run that is due, then record that it was published."""
        due = latest_due(entry.schedule, entry.last_run_at, entry.schedule.now())
        assert due is not None, "RedBeat asks only for what is due"
        run = self.Entry(**{**dict(entry), "options": {**entry.options, "task_id": run_id(entry.name, due)}})
        result = None
        try:
            result = super().apply_async(run, producer=producer, advance=False)
        except SchedulingError as error:
            if not isinstance(error.__context__, AlreadyRevoked):
                raise
            logger.warning("%s is skipped this time: %s", entry.name, error.__context__.reason)
        entry.reschedule(last_run_at=due.astimezone(UTC))
        return result

    def close(self) -> None:
        """Give up the lead; if Redis cannot be reached, the lock expires by itself."""
        with suppress(LockError, *AWAY):
            super().close()

    def _log_once(self, sentence: str, level: int = INFO) -> None:
        """Log a sentence unless it is the one that was logged last."""
        if sentence != self._last_logged:
            logger.log(level, sentence)
        self._last_logged = sentence


def redis_time(app: Any) -> datetime:
    """Return the time by Redis's clock, in UTC.

    Raises:
        redis.ConnectionError: Redis cannot be reached.

    """
    seconds, micros = get_redis(app).time()
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
