"""Calls that travel in one request beside the same calls, each alone: how many a full minute takes, and what they cost.

    python -m benchmarks.traveling [--only create_event,get_profile,add_profiles_to_list]     "" for no full minutes

One account with exact limits, 10–60 ms each way, one worker, and more calls waiting than a minute takes. Counted are
the calls that have ended within the minute from the first request, the requests that carried several, and the CPU of
the worker and of Redis meanwhile. First: what publishing costs, one by one and many at once, and how long an idle call
takes to its request, where calls may travel together and, call by call in turn, where KLAVIYO_TOGETHER is off.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import httpx
import psutil
import redis
from rich.console import Console
from rich.table import Table

from benchmarks.overhead import arrivals
from benchmarks.processes import cpu_seconds, listening, process, redis_server, workers

QUEUES = "klaviyo.xs,klaviyo.s,klaviyo.m,klaviyo.l,klaviyo.xl"

#: Seconds of a minute after which its calls are counted: what was sent in it has ended by then.
COUNTED_S = 59.0

#: Seconds after the last request that a minute permits, within which its call has ended.
ENDING_S = 2.0

#: Results that are counted in one round trip.
KEYS_PER_COUNT = 5_000

#: Calls that are published to see how fast that is, and how often.
CALLS_PER_ROUND, ROUNDS = 10_000, 5

#: Idle calls of each side, after some that load and connect, and the seconds between two.
IDLE_CALLS, FIRST_CALLS, PAUSE_S = 600, 30, 0.03


@dataclass(frozen=True)
class Known:
    """What there is at Klaviyo: profiles, and a list."""

    profiles: Sequence[str]
    lists: Sequence[str]


@dataclass(frozen=True)
class Kind:
    """Calls of one kind: the nth call's parameters, their own limit a minute, the action that carries them and its.

    ``alone`` and ``together`` are more than a minute takes of them, ``gain`` is how many times as many it has to take.
    """

    name: str
    call: Callable[[int, Known], Mapping[str, Any]]
    limit: int
    carrier: str
    requests: int
    alone: int
    together: int
    gain: int


def order(number: int, known: Known | None = None) -> dict[str, Any]:
    """An event."""
    who = {"email": f"p{number % 1_000}@example.com"}
    return {"metric": "Placed Order", "profile": who, "value": 9.99, "properties": {"OrderId": number, "Items": ["a"]}}


def one_profile(number: int, known: Known) -> dict[str, Any]:
    """A profile by its id."""
    return {"id": known.profiles[number % len(known.profiles)]}


def one_member(number: int, known: Known) -> dict[str, Any]:
    """A profile that joins a list."""
    return {"list_id": known.lists[0], "profile_ids": [known.profiles[number % len(known.profiles)]]}


KINDS = (
    Kind("create_event", order, 3_500, "bulk_create_events", 150, 4_500, 165_000, 40),
    Kind("get_profile", one_profile, 750, "get_profiles", 750, 1_200, 80_000, 60),
    Kind("add_profiles_to_list", one_member, 150, "add_profiles_to_list", 150, 400, 155_000, 90),
)
#: How many times as many calls a minute has to take, by action.
GAINS = {kind.name: kind.gain for kind in KINDS}


@dataclass(frozen=True)
class Minute:
    """What a minute took: calls that ended, use of the carrying requests' window, 429s, CPU µs for a call."""

    calls: int
    use: float
    refused: int
    worker: float
    redis: float


def measure_minute(kind: Kind, together: bool, base: str, url: str) -> Minute:
    """One side of a comparison."""
    from worker.action import ACTIONS

    httpx.post(f"{base}/_sandbox/reset", json={"seed": 11}, timeout=60).raise_for_status()
    door = httpx.Client(base_url=base, timeout=60)
    door.post("/_sandbox/seed", json={"account": "default", "profiles": 1_000, "lists": 1}).raise_for_status()
    known = Known(*(_ids(door, kind) for kind in ("profile", "list")))
    client = redis.Redis.from_url(url)
    client.flushall()
    action: Any = ACTIONS[kind.name]
    number = kind.together if together else kind.alone
    results = action.delay_many(kind.call(each, known) for each in range(number))
    keys = [f"celery-task-meta-{each.id}" for each in results]
    server = psutil.Process(int(client.info("server")["process_id"]))
    on = "on" if together else "off"
    with workers(1, "benchmarks.measured", url, "-Q", QUEUES, KLAVIYO_BASE_URL=base, KLAVIYO_TOGETHER=on) as pids:
        worker = psutil.Process(pids[0])
        while not _count_requests(door):
            time.sleep(0.01)
        began, spent, asked = time.monotonic(), cpu_seconds(worker), cpu_seconds(server)
        if together:
            time.sleep(COUNTED_S)
        else:
            # Alone, nothing more happens in the minute once its limit is used up.
            while _count_requests(door) < kind.limit and time.monotonic() < began + COUNTED_S - ENDING_S:
                time.sleep(0.5)
            time.sleep(ENDING_S)
        spent, asked = cpu_seconds(worker) - spent, cpu_seconds(server) - asked
        ended = sum(client.exists(*keys[start : start + KEYS_PER_COUNT]) for start in range(0, number, KEYS_PER_COUNT))
        assert time.monotonic() < began + COUNTED_S + 5, "counting took too long"
        counts = door.get("/_sandbox/requests/counts").json()
        carried = sum(counts["by_operation"]["default"].get(kind.carrier, {}).values())
    client.flushall()
    client.close()
    return Minute(ended, carried / kind.requests, counts["throttled"], spent / ended * 1e6, asked / ended * 1e6)


def _count_requests(door: httpx.Client) -> int:
    found: int = door.get("/_sandbox/requests/counts").json()["requests"]
    return found


def _ids(door: httpx.Client, type: str) -> list[str]:
    answer = door.get("/_sandbox/rows", params={"account": "default", "type": type})
    return [json.loads(line)["id"] for line in answer.text.splitlines()]


def measure_publishing() -> dict[str, tuple[float, float]]:
    """Seconds by the clock and of CPU for a call: a plain Celery task's, ours, and ours many at once. In turns."""
    from benchmarks.plain import bench
    from tasks.events import create_event

    bench.typing = False  # it would take no parameters of an event
    calls = [order(number) for number in range(CALLS_PER_ROUND)]
    ways: dict[str, Callable[[Sequence[dict[str, Any]]], object]] = {
        "a plain Celery task, .delay()": lambda some: [bench.delay(**each) for each in some],
        "create_event.delay()": lambda some: [create_event.delay(**each) for each in some],
        "create_event.delay_many()": create_event.delay_many,
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, publish in ways.items():
            some = calls if publish == create_event.delay_many else calls[: CALLS_PER_ROUND // 5]
            began, spent = time.perf_counter(), time.process_time()
            publish(some)
            seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - spent
            found[name].append((seconds / len(some), cpu_seconds / len(some)))
    # The first round loads and connects.
    return {name: (min(wall for wall, _ in each[1:]), min(cpu for _, cpu in each[1:])) for name, each in found.items()}


@contextlib.contextmanager
def start_caller(together: str) -> Iterator[tuple[IO[str], str]]:
    """An application with a worker, a Redis and a server of its own; what makes it call, and the server's address."""
    with (
        redis_server() as url,
        listening("benchmarks.free_server") as base,
        workers(1, "benchmarks.measured", url, "-Q", QUEUES, KLAVIYO_BASE_URL=base, KLAVIYO_TOGETHER=together),
        process("benchmarks.caller", KLAVIYO_REDIS_URL=url, KLAVIYO_TOGETHER=together) as started,
    ):
        assert started.stdin is not None
        yield started.stdin, base


def time_idle_calls() -> dict[str, list[float]]:
    """Milliseconds from an idle call to its request, where calls may travel together and where they may not."""
    rng = random.Random(7)
    with start_caller("on") as on, start_caller("off") as off:
        for _ in range(FIRST_CALLS + IDLE_CALLS):
            for lines, _ in rng.sample([on, off], 2):
                lines.write("\n")
                lines.flush()
                time.sleep(PAUSE_S)
        return {name: _read_waits(base) for name, (_, base) in {"on": on, "off": off}.items()}


def _read_waits(base: str) -> list[float]:
    """Of each call in its order, once all have arrived."""
    until = time.monotonic() + 60
    while len(found := sorted((asked, at) for at, asked in arrivals(base) if asked)) < FIRST_CALLS + IDLE_CALLS:
        assert time.monotonic() < until, f"only {len(found)} requests have arrived"
        time.sleep(0.2)
    return [(at - asked) * 1000 for asked, at in found[FIRST_CALLS:]]


def wait_table(found: Mapping[str, Sequence[float]]) -> Table:
    """How long idle calls took to become requests."""
    table = Table(title="Idle: from .delay() to the request, ms")
    for column in ("KLAVIYO_TOGETHER", "p50", "on ÷ off", "p99", "on ÷ off"):
        table.add_column(column, justify="left" if column == "KLAVIYO_TOGETHER" else "right")
    cuts = {name: statistics.quantiles(values, n=100) for name, values in found.items()}
    for name, each in cuts.items():
        ratios = [f"{each[at] / cuts['off'][at]:.2f}" if name == "on" else "" for at in (49, 98)]
        table.add_row(name, f"{each[49]:.2f}", ratios[0], f"{each[98]:.2f}", ratios[1])
    return table


def minute_table(found: Mapping[str, tuple[Minute, Minute]]) -> Table:
    """The minutes, a row each."""
    table = Table(title="One account, one worker: calls that ended in a full minute, together and alone")
    columns = ("", "together", "alone", "×", "window used", "429s", "worker µs a call", "÷", "Redis µs a call", "÷")
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    for name, (together, alone) in found.items():
        table.add_row(
            f"{name} (≥ {GAINS[name]} ×)", f"{together.calls:,}", f"{alone.calls:,}",
            f"{together.calls / alone.calls:.1f}",
            f"{together.use:.1%}", f"{together.refused + alone.refused}",
            f"{together.worker:.0f} / {alone.worker:.0f}", f"{alone.worker / together.worker:.1f}",
            f"{together.redis:.0f} / {alone.redis:.0f}", f"{alone.redis / together.redis:.1f}",
        )  # fmt: skip
    return table


def publishing_table(found: Mapping[str, tuple[float, float]]) -> Table:
    """How fast calls are published, and what one costs the process that does."""
    table = Table(title="Publishing calls: the best round of each")
    for column in ("", "calls/s", "× plain", "CPU µs a call", "plain ÷"):
        table.add_column(column, justify="right" if column else "left")
    plain, spent = next(iter(found.values()))
    for name, (wall, own) in found.items():
        table.add_row(name, f"{1 / wall:,.0f}", f"{plain / wall:.1f}", f"{own * 1e6:.0f}", f"{spent / own:.1f}")
    return table


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(kind.name for kind in KINDS))
    options = parser.parse_args()
    console, found = Console(width=128), {}
    with redis_server() as url, listening("sandbox", "--port", "0", "--latency", "10-60", "--seed", "7") as base:
        os.environ.update(KLAVIYO_REDIS_URL=url, KLAVIYO_BASE_URL=base, KLAVIYO_API_KEY="pk_sandbox_default")
        import tasks.registry  # noqa: F401 (registers the actions)

        publishing, waiting = publishing_table(measure_publishing()), wait_table(time_idle_calls())
        for table in (publishing, waiting):
            console.print(table)
        for kind in KINDS:
            if kind.name in options.only.split(","):
                found[kind.name] = measure_minute(kind, True, base, url), measure_minute(kind, False, base, url)
                console.print(minute_table({kind.name: found[kind.name]}))
    for table in (publishing, waiting, *([minute_table(found)] if found else [])):
        console.print(table)


if __name__ == "__main__":
    main()
