"""One run of an entry at a time, each due time once: a lock in Redis that no crash leaves behind, and what it tells.

A run is a chain of tasks over hours, so no process holds its lock: the run does, and each of its steps renews it. What
is not renewed in time has died, and the next run takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from celery.utils.log import get_logger

from worker.connection import get_redis
from worker.governor import EVEN_IF_FULL, PREFIX
from worker.patience import patiently

logger = get_logger(__name__)

#: Carried out by workers: a run must be able to end though Redis be full.
SCRIPT = EVEN_IF_FULL + resources.files(__package__).joinpath("guard.lua").read_text("utf-8")

DUE = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of an entry; a moment is None where it has not come to that.

    ``since`` is when beat began to plan it with the timetable ``when``; ``run`` the run that began last, ``skipped``
    the last one that did not begin because another went on; ``until`` when a running one counts as dead unless it is
    heard of. ``told`` is the sentence with which it ended.
    """

    when: str = ""
    since: datetime | None = None
    run: str = ""
    state: str = ""
    started: datetime | None = None
    until: datetime | None = None
    ended: datetime | None = None
    succeeded: datetime | None = None
    told: str = ""
    skipped: str = ""


def run_id(entry: str, due: datetime) -> str:
    """The identity of a run: published twice, it is still the same one."""
    return f"{entry}@{due.astimezone(UTC).strftime(DUE)}"


def due_of(run: str) -> datetime:
    """When a run was due."""
    return datetime.strptime(run.rpartition("@")[2], DUE).replace(tzinfo=UTC)


def begin(run: str, delivery: str, seconds: float) -> bool:
    """Begin a run, unless its due time has been run or another run of its entry goes on.

    ``delivery`` tells the message that comes back after its worker died, and goes on, from one that was published
    twice. Nothing heard of the run for ``seconds`` means that it has died.
    """
    answer = _call("begin", run, delivery, int(seconds * 1000)).decode()
    if answer == "running":
        logger.warning("%s is not started: the run before it still goes on.", run)
    elif answer == "over":
        logger.info("%s is dropped: it has been run.", run)
    elif answer == "lost":
        logger.warning("%s begins; the run before it was not heard of any more.", run)
    return answer in ("begun", "again", "lost")


def renew(run: str, seconds: float) -> bool:
    """Go on for ``seconds``; False where the run has ended or another has taken its place, and must stop."""
    return bool(_call("renew", run, int(seconds * 1000)))


def end(run: str, succeeded: bool, told: str) -> bool:
    """Write down how a run ended; ``told`` holds nobody's data. False where it was not the one that goes on."""
    return bool(_call("end", run, "ok" if succeeded else "failed", told))


def plan(entry: str, when: str) -> None:
    """Beat plans this entry from now on.

    Raises:
        redis.ConnectionError: Redis is away.

    """
    get_redis().register_script(SCRIPT)([_key(entry)], ["plan", "", when])


def records(entries: Iterable[str]) -> list[Record]:
    """What is known of these entries."""
    with get_redis().pipeline(transaction=False) as pipe:
        for entry in entries:
            pipe.hgetall(_key(entry))
        return [_record(found) for found in pipe.execute()]


def _record(found: dict[bytes, bytes]) -> Record:
    text = {name.decode(): value.decode() for name, value in found.items()}

    def moment(name: str) -> datetime | None:
        return datetime.fromtimestamp(int(text[name]) / 1000, UTC) if name in text else None

    return Record(
        when=text.get("when", ""),
        since=moment("since"),
        run=text.get("run", ""),
        state=text.get("state", ""),
        started=moment("started"),
        until=moment("until"),
        ended=moment("ended"),
        succeeded=moment("succeeded"),
        told=text.get("told", ""),
        skipped=text.get("skipped", ""),
    )


def _key(entry: str) -> str:
    return f"{PREFIX}schedule:{entry}"


def _call(operation: str, run: str, *arguments: Any) -> Any:
    key = _key(run.rpartition("@")[0])
    return patiently(lambda: get_redis().register_script(SCRIPT)([key], [operation, run, *arguments]))
