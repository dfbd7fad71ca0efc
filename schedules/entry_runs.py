"""Runs of entries: one at a time, each due time once. A record in Redis is both the lock and the status of an entry.

A run is a chain of tasks over hours, so no process holds its lock: the run does, and each of its steps renews it. A run
that is not renewed in time counts as dead, and the next one takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from celery.utils.log import get_logger

from worker.governor import EVEN_IF_FULL, KEY_PREFIX
from worker.redis.connection import get_redis
from worker.redis.patience import waits_for_redis

logger = get_logger(__name__)

#: Workers run it, and a run must be able to end even if Redis is full.
SCRIPT = EVEN_IF_FULL + resources.files(__package__).joinpath("entry_runs.lua").read_text("utf-8")

#: Seconds without a sign of life after which a run counts as dead, and the next one may begin.
RUN_DEAD_AFTER_S = 1_800.0

DUE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """What Redis holds about an entry; a time is None until it has happened.

    ``since``: when beat first scheduled it with the timetable ``when``. ``run``: the latest run that started.
    ``skipped``: the latest one that did not start because another was still running. ``until``: when a running one
    counts as dead unless it is renewed. ``message``: the sentence with which it ended.
    """

    when: str = ""
    since: datetime | None = None
    run: str = ""
    state: str = ""
    started: datetime | None = None
    until: datetime | None = None
    ended: datetime | None = None
    succeeded: datetime | None = None
    message: str = ""
    skipped: str = ""


def run_id(entry: str, due: datetime) -> str:
    """Return the id of a run: the same however often it is published."""
    return f"{entry}@{due.astimezone(UTC).strftime(DUE_FORMAT)}"


def is_scheduled(id: str) -> bool:
    """Return True if beat published the run with this id, rather than somebody who asked for it."""
    return "@" in id


def due_of(run: str) -> datetime:
    """Return when a run was due."""
    return datetime.strptime(run.rpartition("@")[2], DUE_FORMAT).replace(tzinfo=UTC)


def begin_run(run: str, delivery: str, seconds: float) -> bool:
    """Start a run and return True, unless it has started already or another run of its entry is still running.

    ``delivery`` distinguishes a message that comes back after its worker died, which continues the run, from one that
    was published twice. If the run is not renewed within ``seconds``, it counts as dead.
    """
    answer = _call("begin", run, delivery, int(seconds * 1000)).decode()
    if answer == "running":
        logger.warning("%s is not started: the previous run is still running.", run)
    elif answer == "over":
        logger.info("%s is dropped: it has already run.", run)
    elif answer == "lost":
        logger.warning("%s starts; the previous run had gone silent and counts as dead.", run)
    return answer in ("begun", "again", "lost")


def renew_run(run: str, seconds: float) -> bool:
    """Keep a run alive for ``seconds`` more; False if it has ended or another has taken its place, so it must stop."""
    return bool(_call("renew", run, int(seconds * 1000)))


def end_run(run: str, succeeded: bool, message: str) -> bool:
    """Record how a run ended; False if it was not the running one. ``message`` must hold no personal data."""
    return bool(_call("end", run, "ok" if succeeded else "failed", message))


def plan_entry(entry: str, when: str) -> None:
    """Record that beat schedules this entry from now on, by the timetable ``when``.

    Raises:
        redis.ConnectionError: Redis cannot be reached.

    """
    get_redis().register_script(SCRIPT)([_key(entry)], ["plan", "", when])


def load_records(entries: Iterable[str]) -> list[EntryRecord]:
    """Return the records of these entries, in their order."""
    with get_redis().pipeline(transaction=False) as pipe:
        for entry in entries:
            pipe.hgetall(_key(entry))
        return [_record(found) for found in pipe.execute()]


def _record(found: dict[bytes, bytes]) -> EntryRecord:
    text = {name.decode(): value.decode() for name, value in found.items()}

    def moment(name: str) -> datetime | None:
        return datetime.fromtimestamp(int(text[name]) / 1000, UTC) if name in text else None

    return EntryRecord(
        when=text.get("when", ""),
        since=moment("since"),
        run=text.get("run", ""),
        state=text.get("state", ""),
        started=moment("started"),
        until=moment("until"),
        ended=moment("ended"),
        succeeded=moment("succeeded"),
        message=text.get("message", ""),
        skipped=text.get("skipped", ""),
    )


def _key(entry: str) -> str:
    return f"{KEY_PREFIX}schedule:{entry}"


@waits_for_redis
def _call(operation: str, run: str, *arguments: Any) -> Any:
    key = _key(run.rpartition("@")[0])
    return get_redis().register_script(SCRIPT)([key], [operation, run, *arguments])
