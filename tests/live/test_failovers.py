"""The primary is replaced under load, by wish and by kill -9: what is lost, what is doubled, and how soon it goes on.

With ``KLAVIYO_REDIS_REPLICAS=1`` nothing is lost. Without it a failover loses what no replica has had yet, and the
number is printed. `make test` does a little of it under Sentinels, `make soak` all of it, in a cluster too.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError

from schedules.sync import request_sync
from tasks.imports import import_profiles
from tasks.jobs import run_job
from tasks.metrics import get_metrics
from tasks.profiles import bulk_import_profiles, create_profile
from tasks.templates import create_template
from tests.live.copies import Copy, states
from tests.live.nodes import Cluster, Sentinels
from tests.live.publishing_to import publishing_to
from tests.live.system import ACCOUNTS, System, until
from tests.live.whereabouts import assert_nothing_lost, whereabouts
from tests.soak import SOAK, sized

FAILOVERS, WORKERS = sized(2, 20), sized(2, 4)

#: How many the sync has to copy, and how many rows the import has.
PROFILES, ROWS = sized(200, 2_000), sized(300, 3_000)

#: How many calls of an account wait for one window after the other.
BACKLOG = sized(60, 600)

#: Seconds of an idle machine after a promotion, within which a request comes in again.
GOES_ON = 5.0


class Load:
    """Somebody who publishes without a pause, and knows what he was told."""

    def __init__(self) -> None:
        self.profiles: dict[str, str] = {}
        self.templates: list[str] = []
        self.jobs: list[str] = []
        self.refused = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._publish)

    def _publish(self) -> None:
        for n in count():
            if self._over.wait(0.02):
                return
            alias = ACCOUNTS[n % 3]
            try:
                email = f"p{n}@example.com"
                self.profiles[create_profile.on(alias).delay(email=email).id] = email
                if n % 20 == 0:
                    # It must not be repeated, and has no window of a day, which would be full before the end.
                    made = create_template.on(alias).delay(name=f"template {n}", editor_type="CODE", html="<p>Hi</p>")
                    self.templates.append(made.id)
                if n % 100 == 0:
                    people = [{"email": f"j{n}-{each}@example.com"} for each in range(3)]
                    self.jobs.append(run_job(bulk_import_profiles).on(alias).delay(profiles=people).id)
            except OperationalError:
                self.refused += 1

    @property
    def published(self) -> list[str]:
        """Everything that it was told is safe."""
        return [*self.profiles, *self.templates, *self.jobs]

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.soak
@pytest.mark.parametrize("replicas", [1, 0] if SOAK else [1])
@pytest.mark.parametrize("kind", ["sentinel", "cluster"] if SOAK else ["sentinel"])
def test_failovers_under_load(server_binary, live_sandbox, no_process_is_left, tmp_path, store, capsys, kind, replicas):
    folder = tmp_path / "nodes"
    nodes = Sentinels(server_binary, folder) if kind == "sentinel" else Cluster(server_binary, folder, replicas=1)
    sandbox = live_sandbox
    sandbox.reset()
    sandbox.limits(steady=100_000)
    sandbox.limits(operation="get_metrics", steady=150)
    sandbox.seed(account="default", profiles=PROFILES)
    people = tmp_path / "people.csv"
    people.write_text("email\n" + "".join(f"row{n}@example.com\n" for n in range(ROWS)))
    try:
        with publishing_to(nodes, sandbox, tmp_path, REDIS_REPLICAS=replicas, STORE_URL=store.url) as system:
            _run(system, nodes, people, store, replicas, capsys)
    finally:
        nodes.close()


def _run(
    system: System,
    nodes: Sentinels | Cluster,
    people: Path,
    store: Copy,
    replicas: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sandbox = system.sandbox
    pauses: list[float] = []
    for _ in range(WORKERS):
        system.worker(REDIS_REPLICAS=replicas, STORE_URL=store.url, READ_TIMEOUT=2).ready()
    # Its windows are full all the time.
    backlog = [get_metrics.on(alias).delay().id for alias in ACCOUNTS for _ in range(BACKLOG)]
    request = request_sync("default", ["profiles"])
    imported: list[object] = []
    importer = threading.Thread(target=lambda: imported.append(import_profiles(str(people))))
    importer.start()
    with Load() as load:
        for number in range(FAILOVERS):
            until(nodes.ready, 30, "a replica in step, which all know of")
            arrived = sandbox.arrived()
            until(lambda: sandbox.arrived() > arrived + 30, 30, "work in full flow")  # noqa: B023
            promoted = nodes.fail_over(killed=number % 2 == 1)
            arrived = sandbox.arrived()
            until(lambda: sandbox.arrived() > arrived, GOES_ON, "work to go on")  # noqa: B023
            pauses.append(time.monotonic() - promoted)
    # As if the minutes had passed after which workers look after what has fallen silent.
    if looked_after := system.redis.zrange("klaviyo:overdue", 0, -1):
        system.redis.zadd("klaviyo:overdue", dict.fromkeys(looked_after, 0), xx=True)
    importer.join(120)

    def lost() -> list[str]:
        ended = system.ends(load.published)
        return [each for each in load.published if each not in ended]

    def at_rest() -> bool:
        return not whereabouts(system.redis, ()).all & {*lost()}

    # Where some are lost, a job may go on for longer.
    until(
        lambda: not lost() or (not replicas and at_rest()), 120, lambda: f"the end of all tasks, {len(lost())} are left"
    )
    missing = [each for each in lost() if not system.redis.exists(f"klaviyo:job:{each}")]
    doubled = 0
    for alias in ("default", *ACCOUNTS):
        there = sandbox.names("/api/templates", "name", alias)
        doubled += sum(times - 1 for times in there.values())
    with capsys.disabled():
        print(
            f"\n{FAILOVERS} failovers, {type(nodes).__name__}, {replicas=}: {len(load.published)} tasks, "
            f"{load.refused} refused, {len(missing)} lost, {doubled} doubled, {sandbox.throttled()} 429s; "
            f"went on after {max(pauses):.1f} s at most"
        )

    assert_nothing_lost(system.redis, backlog)
    assert doubled == 0
    assert sandbox.throttled() == 0
    if replicas:
        assert missing == []
        ends = system.ends(load.published)
        assert {ends[each].error for each in load.profiles} <= {None, "Conflict"}
        assert {ends[each].error for each in load.templates} <= {None, "OutcomeUnknown"}
        assert {each: ends[each].result for each in load.jobs if ends[each].error} == {}
    assert imported
    assert imported[0].landed == ROWS, imported
    until(lambda: set(states(system, request).values()) == {"done"}, 60, lambda: f"a sync: {states(system, request)}")
    assert len(store.rows("profiles")) >= PROFILES


def test_with_two_replicas_calls_are_taken_though_the_old_primary_stays_away(server_binary, live_sandbox, tmp_path):
    nodes = Sentinels(server_binary, tmp_path / "nodes", sentinels=1, replicas=2)
    try:
        with publishing_to(nodes, live_sandbox, tmp_path, REDIS_REPLICAS=1) as system:
            create_profile.delay(email="before@example.com")
            old = nodes.primary()
            old.kill()
            nodes.await_another(old)

            def taken() -> str | None:
                with suppress(OperationalError):
                    return str(create_profile.delay(email="after@example.com").id)
                return None

            assert until(taken, 10, "a call that is taken") in system.redis.hgetall("klaviyo:waiting")
            assert not old.answers()
    finally:
        nodes.close()
