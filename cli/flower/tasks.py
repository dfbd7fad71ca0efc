"""Flower's page of tasks: it has a row for each task that waits, one row for each job, and a reason in every row.

Flower knows what workers tell by events. No event tells of a task that waits in Redis, and one that Flower missed never
comes again. So here Flower reads the waiting lists itself, now and then and only their ends: this costs the workers
nothing, and a Flower that has just started sees at once what waits. The steps of a job, a sync or a collection are left
out of the list: the row that they work for shows how far it has come, and its page leads to them.

Whatever this replaces in Flower is in this module, and the tests fail if an upgrade changes it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

import flower.events
import orjson
import redis
from celery import states
from flower.utils.search import TaskSearchEngine

from cli.flower.waiting_notes import Blocked, earliest_time, explain_wait
from worker.account_and_lane import TASK_PREFIX
from worker.governor import KEY_PREFIX, get_governor
from worker.governor.backlog import LineBacklog, Waiting, read_backlog, read_waiting
from worker.message_headers import HEADER
from worker.pauses import holders
from worker.redis.connection import get_redis
from worker.redis.patience import asking_redis_once
from worker.telemetry.masking import HIDDEN, NO_ARGS

logger = logging.getLogger(__name__)

#: The state of a row whose task no worker has received yet.
WAITING = "WAITING"

#: What Flower's page of tasks shows unless its settings say more.
COLUMNS = "name,uuid,kwargs,state,result,received,runtime"

#: Seconds between two readings of what waits; after one that took long, the pause is `PAUSE_FACTOR` times as long.
INTERVAL_S, PAUSE_FACTOR = 2.0, 20

#: Lines that one reading covers, and tasks that it reads at each end of each of their lanes.
LINES_PER_READING, TASKS_PER_END = 200, 1_000

#: Tasks that are steps of something larger, whose last step has its id.
STEP = re.compile(
    rf"{re.escape(TASK_PREFIX)}"
    r"(?:job_\w+|collect_page|sync_page|sync_resume|sync_streams|report_page|learn_companies|note_company)"
)

#: The last step of a job, in the name of the job.
_JOB, _JOBS_END = f"{TASK_PREFIX}job", f"{TASK_PREFIX}job_collect"

#: A search for rows of tasks that wait, and the time at which a paused one may go.
_ONLY_WAITING, NEVER = re.compile(rf"(?:^|\s)state:{WAITING}(?:\s|$)", re.IGNORECASE), 9_999_999_999.0

#: States in which a task may be waiting in Redis.
_MAY_WAIT = frozenset({WAITING, states.PENDING, states.RETRY})

#: The counts in an event of a job's progress, in the order of a row.
_COUNTERS = ("total", "completed", "failed", "skipped")


class Search(TaskSearchEngine):  # type: ignore[misc]
    """Flower's index of what its list shows, without the steps of something larger."""

    def _index(self, task_id: str, task: Any) -> None:
        if not is_step(task):
            super()._index(task_id, task)

    def search(self, tasks: Any, query: str = "", **how: Any) -> Any:
        """Return the rows that match; if all of them wait, those sorted by "received" come in the order of their turns.

        No worker has received a waiting task yet, so that it has no such time.
        """
        if how.get("sort_by") == "received" and _ONLY_WAITING.search(query):
            how |= {"sort_by": "turn", "descending": not how.get("descending")}
        return super().search(tasks, query, **how)


def sort_key(moment: float, place: int) -> str:
    """Return what a waiting task is sorted by: when it may go (Unix time), and its place in its list."""
    return f"{moment:014.3f} {place:09}"


def is_step(task: Any) -> bool:
    """Return True if a row is a step of something that has a row of its own."""
    return bool(task.name and STEP.fullmatch(task.name) and task.root_id != task.uuid)


class State(flower.events.EventsState):  # type: ignore[misc]
    """What Flower knows of tasks: a job stays one row from its call to its end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.search_engine = Search()
        self.search_engine.rebuild(self.tasks.items())

    def event(self, event: dict[str, Any]) -> None:
        """Apply an event."""
        if event["type"].startswith("task-"):
            known = self.tasks.get(event["uuid"])
            if event.get("name") == _JOBS_END or (known is None and "job_state" in event):
                event = {**event, "name": _JOB}
                if known is not None and known.kwargs:
                    for name in ("args", "kwargs", "parent_id", "root_id"):
                        event.pop(name, None)
            if known is not None and known.state == WAITING:
                known.state = states.PENDING  # Celery orders its own states, and would take ours for a later one
        super().event(event)
        if event["type"] == "task-failed" and is_step(self.tasks[event["uuid"]]):
            # What it works for fails too, and is counted.
            self.counter[event["hostname"]]["task-failed"] -= 1

    def show_waiting(self, seen: WaitingChanges) -> None:
        """Add rows for the tasks that wait, and end that state for those that no longer do."""
        for id, event in seen.waiting.items():
            known = self.tasks.get(id)
            if event and (known is None or not known.name):
                before = known.state if known is not None else None
                self.event(event)
                if before == states.RETRY:
                    self._set_state(id, (states.PENDING,), before)
            self._set_state(id, (states.PENDING,), WAITING)
            if id in self.tasks:
                self.tasks[id].turn = seen.turns.get(id)
        for id in seen.gone:
            self._set_state(id, (WAITING,), states.REVOKED if id in seen.revoked else states.PENDING)

    def _set_state(self, id: str, before: tuple[str, ...], after: str) -> None:
        task = self.tasks.get(id)
        if task is not None and task.state in before:
            task.state = after
            self.search_engine.upsert(task)


@dataclass(frozen=True, slots=True)
class WaitingChanges:
    """What one reading has found.

    ``waiting``: for each task that waits, its event if the task is new in its list, else nothing. ``gone``: those that
    no longer wait. ``revoked``: those among them that were revoked. ``turns``: what those that wait are sorted by.
    """

    waiting: dict[str, dict[str, Any]]
    gone: set[str]
    revoked: set[str]
    turns: dict[str, str] = field(default_factory=dict)


class WaitingLists:
    """Reads what waits, again and again, and keeps the reasons. One thread writes; Flower's loop reads."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}
        self._by_line: dict[str, dict[str, str]] = {}
        self._next_line = 0

    def read(self, now: float) -> WaitingChanges:
        """Read the waiting lists at a moment (Unix time).

        Raises:
            redis.RedisError: Redis cannot be asked.

        """
        client, pauses = get_redis(), get_governor().paused()
        backlog = read_backlog(get_governor())
        blocked, paused = _blocked(client), {pause.what for pause in pauses}
        waiting: dict[str, dict[str, Any]] = {}
        turns: dict[str, str] = {}
        before, left = set(self.notes), self._by_line.keys() - {each.line for each in backlog}
        for name in left:
            del self._by_line[name]
        for line in self._next_lines(backlog):
            notes = self._by_line[line.line] = {}
            held = not holders(line.line, line.queue).isdisjoint(paused)
            for task in read_waiting(client, line, TASKS_PER_END, before):
                event = {} if task.id in before else read_message(task, now)
                if event is not None:
                    waiting[task.id] = event
                    notes[task.id] = explain_wait(task, line, blocked, pauses, now)
                    turns[task.id] = sort_key(NEVER if held else earliest_time(task, line, blocked, now), task.place)
        self.notes = {id: note for notes in self._by_line.values() for id, note in notes.items()}
        gone = before - self.notes.keys()
        return WaitingChanges(waiting, gone, _revoked(client, gone), turns)

    def _next_lines(self, lines: list[LineBacklog]) -> list[LineBacklog]:
        """Return the lines that this reading covers. If there are many, each reading takes the next ones."""
        lines.sort(key=lambda each: each.line)
        start = self._next_line if self._next_line < len(lines) else 0
        self._next_line = start + LINES_PER_READING
        return lines[start : start + LINES_PER_READING]


def _blocked(client: redis.Redis) -> Blocked:
    found: Any = client.hgetall(f"{KEY_PREFIX}blocked")
    reasons: Any = client.hgetall(f"{KEY_PREFIX}block_reasons")
    return {name.decode(): (int(float(at)) / 1000, reasons.get(name, b"").decode()) for name, at in found.items()}


def _revoked(client: redis.Redis, ids: Iterable[str]) -> set[str]:
    asked = list(ids)
    reasons: Any = client.mget([f"{KEY_PREFIX}revoked:{id}" for id in asked]) if asked else []
    return {id for id, reason in zip(asked, reasons, strict=True) if reason is not None}


def read_message(task: Waiting, now: float) -> dict[str, Any] | None:
    """Return the event of a waiting task, as its publisher would have sent it.

    None for a step, for a task that no longer waits, and for one that cannot be read. What a foreign publisher shows of
    the arguments is hidden.
    """
    try:
        headers = orjson.loads(task.message or b"")["headers"]
        name, ours = str(headers["task"]), isinstance(headers.get(HEADER), dict)
    except (ValueError, LookupError, TypeError):
        return None
    if STEP.fullmatch(name) and headers.get("root_id") != task.id:
        return None
    relations = {name: headers.get(name) for name in ("root_id", "parent_id") if headers.get(name)}
    since = headers[HEADER].get("since") if ours else None
    return {
        **relations,
        "type": "task-sent", "uuid": task.id, "name": name, "hostname": "waiting", "clock": 1,
        "timestamp": since or now, "local_received": now,
        "args": headers.get("argsrepr") if ours else NO_ARGS,
        "kwargs": headers.get("kwargsrepr") if ours else HIDDEN,
    }  # fmt: skip


def make_format(notes: Callable[[], Mapping[str, str]]) -> Callable[[Any], Any]:
    """Return Flower's formatter of rows: the result says why a task waits, how far it has come, or why it failed."""

    def format_task(task: Any) -> Any:
        note = notes().get(task.uuid)
        if note and task.state in _MAY_WAIT:
            task.result = note
        elif task.state in (states.FAILURE, states.RETRY, states.REJECTED):
            task.result = task.exception
        elif task.state not in states.ALL_STATES and not task.result:
            counts = ((name, getattr(task, name, None)) for name in _COUNTERS)
            task.result = ", ".join(f"{count:,} {name}" for name, count in counts if isinstance(count, int)) or None
        return task

    return format_task


def watch(lists: WaitingLists, show: Callable[[WaitingChanges], None]) -> threading.Thread:
    """Read, in a separate thread, what waits at the current Redis, again and again, and show it."""

    def run() -> None:
        while True:
            began, rest = time.monotonic(), 0.0
            try:
                with asking_redis_once():
                    show(lists.read(time.time()))
                rest = PAUSE_FACTOR * (time.monotonic() - began)
            except redis.RedisError as error:
                logger.debug("The waiting lists cannot be read (%s); trying again.", error)
            except Exception:
                logger.exception("The waiting tasks cannot be shown; trying again.")
            time.sleep(max(INTERVAL_S, rest))

    thread = threading.Thread(target=copy_context().run, args=(run,), name="waiting", daemon=True)
    thread.start()
    return thread
