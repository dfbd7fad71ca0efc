"""What every worker does beside running tasks.

It turns the governor, announces what it can take, sends signs of life, and takes up what is overdue.
"""

from __future__ import annotations

import os
from typing import Any

import redis
from celery import bootsteps
from celery.signals import task_revoked
from celery.utils.log import get_logger
from kombu.exceptions import OperationalError

from worker.accounts.companies import find_accounts_to_learn
from worker.accounts.lookup import account
from worker.accounts.stored import get_account_store
from worker.accounts.weights import set_all_weights, set_weights
from worker.errors import SettingsError
from worker.failures import kept
from worker.governor import get_governor
from worker.process.prefetched_leases import return_unclaimed
from worker.redis.called import NOTE_INTERVAL_S, note_names
from worker.redis.patience import asking_redis_once
from worker.reminders import get_reminders
from worker.settings import get_settings
from worker.telemetry.events import speak_through
from worker.transport import REFRESH_INTERVAL_S

logger = get_logger(__name__)

TICK_INTERVAL_S, BEAT_INTERVAL_S, BEAT_TTL_S = 0.015, 2.0, 10.0

#: Seconds between two sendings of the events of tasks.
EVENTS_INTERVAL_S = 0.1

#: Seconds between two checks whether a full Redis has room again, if something waits for that.
ROOM_INTERVAL_S = 2.0

#: Seconds between two looks for accounts that have changed.
ACCOUNTS_INTERVAL_S = 2.0

#: Seconds between two looks for failures that are too old to be kept.
PRUNE_INTERVAL_S = 60.0

#: The task that takes up what is overdue.
SWEEP = "klaviyo.job_sweep"

#: The task that asks which company each private key belongs to, and seconds between two looks for such keys.
LEARN_COMPANIES, COMPANIES_INTERVAL_S = "klaviyo.learn_companies", 30.0

#: Seconds between two looks for what is overdue, and until the same reminder is given again.
SWEEP_INTERVAL_S, REMIND_AGAIN_S = 2.0, 30.0


class GovernorStep(bootsteps.StartStopStep):
    """A step of the worker's consumer: started at each connection to Redis, stopped when it is lost or closed."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        super().__init__(consumer, **kwargs)
        task_revoked.connect(return_unclaimed)
        self._timers: list[Any] = []
        self._failing = False
        self._generation = 0  # of the stored accounts, at the last look

    def start(self, consumer: Any) -> None:
        """Start to turn the governor."""
        governor = get_governor()
        name = _name(consumer)

        def beat() -> None:
            # Asked each time: remote control adds queues, cancels them, and changes the size of the pool.
            queues = [queue.name for queue in consumer.task_consumer.queues]
            alone = not get_settings().together
            governor.beat(name, consumer.pool.num_processes, queues, BEAT_TTL_S, alone)

        def refresh() -> None:
            consumer.task_consumer.channel.qos.refresh()

        def sweep() -> None:
            if members := get_reminders().overdue(REMIND_AGAIN_S):
                consumer.app.send_task(SWEEP, (members,))

        def notice_accounts() -> None:
            self._generation, changed = get_account_store().changes(self._generation)
            if changed:
                _resume_changed()
                set_weights(get_settings(), changed)

        def learn_companies() -> None:
            if find_accounts_to_learn(get_settings()):
                consumer.app.send_task(LEARN_COMPANIES)

        def send_events() -> None:
            consumer.event_dispatcher.flush()

        speak_through(consumer.event_dispatcher)
        for first in (beat, _resume_changed, notice_accounts, lambda: set_all_weights(get_settings()), _note_names):
            self._take_turn(first)
        turns = (
            (TICK_INTERVAL_S, governor.tick),
            (BEAT_INTERVAL_S, beat),
            (REFRESH_INTERVAL_S, refresh),
            (SWEEP_INTERVAL_S, sweep),
            (ROOM_INTERVAL_S, governor.use_room),
            (ACCOUNTS_INTERVAL_S, notice_accounts),
            (COMPANIES_INTERVAL_S, learn_companies),
            (EVENTS_INTERVAL_S, send_events),
            (PRUNE_INTERVAL_S, kept.prune),
            (NOTE_INTERVAL_S, _note_names),
        )
        for seconds, work in turns:
            self._timers.append(consumer.timer.call_repeatedly(seconds, self._take_turn, (work,)))

    def stop(self, consumer: Any) -> None:
        """Stop that, and sign off so that nothing more is released for this worker."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if consumer.event_dispatcher:
            self._take_turn(consumer.event_dispatcher.flush)
        self._take_turn(lambda: get_governor().beat(_name(consumer), 0, [], BEAT_TTL_S))

    def _take_turn(self, work: Any) -> None:
        """Do one piece of work in the worker's loop. While Redis is away, warn once; the consumer itself reconnects.

        Nothing waits for Redis here: the loop has to notice that it has gone.
        """
        try:
            with asking_redis_once():
                work()
        except (redis.RedisError, OperationalError) as error:
            if not self._failing:
                logger.warning("The governor waits for Redis: %s. It goes on by itself.", error)
            self._failing = True
        else:
            if self._failing:
                logger.info("The governor goes on.")
            self._failing = False


def _name(consumer: Any) -> str:
    """Return this worker's name; two on one machine may share their host's name."""
    return f"{consumer.hostname}/{os.getpid()}"


def _note_names() -> None:
    note_names(get_settings())


def _resume_changed() -> None:
    """Resume accounts whose credentials were refused and have been replaced since."""
    governor, settings = get_governor(), get_settings()
    for pause in governor.paused():
        alias = pause.what.removeprefix("account:")
        if not pause.key:
            continue
        try:
            replaced = account(settings, alias).fingerprint != pause.key
        except SettingsError:  # it is gone
            continue
        if replaced:
            logger.warning("Account %s has other credentials now: resumed.", alias, extra={"account": alias})
            governor.resume(pause.what)
