"""RedBeat as this project runs it: the code says what runs, each due time is published at least once and begins once.

RedBeat keeps in Redis when each entry ran last, so that a missed run is made up for, and a lock, so that of many beats
one leads. Five things differ here:

- A definition in Redis is never read. An entry that was taken out of the code does not run, and a beat of the version
  before, still leading, runs its own.
- It publishes, then writes down that it did. RedBeat's other way round loses the run if it is killed in between. What
  is published twice has the same id, and `schedules.guard` lets one begin.
- A beat that loses the lock, asleep or cut off for too long, waits for its turn again. RedBeat's ends with a traceback,
  and one that stands by hangs in the wait for the lock and answers no ping.
- While Redis is away it waits, and says so once.
- What is due, its clock says, which all beats and workers share, not the machine's.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from logging import INFO, WARNING
from typing import Any, Literal

import redis
from celery.signals import beat_init
from celery.utils.log import get_logger
from kombu.exceptions import OperationalError
from redbeat.decoder import RedBeatJSONDecoder
from redbeat.schedulers import RedBeatScheduler, RedBeatSchedulerEntry, acquire_distributed_beat_lock, get_redis
from redis.exceptions import LockError
from redis.lock import Lock

from schedules.crontab import latest_due
from schedules.guard import plan, records, run_id
from worker.connection import AWAY

logger = get_logger(__name__)

#: Seconds between two attempts to take the lead, and to reach Redis.
STANDBY, AGAIN = 1.0, 1.0

beat_init.disconnect(acquire_distributed_beat_lock)


class Lead(Lock):
    """The lock of the beat that leads; extending it sets its time instead of adding to it."""

    def extend(self, additional_time: float, replace_ttl: bool = True) -> Literal[True]:
        """Hold it for so many seconds from now."""
        return super().extend(additional_time, replace_ttl)


class CodeEntry(RedBeatSchedulerEntry):  # type: ignore[misc]
    """What the code says, and when Redis says it ran last."""

    @classmethod
    def from_key(cls, key: str, app: Any = None) -> CodeEntry:
        """The entry with this key.

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
        """The due time after the last; RedBeat's is too early by as long as that is ago."""
        due: datetime = self.schedule.after(self.last_run_at)
        return due


class Scheduler(RedBeatScheduler):  # type: ignore[misc]
    """Stands by until it leads; then runs what is due."""

    Entry = CodeEntry

    lock: Lead | None = None
    _told = ""

    def __init__(self, app: Any, **kwargs: Any) -> None:
        # Celery, RedBeat and the entries all ask the application.
        app.now = lambda: redis_time(app)
        super().__init__(app, **kwargs)

    def setup_schedule(self) -> None:
        """Nothing yet: a beat that stands by must not change what the one that leads runs."""

    def tick(self, **kwargs: Any) -> float:
        """Run what is due; the seconds until there is more to do."""
        try:
            if not self.lock and not self._take_lead():
                return STANDBY
            client = get_redis(self.app)
            if client.zcard(self.app.redbeat_conf.schedule_key) < len(self.app.redbeat_conf.schedule):
                # Somebody has emptied Redis, or it was too full.
                super().setup_schedule()
            seconds = float(super().tick(**kwargs))
            self._tell(f"This beat leads; entries: {len(self.app.redbeat_conf.schedule)}.")
            return seconds
        except LockError:
            self.lock = None
            self._tell("This beat was away for so long that another may have taken the lead: it stands by.", WARNING)
            return 0.0
        except AWAY as error:
            self._tell(f"Beat waits for Redis: {error}. What falls due runs when it is back.", WARNING)
            return AGAIN

    def _take_lead(self) -> bool:
        client = get_redis(self.app)
        lock = client.lock(self.lock_key, timeout=self.lock_timeout, blocking=False, lock_class=Lead)
        if not lock.acquire():
            self._tell("Another beat leads; this one stands by.")
            return False
        super().setup_schedule()
        self.lock = lock
        return True

    def update_from_dict(self, dict_: dict[str, Any]) -> None:
        """Store the entries, each with when it ran last.

        One that is new, or has another timetable, begins now: what that would have run before was not missed.
        """
        known = dict(zip(dict_, records(dict_), strict=True))
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
                plan(name, when)
            entry.save()

    def maybe_due(self, entry: CodeEntry, **kwargs: Any) -> float:
        """Run an entry if it is due; the seconds until it is.

        RedBeat writes a traceback for each try that Redis refuses; here `tick` says it once, and tries again.

        Raises:
            redis.ConnectionError, redis.TimeoutError: Redis does not take it now.

        """
        is_due, seconds = entry.is_due()
        if is_due:
            logger.info("Sending due task %s (%s)", entry.name, entry.task)
            try:
                self.apply_async(entry, **kwargs)
            except AWAY:
                raise
            except Exception as error:
                # Celery makes an error of its own of what kombu makes of Redis's.
                if isinstance(error.__context__, OperationalError):
                    raise redis.ConnectionError(str(error.__context__)) from None
                logger.exception("%s cannot be run now; the others go on", entry.name)
        return float(seconds)

    def apply_async(self, entry: CodeEntry, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Publish the latest run that is due, then write down that it was."""
        due = latest_due(entry.schedule, entry.last_run_at, entry.schedule.now())
        assert due is not None, "RedBeat asks only for what is due"
        run = self.Entry(**{**dict(entry), "options": {**entry.options, "task_id": run_id(entry.name, due)}})
        result = super().apply_async(run, producer=producer, advance=False)
        entry.reschedule(last_run_at=due.astimezone(UTC))
        return result

    def close(self) -> None:
        """Give the lead back; while Redis is away it runs out by itself."""
        with suppress(LockError, *AWAY):
            super().close()

    def _tell(self, sentence: str, level: int = INFO) -> None:
        """Say what has changed, once."""
        if sentence != self._told:
            logger.log(level, sentence)
        self._told = sentence


def redis_time(app: Any) -> datetime:
    """The present.

    Raises:
        redis.ConnectionError: Redis is away.

    """
    seconds, micros = get_redis(app).time()
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
