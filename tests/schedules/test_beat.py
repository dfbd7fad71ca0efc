"""What beat publishes: every due time, by one beat, and only what is in the code. On a real server, with our clock."""

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
import redis
from celery import Celery
from celery.signals import beat_init
from kombu.exceptions import OperationalError
from redbeat.schedulers import acquire_distributed_beat_lock, get_redis

import schedules.beat
from schedules.beat import RECONNECT_INTERVAL_S, STANDBY_INTERVAL_S, Scheduler
from schedules.crontab import Crontab
from worker.accounts.stored import AccountStore
from worker.app import configuration
from worker.errors import AlreadyRevoked
from worker.governor import Governor
from worker.redis.connection import ANSWER_TIMEOUT_S
from worker.settings import get_settings

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Beat:
    """One beat process's scheduler: what it publishes goes to ``published``, by our clock."""

    def __init__(self, client, entries, published, clock, zone):
        self.app = Celery("test", broker="memory://", set_as_current=False)
        self.app.conf.update({name: value for name, value in configuration().items() if "beat" in name})
        self.app.conf.beat_schedule = {
            name: {"task": "test.sync", "schedule": Crontab(text, zone), "kwargs": {}, "options": {"expires": 60}}
            for name, text in entries.items()
        }
        self.app.conf.update(redbeat_redis_url=f"unix://{client.connection_pool.connection_kwargs['path']}?db=0")
        self.app.conf.result_expires = None  # else Celery adds an entry of its own
        get_redis(self.app).time = lambda: (int(clock[0].timestamp()), clock[0].microsecond)
        self.accounts = AccountStore(lambda: client)
        self.scheduler = Scheduler(self.app)
        self.scheduler.send_task = lambda name, args, kwargs, **options: published.append(options["task_id"])

    def tick(self):
        with mock.patch("schedules.beat.get_account_store", return_value=self.accounts):
            return self.scheduler.tick()

    def close(self):
        get_redis(self.app).connection_pool.disconnect()
        self.app.close()


@pytest.fixture
def clock():
    return [START]


@pytest.fixture
def published():
    return []


@pytest.fixture
def beat(client, monkeypatch, clock, published):
    """Make beats on one server."""
    monkeypatch.setattr("schedules.entry_runs.get_redis", lambda: client)
    monkeypatch.setattr("schedules.beat.get_governor", lambda: Governor(client))
    made = []

    def start(zone="UTC", **entries):
        made.append(Beat(client, entries or {"hourly": "30 * * * *"}, published, clock, zone))
        return made[-1]

    yield start
    for each in made:
        each.close()


def dies(client):
    """Kill the leading beat and let its lock expire."""
    client.delete("klaviyo:redbeat:lock")


def test_a_new_entry_waits_for_its_first_due_time(beat, clock, published):
    one = beat()
    one.tick()
    assert published == []

    clock[0] += HOUR
    one.tick()
    one.tick()

    assert published == ["hourly@2026-11-24T12:30:00Z"]


def test_an_entry_that_is_new_in_the_hour_that_clocks_repeat_does_not_run_at_once(beat, clock, published):
    clock[0] = datetime(2026, 10, 25, 1, 5, tzinfo=UTC)
    one = beat(zone="Europe/Berlin", often="*/15 * * * *")

    for minutes in (0, 9, 1):
        clock[0] += timedelta(minutes=minutes)
        one.tick()

    assert published == ["often@2026-10-25T01:15:00Z"]


@pytest.fixture(params=[40, -40, 7200], ids=["40 s ahead", "40 s behind", "in another zone"])
def wrong_clock(request, monkeypatch, clock):
    """Let the clock of beat's machine differ from Redis's."""
    monkeypatch.setattr(Celery, "now", lambda app: clock[0] + timedelta(seconds=request.param))


@pytest.mark.usefixtures("wrong_clock")
def test_a_beat_whose_clock_is_wrong_starts_nothing_early_nothing_late_and_nothing_twice(beat, clock, published):
    one = beat(often="* * * * *")
    one.tick()

    for seconds in (30, 29):
        clock[0] += timedelta(seconds=seconds)
        one.tick()
        assert published == []
    clock[0] += timedelta(seconds=1)
    one.tick()
    one.tick()

    assert published == ["often@2026-11-24T12:01:00Z"]


@pytest.mark.usefixtures("wrong_clock")
def test_a_beat_whose_clock_is_wrong_takes_over_without_a_run_too_many_or_too_few(
    beat, client, monkeypatch, clock, published
):
    with monkeypatch.context() as right:
        right.setattr(Celery, "now", lambda app: clock[0])
        beat(often="* * * * *").tick()
    dies(client)
    wrong = beat(often="* * * * *")

    for _ in range(5):
        clock[0] += timedelta(seconds=30)
        wrong.tick()

    assert published == ["often@2026-11-24T12:01:00Z", "often@2026-11-24T12:02:00Z"]


def test_a_run_missed_while_no_beat_ran_runs_once(beat, client, clock, published):
    beat().tick()
    dies(client)
    clock[0] += 5 * HOUR
    later = beat()

    later.tick()
    later.tick()

    assert published == ["hourly@2026-11-24T16:30:00Z"]


def test_a_beat_that_dies_between_publishing_and_writing_it_down_gives_the_run_the_same_name_twice(
    beat, client, monkeypatch, clock, published
):
    one = beat()
    one.tick()
    clock[0] += HOUR
    with monkeypatch.context() as patch:
        patch.setattr("schedules.beat.CodeEntry.reschedule", lambda *_, **__: 1 / 0)
        one.tick()
    dies(client)

    beat().tick()

    assert published == ["hourly@2026-11-24T12:30:00Z"] * 2


def test_a_run_that_could_not_be_published_is_published_later(beat, clock, published):
    one = beat()
    one.tick()
    clock[0] += HOUR
    publish, one.scheduler.send_task = one.scheduler.send_task, lambda *_, **__: 1 / 0
    one.tick()
    one.scheduler.send_task = publish

    one.tick()

    assert published == ["hourly@2026-11-24T12:30:00Z"]


def test_a_run_that_redis_refuses_is_reported_once_however_often_it_is_tried(beat, clock, published, caplog):
    one = beat()
    one.tick()
    clock[0] += HOUR

    def refuse(*_, **__):
        raise OperationalError("Redis is full")

    publish, one.scheduler.send_task = one.scheduler.send_task, refuse
    with caplog.at_level("WARNING", "schedules.beat"):
        assert one.tick() == one.tick() == RECONNECT_INTERVAL_S
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warnings == [
        "Beat is waiting for Redis: Redis is full. Whatever falls due meanwhile runs once Redis is back."
    ]
    one.scheduler.send_task = publish
    one.tick()

    assert published == ["hourly@2026-11-24T12:30:00Z"]
    assert not any(each.exc_info for each in caplog.records)


def test_an_entry_that_was_taken_out_of_the_code_does_not_run_and_leaves_nothing_to_run(beat, client, clock, published):
    beat(kept="30 * * * *", gone="31 * * * *").tick()
    dies(client)
    clock[0] += HOUR

    beat(kept="30 * * * *").tick()

    assert published == ["kept@2026-11-24T12:30:00Z"]
    assert client.zrange("klaviyo:redbeat::schedule", 0, -1) == [b"klaviyo:redbeat:kept"]
    assert not client.exists("klaviyo:redbeat:gone")


def test_an_entry_in_redis_that_was_never_in_the_code_does_not_run(beat, client, clock, published):
    one = beat()
    one.tick()
    client.hset("klaviyo:redbeat:foreign", mapping=client.hgetall("klaviyo:redbeat:hourly"))
    client.zadd("klaviyo:redbeat::schedule", {"klaviyo:redbeat:foreign": 1})
    clock[0] += HOUR

    one.tick()

    assert published == ["hourly@2026-11-24T12:30:00Z"]


def test_an_entry_that_was_moved_is_not_run_for_a_time_that_it_did_not_have(beat, client, clock, published):
    beat(moved="30 * * * *").tick()
    dies(client)
    clock[0] += timedelta(minutes=20)

    later = beat(moved="10 * * * *")
    later.tick()
    assert published == []
    clock[0] += HOUR
    later.tick()

    assert published == ["moved@2026-11-24T13:10:00Z"]


def test_an_entry_that_was_off_for_a_while_is_not_run_for_that_time(beat, client, clock, published):
    beat(kept="0 0 1 1 *", paused="30 * * * *").tick()
    dies(client)
    beat(kept="0 0 1 1 *").tick()
    dies(client)
    clock[0] += 3 * HOUR

    beat(kept="0 0 1 1 *", paused="30 * * * *").tick()

    assert published == []


def test_a_beat_that_stands_by_publishes_and_changes_nothing(beat, client, clock, published):
    one, two = beat(old="30 * * * *"), beat(new="30 * * * *")
    one.tick()
    clock[0] += HOUR

    assert two.tick() == STANDBY_INTERVAL_S

    assert published == []
    assert client.zrange("klaviyo:redbeat::schedule", 0, -1) == [b"klaviyo:redbeat:old"]


def test_only_one_of_two_beats_publishes_until_the_other_takes_its_place(beat, client, clock, published):
    one, two = beat(), beat()
    for _ in range(2):
        one.tick()
        two.tick()
        clock[0] += HOUR
    assert published == ["hourly@2026-11-24T12:30:00Z"]

    dies(client)
    two.tick()

    assert published[1:] == ["hourly@2026-11-24T13:30:00Z"]


def test_a_beat_that_has_lost_the_lead_while_it_slept_stands_by(beat, client, clock, published):
    one, two = beat(), beat()
    one.tick()
    dies(client)
    two.tick()
    clock[0] += HOUR

    assert one.tick() == 0.0
    assert one.tick() == STANDBY_INTERVAL_S

    assert published == []


def test_entries_that_were_lost_from_redis_are_there_again(beat, client, clock, published):
    one = beat()
    one.tick()

    client.delete("klaviyo:redbeat:hourly", "klaviyo:redbeat::schedule")
    one.tick()
    clock[0] += HOUR
    one.tick()

    assert published == ["hourly@2026-11-24T12:30:00Z"]


def test_a_flushed_redis_is_led_and_filled_again(beat, client, clock, published):
    one = beat()
    one.tick()

    client.flushall()
    one.tick()
    one.tick()
    clock[0] += HOUR
    one.tick()

    assert published == ["hourly@2026-11-24T12:30:00Z"]


def test_while_redis_is_away_beat_waits_and_says_so_once(beat, monkeypatch, caplog):
    one = beat()
    one.tick()

    def away(*_):
        raise redis.ConnectionError("refused.")

    with caplog.at_level("INFO", "schedules.beat"):
        with monkeypatch.context() as patch:
            patch.setattr(schedules.beat, "get_redis", away)
            waits = [one.tick() for _ in range(3)]
        one.tick()

    assert waits == [schedules.beat.RECONNECT_INTERVAL_S] * 3
    assert caplog.messages == [
        "Beat is waiting for Redis: refused. Whatever falls due meanwhile runs once Redis is back.",
        "This beat leads; entries: 1.",
    ]


def test_a_beat_that_is_stopped_while_redis_is_away_ends_without_a_traceback(beat, monkeypatch):
    one = beat()
    one.tick()

    def away(*_, **__):
        raise redis.ConnectionError("refused")

    monkeypatch.setattr(schedules.beat.LeaderLock, "owned", away)

    one.scheduler.close()


def test_a_run_that_was_revoked_before_it_fell_due_is_skipped_and_the_next_is_not(beat, clock, published, caplog):
    one = beat()
    one.tick()
    publish = one.scheduler.send_task

    def revoked(name, args, kwargs, **options):
        raise AlreadyRevoked(options["task_id"], "dropped by an operator")

    one.scheduler.send_task = revoked
    clock[0] += HOUR
    for _ in range(3):
        one.tick()
    one.scheduler.send_task = publish
    clock[0] += HOUR
    one.tick()

    assert published == ["hourly@2026-11-24T13:30:00Z"]
    assert caplog.messages.count("hourly is skipped this time: dropped by an operator") == 1


@pytest.mark.parametrize(
    ("url", "kwargs"),
    [
        ("unix:///run/redis.sock?db=3", {"path": "/run/redis.sock", "db": 3}),
        ("rediss://:secret@redis:6380/1", {"host": "redis", "port": 6380, "db": 1, "ssl_cert_reqs": "required"}),
        ("rediss://redis?ssl_cert_reqs=none", {"host": "redis", "ssl_cert_reqs": "none"}),
        ("redis://redis:6379/2", {"host": "redis", "port": 6379, "db": 2}),
    ],
)
def test_every_kind_of_address_reaches_redbeat(monkeypatch, url, kwargs):
    monkeypatch.setenv("KLAVIYO_REDIS_URL", url)
    get_settings.cache_clear()
    with Celery("test", set_as_current=False) as app:
        app.add_defaults(configuration)
        made = get_redis(app).connection_pool.connection_kwargs
    get_settings.cache_clear()

    assert {name: made[name] for name in kwargs} == kwargs
    assert made["socket_timeout"] == ANSWER_TIMEOUT_S


def test_each_scheduler_that_is_made_keeps_redbeats_from_blocking_until_it_leads(beat):
    beat_init.connect(acquire_distributed_beat_lock)

    beat()

    assert acquire_distributed_beat_lock not in [each() for _, each in beat_init.receivers]
