"""A real Prometheus that reads Flower and a worker: each alert fires for a real fault, and each query has an answer."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from datetime import datetime, timedelta

import pytest

from schedules.clock import redis_time
from schedules.entries import scheduled_entries
from schedules.entry_runs import begin_run, end_run, plan_entry, run_id
from schedules.sync import request_sync
from tasks.events import create_event
from tasks.images import get_images
from tasks.jobs import run_job
from tasks.jobs.import_runs import get_runs
from tasks.lists import create_list, get_lists
from tasks.metrics import get_metrics
from tasks.profiles import bulk_import_profiles
from tasks.segments import get_segments
from tasks.webhooks import get_webhooks
from tests.conftest import missing
from tests.live.fetch import get
from tests.live.forked import Forked
from tests.live.prometheus import DASHBOARD, DEPLOY, RULES, Prometheus, asked, configuration
from tests.live.system import end, stretched, until
from tests.ports import free_port
from worker.governor import get_governor
from worker.settings import get_settings
from worker.tiers import DEFAULT_QUEUE, Tier

PERSON = "ada@example.com"

#: The hours and days of the rules, which a test does not wait for.
SHORTENED = {
    '{cause="operator"} > 86400': '{cause="operator"} > 3600',
    '{lane="now"}) > 900': '{lane="now"}) > 1',
    "> 21600": "> 1",
    "first_failure_timestamp_seconds > 86400": "first_failure_timestamp_seconds > 1",
    "klaviyo_import_silent_seconds > 300": "klaviyo_import_silent_seconds > 1",
    "> 129600": "> 1",
    "/ 86400 < 90": "/ 86400 < 9000",
}

#: The alerts of a system that cannot tell of the others any more.
LATER = ("KlaviyoNoWorkers", "KlaviyoTooFewWorkers", "KlaviyoRedisFull", "KlaviyoStoreUnreadable")
LAST = ("KlaviyoRedisUnreachable", "KlaviyoMetricsMissing")


def hurried(rules):
    """The rules as deployed, for faults that last seconds."""
    for long, short in SHORTENED.items():
        assert rules.count(long) == 1, long
        rules = rules.replace(long, short)
    rules = re.sub(r"\[\d+m\]", "[5s]", re.sub(r"offset \d+m", "offset 5s", rules))
    return re.sub(r"^( *for:) \d+m$", r"\1 0s", rules, flags=re.MULTILINE)


@pytest.fixture
def watched(system, store):
    """A worker that serves metrics, and a Flower and a Prometheus that an operator would have."""
    if not shutil.which("prometheus"):
        missing("This test needs prometheus: install Debian's package of that name")
    flower, worker = free_port(), free_port()
    known = {"STORE_URL": store.url, "MAX_ATTEMPTS": 2, "CONCURRENCY": 32}
    # No worker takes the tasks of tier XL.
    served = ",".join([DEFAULT_QUEUE, *(tier.queue for tier in Tier if tier is not Tier.XL)])
    system.worker("-l", "INFO", "-Q", served, METRICS_PORT=worker, **known)
    command = ["celery", "-A", "worker", "flower", f"--port={flower}"]
    process = Forked(
        [*command, f"--conf={DEPLOY / 'flower' / 'flowerconfig.py'}"],
        system.environment(**known),
        system.folder / "flower.log",
    )
    prometheus = Prometheus(system.folder / "prometheus", configuration(flower, worker, "500ms"), hurried(RULES))
    system.workers[0].ready()
    # Before its first scrape, everything is missing.
    missed = 'sum(up) < 3 or absent(up) or ALERTS{alertname="KlaviyoMetricsMissing"}'
    until(lambda: not prometheus.query(missed), 20, "the first scrape of each endpoint")
    yield prometheus, process, [f"http://127.0.0.1:{flower}/klaviyo/metrics", f"http://127.0.0.1:{worker}/metrics"]
    prometheus.close()
    end(process)


def break_requests(system):
    """No answer, refusals, limits that are not ours, and a program that eats another bucket."""
    sandbox = system.sandbox
    # Into a window of which nothing is known, one request goes alone.
    system.end_of(get_metrics.on("a").delay().id)
    sandbox.drain(account="b", operation="get_images", per_second=40)
    sandbox.fault("status", status=503, operation="get_lists", account="a", times=None)
    sandbox.fault("status", status=401, account="c", times=None)
    sandbox.fault("cut_after_commit", operation="create_list", times=1)
    sandbox.fault("throttle", retry_after=3_600, operation="get_segments", times=1)
    sandbox.limits(account="a", operation="get_metrics", steady=4)
    # The others have told the lower limit when these four are counted.
    sandbox.fault("latency", seconds=stretched(0.7), operation="get_metrics", account="a", times=4)
    for _ in range(8):
        get_metrics.on("a").delay()
    get_lists.on("c").delay()
    create_list.delay(name="News")
    get_segments.on("a").delay()


def break_jobs(sandbox):
    """A job without end, one that Klaviyo refuses, and an import that nobody reads on."""
    sandbox.jobs(seconds=3_600, type="profile-bulk-import-job", times=None)
    sandbox.fault("status", status=400, operation="bulk_import_profiles", account="b", times=1)
    for account in ("b", "default"):
        run_job(bulk_import_profiles).on(account).delay(profiles=[{"email": PERSON}])
    get_runs().begin("a-run", "profiles", "a", "customers.csv", {"path": "customers.csv"})


def break_schedules(redis):
    """A beat that is gone since yesterday, and a run that failed."""
    late, failed, well = [each.name for each in scheduled_entries(get_settings()) if each.crontab][:3]
    plan_entry(late, "0 0 * * *")
    redis.hset(f"klaviyo:schedule:{late}", "since", int((time.time() - 2 * 86_400) * 1_000))
    due: datetime = redis_time() + timedelta(days=1)
    for name in (failed, well):
        assert begin_run(run_id(name, due), "a delivery", 60)
        assert end_run(run_id(name, due), name == well, "")


def pause_and_forget():
    get_governor().pause("action:create_event", "night-shift", "the shop moves", since=time.time() - 7_200)
    create_event.on("a").delay(metric="Placed Order", profile={"email": PERSON})


def test_each_alert_fires_for_its_fault_and_the_dashboard_has_an_answer_to_each_query(system, store, watched):
    prometheus, flower, endpoints = watched
    alerts = set(re.findall(r"- alert: (\w+)", RULES))
    system.redis.config_set("maxmemory", 10**9)
    break_requests(system)
    break_jobs(system.sandbox)
    break_schedules(system.redis)
    pause_and_forget()
    request_sync("b", ["profiles"])

    seen = 0.0

    def all_but_the_later():
        # An outage lasts, and what others use is told by the headers of an answer: once for each scrape.
        nonlocal seen
        if time.monotonic() > seen + 0.5:
            for task in (get_images.on("b"), get_lists.on("a")):
                task.delay()
            seen = time.monotonic()
        return alerts - {*LATER, *LAST} <= prometheus.firing()

    until(all_but_the_later, 40, lambda: f"{alerts - {*LATER, *LAST} - prometheus.fired}\n{get(endpoints[1]).text}")
    assert not prometheus.fired & {
        "KlaviyoRedisUnreachable",
        "KlaviyoNoWorkers",
        "KlaviyoRedisFull",
        "KlaviyoStoreUnreadable",
    }

    # There is data for each query of the dashboard; for one of them once a beat holds its lock.
    system.redis.set("klaviyo:redbeat:lock", "a beat", px=60_000)
    left = {query for panel in DASHBOARD["panels"] for query in asked(panel)}

    def all_answered():
        # Not at one moment: on a busy machine, Prometheus misses a scrape now and then.
        left.difference_update([each for each in left if prometheus.query(each)])
        return not left

    until(all_answered, 10, lambda: f"data for {left}")

    # Names as Prometheus wants them; nothing of people's data, and no key.
    texts = [get(endpoint).text for endpoint in endpoints]
    for text in texts:
        subprocess.run(["promtool", "check", "metrics"], input=text, text=True, check=True)
    assert not re.search(rf"{PERSON}|pk_sandbox|night-shift|shop moves|customers\.csv", "".join(texts))

    # No worker, no room, no store.
    system.workers[0].stop()
    get_webhooks.on("a").delay()
    system.redis.config_set("maxmemory", int(system.redis.info("memory")["used_memory"] * 1.05))
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE watermarks")
    until(lambda: prometheus.firing() >= {*LATER}, 20, lambda: str({*LATER} - prometheus.fired))
    system.redis.config_set("maxmemory", 0)

    # No Redis, and then no Flower.
    system.server.stop()
    try:
        until(lambda: "KlaviyoRedisUnreachable" in prometheus.firing(), 20, "the news that Redis is away")
    finally:
        system.server.start_again()
    prometheus.fired.discard("KlaviyoMetricsMissing")
    flower.kill()
    until(lambda: prometheus.firing() == alerts, 20, lambda: str(alerts - prometheus.fired))
