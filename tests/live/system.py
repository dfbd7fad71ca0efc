"""What the live tests drive: a real server, a real sandbox and real workers, each a process of its own.

Every process is ended by its own id. Nothing here sleeps for a guess of a time: `until` polls with a deadline.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import redis
from pydantic import SecretStr

from cli.up.embedded import start
from sandbox.front.windows import MINUTE_S, Bucket, phase_of
from sandbox.world import ACCOUNTS as SANDBOX_ACCOUNTS
from tests.live.forked import Forked, inherited
from tests.live.whereabouts import READY, Whereabouts, assert_nothing_lost, whereabouts
from worker.accounts.credentials import Account
from worker.tiers import DEFAULT_QUEUE, QUEUES

ROOT = Path(__file__).parents[2]
T = TypeVar("T")

KEY = "pk_sandbox_default"
ACCOUNTS = ("a", "b", "c")

#: What comes before the stacks of its threads in a worker's log, once it was sent SIGUSR1.
STACKS = "What each thread does:"

#: What a failure tells: lines of a worker's log, how much of each, and tasks.
LINES, WIDTH, TASKS = 8, 300, 8


#: Those whose workers have been started and not ended yet: a failure tells of them.
_at_work: list[System] = []

#: Within how many seconds from its beginning a minute counts as one that has just begun.
BEGINS_S = 1.0

#: By how much longer than on an idle machine a test waits at most.
MOST = 16


def crowding() -> float:
    """How much longer than on an idle machine anything takes now: as more wants to run than there are processors."""
    wanting = os.getloadavg()[0]  # of the last minute: who has just come is not in it yet
    with contextlib.suppress(OSError):
        wanting = max(wanting, float(Path("/proc/loadavg").read_text().split()[3].partition("/")[0]))
    return min(MOST, max(1.0, wanting / (os.cpu_count() or 1)))


def stretched(seconds: float) -> float:
    """So many seconds of an idle machine, as they are now."""
    return seconds * crowding()


def until(condition: Callable[[], T], seconds: float, what: str | Callable[[], str]) -> T:
    """The first true value of the condition; fails with a sentence when there is none in time, and tells what is seen.

    ``seconds`` are those of an idle machine.
    """
    __tracebackhide__ = True
    began = before = time.monotonic()
    spent = 0.0
    while True:
        if value := condition():
            return value
        now = time.monotonic()
        spent, before, waited = spent + (now - before) / crowding(), now, now - began
        if spent > seconds:
            said = f"not within {waited:.1f} s: {what if isinstance(what, str) else what()}"
            raise AssertionError("\n".join([said, *seen(but_for=said)]))
        # What has taken long is looked for less often: looking takes the time of those that are waited for.
        time.sleep(min(0.1, 0.02 + waited / 20))


def seen(but_for: str) -> list[str]:
    """Where tasks are and what workers have said last, but for what a failure has told already."""
    return [told for told in (system.told() for system in _at_work) if told.splitlines()[-1] not in but_for]


def last(text: str, most: int = LINES) -> str:
    """The last lines of a log, for a failure."""
    return "\n    ".join(line[:WIDTH] for line in text.splitlines()[-most:])


def over(process: subprocess.Popen[Any] | Forked, seconds: float) -> int:
    """The exit code of a process that has been told to end."""
    __tracebackhide__ = True
    until(lambda: process.poll() is not None, seconds, f"the end of process {process.args!r}")
    return int(process.returncode)


def end(process: subprocess.Popen[Any] | Forked, how: int = signal.SIGTERM, seconds: float = 15) -> int:
    """End one process by its id, with violence if it does not go by itself; returns its exit code."""
    __tracebackhide__ = True
    if process.poll() is None:
        process.send_signal(how)
    try:
        return over(process, seconds)
    except AssertionError:
        process.kill()
        process.wait(10)
        raise


def asked(app: Any, worker: str, command: str, **arguments: Any) -> Any:
    """What one worker answers to one command of remote control.

    Asked again where nothing comes: a worker hears such commands a moment after it has said that it is ready.
    """
    told = {"arguments": arguments, "destination": [worker], "reply": True, "limit": 1}
    for timeout in (1, 2, 4, 8, 16, 32):
        if replies := app.control.broadcast(command, timeout=timeout, **told):
            return replies[0][worker]
    raise AssertionError(f"worker {worker} has not answered to {command}")


class Server:
    """A Redis-compatible server on a private socket that can be killed and started again on the same data."""

    def __init__(self, binary: str, data: Path, socket: Path) -> None:
        self._binary, self._data, self.socket = binary, data, socket
        data.mkdir(parents=True, exist_ok=True)
        self._process = start(binary, data, socket)
        self.url = f"unix://{socket}?db=0"
        self.broker_url = f"redis+socket://{socket}?virtual_host=0"
        #: What an application on the stock transport needs beside the address.
        self.broker_options: dict[str, Any] = {}
        self.redis = self.connect()

    def connect(self) -> redis.Redis:
        # A test looks at what there is, however long the machine takes; the client's own patience is five seconds.
        return redis.Redis.from_url(self.url, decode_responses=True, socket_timeout=60)

    def stop(self, how: int = signal.SIGTERM) -> None:
        end(self._process, how)

    def signal(self, how: int) -> None:
        self._process.send_signal(how)

    def answers(self) -> bool:
        return self._process.poll() is None

    def start_again(self) -> None:
        # What a killed server leaves behind: start() would wait for an answer on a dead socket's file.
        self.socket.unlink(missing_ok=True)
        self._process = start(self._binary, self._data, self.socket)

    def close(self) -> None:
        self.redis.close()
        if self._process.poll() is None:
            end(self._process)


class Sandbox:
    """A local Klaviyo and its side door."""

    def __init__(self, log: Path, latency: str = "5-15") -> None:
        command = ["sandbox", "--port", "0", "--latency", latency, "--seed", "7"]
        self._process = Forked(command, inherited(), log)

        def address() -> str:
            assert self._process.poll() is None, f"the sandbox did not start: {log.read_text()}"
            line, end_of_line, _ = log.read_text().partition("\n")
            return end_of_line and line.removeprefix("sandbox: ")

        self.url = until(address, 20, "the sandbox")
        headers = {"revision": "2026-07-15", "authorization": f"Klaviyo-API-Key {KEY}"}
        self._seeds = itertools.count(8)
        self._http = httpx.Client(base_url=self.url, timeout=60, headers=headers)

    def _door(self, method: str, path: str, **given: Any) -> Any:
        options = {"params": given} if method == "GET" else {"json": given}
        answer = self._http.request(method, f"/_sandbox{path}", **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def reset(self, seed: int | None = None) -> None:
        """Forget everything. No id comes again: a ledger that was not emptied would take one job for another."""
        self._door("POST", "/reset", seed=next(self._seeds) if seed is None else seed)
        #: When records were made or changed last, by a test.
        self.touched = time.monotonic()

    def begin_minute(self, operation: str, account: str = "default") -> None:
        """Forget everything, and let the minute of this bucket begin now.

        Else it would end by chance while a test counts what has been let through within it.
        """
        bucket, now = Bucket(account, operation, ()), time.time()
        self.reset(next(seed for seed in self._seeds if (now - phase_of(seed, bucket, MINUTE_S)) % MINUTE_S < BEGINS_S))

    def fault(self, kind: str, *, operation: str | None = None, times: int | None = 1, **how: Any) -> None:
        """What becomes of the next requests. A fault that strikes so many times names the operation that it is meant
        for: a worker sends requests of its own, too, whenever it is time for them.
        """
        assert operation or times is None, f"which operation the fault {kind!r} is to strike"
        self._door("POST", "/faults", fault=kind, operation=operation, times=times, **how)

    def clear_faults(self) -> None:
        self._http.delete("/_sandbox/faults")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """It answers nobody until this is over, not even the test: what is asked meanwhile stays under way."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def jobs(self, **rule: Any) -> None:
        """What becomes of jobs from now on."""
        self._door("POST", "/jobs", **rule)

    def clear_jobs(self) -> None:
        self._http.delete("/_sandbox/jobs")

    def seed(self, **how: Any) -> None:
        """Sow an account with so many of everything."""
        self._door("POST", "/seed", **how)
        self.touched = time.monotonic()

    def trap(self, **how: Any) -> None:
        """Set one of the traps of incremental reading."""
        self._door("POST", "/traps", **how)
        self.touched = time.monotonic()

    def clear_traps(self) -> None:
        self._http.delete("/_sandbox/traps")
        self.touched = time.monotonic()

    def change(self, **how: Any) -> list[str]:
        """Change or delete records; the ids of those."""
        [ids] = self._door("POST", "/change", **how).values()
        self.touched = time.monotonic()
        return ids

    def rows(self, type: str, account: str = "default") -> dict[str, dict[str, Any]]:
        """Every resource of a type by its id, as the API shows it."""
        answer = self._http.get("/_sandbox/rows", params={"account": account, "type": type}, timeout=120)
        return {row["id"]: row for row in map(json.loads, answer.text.splitlines())}

    def limits(self, **how: Any) -> None:
        self._door("POST", "/limits", **how)

    def drain(self, **how: Any) -> None:
        self._door("POST", "/drain", **how)

    def drained(self) -> list[dict[str, Any]]:
        return self._door("GET", "/drain")

    def windows(self) -> dict[str, Any]:
        return self._door("GET", "/windows")

    def state(self, account: str = "default") -> dict[str, int]:
        return self._door("GET", "/state")[account]

    def arrived(self) -> int:
        """How many requests have come in, answered or not."""
        return self._door("GET", "/requests/counts")["requests"]

    def ledger(self, operation: str | None = None, account: str | None = None) -> list[dict[str, Any]]:
        """The requests that have ended, oldest first; unless it is asked for, not that by which a worker learns whose
        key it has.
        """
        given = {"operation": operation, "account": account}
        found = self._door("GET", "/requests", **{name: value for name, value in given.items() if value})
        return [each for each in found if operation or each["operation"] != "get_accounts"]

    def statuses(self, operation: str | None = None) -> list[int]:
        return [row["status"] for row in self.ledger(operation)]

    def throttled(self) -> int:
        return self._door("GET", "/requests/counts")["throttled"]

    def names(self, path: str, attribute: str, account: str = "default") -> Counter[str]:
        """Every value of an attribute in a listing, read to its last page behind the limits' back."""
        self.limits(off=True)
        found: Counter[str] = Counter()
        headers = {"authorization": f"Klaviyo-API-Key pk_sandbox_{account}"}
        url: str | None = path
        while url:
            page = self._http.get(url, headers=headers).json()
            found.update(each["attributes"][attribute] for each in page["data"])
            url = (page.get("links") or {}).get("next")
        self.limits(off=False)
        return found

    def close(self) -> None:
        self._http.close()
        end(self._process)


#: What every address of the tests' people, and every key of the sandbox, has in it.
PERSONAL = ("@example", "@reject.example", "@refused.example", "pk_sandbox")


def personal_lines(text: str) -> list[str]:
    """The lines that tell a key or a person's address: there must be none, whatever a test has done."""
    if not any(each in text for each in PERSONAL):
        return []
    return [line[:300] for line in text.splitlines() if any(each in line for each in PERSONAL)]


@dataclass
class Worker:
    """One worker process, as an operator starts it."""

    name: str
    environment: Mapping[str, str]
    log: Path
    redis: Any
    options: tuple[str, ...] = ()
    process: Forked = field(init=False)

    def __post_init__(self) -> None:
        command = ["celery", "-A", "worker", "worker", "-n", self.name, "--without-gossip"]
        self.process = Forked([*command, *(self.options or ("-l", "INFO"))], self.environment, self.log)

    def ready(self) -> Worker:
        """Wait until it has told the governor what it can take."""
        __tracebackhide__ = True

        def up() -> bool:
            __tracebackhide__ = True
            assert self.process.poll() is None, f"it should be ready\n{self.last()}"
            return (
                bool(self.redis.hexists("klaviyo:workers", f"{self.name}/{self.process.pid}"))
                and " ready." in self.text()
            )

        until(up, 20, lambda: f"a ready worker\n{self.last()}")
        return self

    def text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def last(self, most: int = LINES) -> str:
        """Whether it runs, and the last lines of its log, without the banner that lists every task."""
        text, code = self.text(), self.process.poll()
        lines = text[text.find("\n20") + 1 :] if "\n20" in text else text
        return f"{self.name} {'runs' if code is None else f'has ended with {code}'}:\n    {last(lines, most)}"

    def kill(self) -> None:
        """Kill -9."""
        end(self.process, signal.SIGKILL)

    def stop(self, seconds: float = 20, how: int = signal.SIGTERM) -> int:
        """A graceful end; ``how`` is 0 where it has been told to."""
        __tracebackhide__ = True
        self.process.send_signal(how)
        try:
            return over(self.process, seconds)
        except AssertionError as error:
            said = f"{error}\n{self.last()}"
            self.process.send_signal(signal.SIGUSR1)
            until(lambda: STACKS in self.text(), 5, lambda: f"where its threads are, after this: {said}")
            self.kill()
            raise AssertionError(f"{said}\n{self.text().partition(STACKS)[2]}") from None


@dataclass(frozen=True)
class End:
    """How a task ended, as the result backend has it."""

    status: str
    result: Any
    traceback: str | None

    @property
    def error(self) -> str | None:
        return self.result["exc_type"] if self.status == "FAILURE" else None

    @property
    def arguments(self) -> list[Any]:
        """What the exception was made of."""
        return self.result["exc_message"]


def failures(ends: Mapping[str, End]) -> dict[str, Any]:
    """What the tasks ended with that have not succeeded."""
    return {task_id: end.result for task_id, end in ends.items() if end.status != "SUCCESS"}


#: Settings of a worker that takes ten thousand rows, and has them answered, even on a busy machine.
PATIENT = {"MAX_ATTEMPTS": 10}

#: What workers say of themselves, what every process finds again by itself, and the companies.
KEPT = ("klaviyo:workers", "klaviyo:slots", "klaviyo:born", "klaviyo:companies")
#: The company of each key, as Redis knows it: a worker would ask Klaviyo, half a minute after its start in any test.
COMPANIES = {
    alias: f"{Account(alias, SecretStr(f'pk_sandbox_{alias}'), None).fingerprint}|{company}"
    for alias, company in SANDBOX_ACCOUNTS.items()
}
WAITING = ("klaviyo:now:", "klaviyo:bulk:", "klaviyo:later:")


@dataclass(eq=False)
class System:
    """Server, sandbox and workers as one."""

    server: Server
    sandbox: Sandbox
    folder: Path
    workers: list[Worker] = field(default_factory=list)

    @property
    def redis(self) -> Any:
        return self.server.redis

    def environment(self, **settings: Any) -> dict[str, str]:
        """What a process is started with: a clean environment, and the settings as ``KLAVIYO_…``."""
        mine = {
            "REDIS_URL": self.server.url,
            "BASE_URL": self.sandbox.url,
            "API_KEY": KEY,
            **{f"ACCOUNTS__{alias.upper()}__API_KEY": f"pk_sandbox_{alias}" for alias in ACCOUNTS},
            # A sandbox without a moment to spare is connected to as well; and a lease lasts as long as all timeouts.
            "CONNECT_TIMEOUT": 1,
            "READ_TIMEOUT": 5,
            "CONCURRENCY": 8,
            "BACKOFF_SECONDS": 0.05,
            "BACKOFF_MAX_SECONDS": 0.2,
            **settings,
        }
        # An answer takes as much longer as the machine is crowded: to be cut off is for the requests that hang.
        mine["READ_TIMEOUT"] = min(600, round(stretched(mine["READ_TIMEOUT"]), 2))
        return {**inherited(), **{f"KLAVIYO_{name}": str(value) for name, value in mine.items()}}

    def worker(self, *options: str, name: str = "", **settings: Any) -> Worker:
        """Start a worker; it may not be ready yet."""
        name = name or f"w{len(self.workers) + 1}@test"
        log = self.folder / f"{name}.log"
        worker = Worker(name, self.environment(**settings), log, self.redis, options)
        self.workers.append(worker)
        if self not in _at_work:
            _at_work.append(self)
        return worker

    def forget(self) -> None:
        """Empty the server under running workers, but for what they have said of themselves, and the sandbox."""
        self.sandbox.clear_faults()
        self.sandbox.clear_jobs()

        def at_rest() -> bool:
            if waiting := [key for key in self.redis.scan_iter("klaviyo:*") if key.startswith(WAITING)]:
                self.redis.delete(*waiting)
            return not self.redis.exists("klaviyo:unacked", DEFAULT_QUEUE, *QUEUES)

        until(at_rest, 10, "the end of what the workers have begun")
        gone = [key for key in self.redis.scan_iter() if key not in KEPT and not key.startswith("_kombu")]
        if gone:
            self.redis.delete(*gone)
        self.sandbox.reset()

    def lapse(self) -> None:
        """As if the times had passed after which dead workers' messages and leases count as given up.

        For a moment at which no worker lives: it would lose what it holds.
        """
        assert all(worker.process.poll() is not None for worker in self.workers), "a worker still holds its own"
        for deadlines in ("klaviyo:unacked_index", "klaviyo:claimed"):
            if held := self.redis.zrange(deadlines, 0, -1):
                self.redis.zadd(deadlines, dict.fromkeys(held, 0), xx=True)

    def stop_workers(self) -> None:
        """End every worker that still runs, all at once."""
        __tracebackhide__ = True
        if self in _at_work:
            _at_work.remove(self)
        running = [worker for worker in self.workers if worker.process.poll() is None]
        for worker in running:
            worker.process.terminate()
        for worker in running:
            # Told once: a second signal would end it at once.
            worker.stop(40, 0)
        told = {worker.name: lines for worker in self.workers if (lines := personal_lines(worker.text()))}
        self.workers.clear()
        assert told == {}, "a worker's log tells a key or a person's address"

    def story(self, ids: Iterable[str]) -> str:
        """What the workers' logs say of these tasks."""
        ids = list(ids)
        lines = sorted(line for worker in self.workers for line in worker.text().splitlines() if line[:2] == "20")
        return "\n".join(line for line in lines if any(each in line for each in ids))

    def status(self, task_id: str) -> str | None:
        meta = self.redis.get(f"celery-task-meta-{task_id}")
        return json.loads(meta)["status"] if meta else None

    def ends(self, ids: Iterable[str]) -> dict[str, End]:
        """The tasks among these that have ended, and how."""
        ids = list(ids)
        found = self.redis.mget([f"celery-task-meta-{each}" for each in ids]) if ids else []
        metas = {each: json.loads(meta) for each, meta in zip(ids, found, strict=True) if meta}
        return {
            each: End(meta["status"], meta["result"], meta["traceback"])
            for each, meta in metas.items()
            if meta["status"] in READY
        }

    def ended(self, ids: Collection[str], seconds: float = 20) -> dict[str, End]:
        """Wait until all of these tasks have ended."""
        __tracebackhide__ = True
        ids = list(ids)

        def all_ended() -> dict[str, End] | None:
            found = self.ends(ids)
            return found if len(found) == len(ids) else None

        return until(all_ended, seconds, lambda: f"the end of {len(ids)} tasks\n{self.told(ids)}")

    def reached(self, task_id: str, *statuses: str, seconds: float = 20) -> None:
        """Wait until a task has one of these statuses."""
        __tracebackhide__ = True

        def has_one() -> bool:
            return self.status(task_id) in statuses

        def but_it_is() -> str:
            status = self.status(task_id) or "PENDING"
            return f"task {task_id} as {' or '.join(statuses)}; it is {status}\n{self.told([task_id])}"

        until(has_one, seconds, but_it_is)

    def told(self, ids: Collection[str] = ()) -> str:
        """For a failure: where these tasks are, or all, that have not ended, and what the workers have said last."""
        try:
            places = whereabouts(self.redis, ids)
            left = [each for each in ids or sorted(places.all) if each not in places.done]
            tasks = [f"{each}: {places.of(each)}, {self.status(each) or 'PENDING'}" for each in left[:TASKS]]
            more = [f"and {len(left) - TASKS} more"] if len(left) > TASKS else []
            whole = [f"In all: {places}.", *tasks, *more]
        except (redis.RedisError, ValueError, LookupError, TypeError) as error:  # no Redis, or what is no message
            whole = [f"Where the tasks are cannot be read: {type(error).__name__}: {error}"]
        return "\n".join([*whole, *(worker.last() for worker in self.workers[-2:])])

    def places_at_rest(self, published: Collection[str]) -> Whereabouts:
        """Wait until no worker has anything to do, and return where these tasks are: each is somewhere."""
        __tracebackhide__ = True

        def at_rest() -> bool:
            places = whereabouts(self.redis, published)
            return not places.queued | places.unacked

        until(at_rest, 10, "workers that have nothing to do")
        return assert_nothing_lost(self.redis, published)

    def end_of(self, task_id: str, seconds: float = 20) -> End:
        __tracebackhide__ = True
        return self.ended([task_id], seconds)[task_id]
