"""The Klaviyo pages over HTTP: a Flower as an operator starts it, a real server, no worker, so that all waits."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from tasks.jobs.import_runs import get_runs
from tasks.jobs.ledger import get_ledger
from tasks.profiles import create_profile, get_profile
from tests.failing import fail, refused
from tests.live.flower import running_flower
from tests.live.system import until
from worker.api.jsonapi import Request
from worker.governor import get_governor

LOGIN = ("operator", "secret")
PERSON = "ada@example.com"
TABS = ("limits", "failures", "jobs", "imports", "syncs", "schedules", "accounts")


@pytest.fixture
def pages(system):
    """Flower below a prefix and behind a password; a client that knows both."""
    environment = system.environment(STORE_URL=f"sqlite:///{system.folder}/none.db")
    options = ["--url-prefix=ops", f"--basic-auth={':'.join(LOGIN)}"]
    with (
        running_flower(environment, system.folder / "flower.log", *options, prefix="/ops") as url,
        httpx.Client(base_url=url, auth=LOGIN, timeout=20) as client,
    ):
        yield client


def words(html):
    """The text of a page, each word apart."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_an_operator_with_flower_alone_sees_what_waits_where_and_why(system, pages):
    for _ in range(3):
        create_profile.on("a").delay(email=PERSON)
    get_profile.on("b", lane="bulk").delay(id="01H")
    ledger = get_ledger()
    ledger.open("a-job", "bulk_import_profiles", "a", Request("POST", "/api/x", {}, b"{}"), items=2)
    ledger.mark_sending("a-job", 60_000, "holder")
    ledger.accept("a-job", "klaviyos-id", True)
    ledger.keep_errors("a-job", 1, [{"index": 1, "detail": "<i>no</i>"}])
    get_runs().begin("a-run", "profiles", "a", "customers.csv", {"path": "customers.csv"})
    fail(create_profile, {"email": PERSON}, refused(), account="a", task_id="failed")
    get_governor().pause("account:a", "night-shift", "<b>the shop moves</b>", since=time.time())

    # Behind the login, in Flower's navigation bar and frame.
    assert pages.get("/klaviyo", auth=None).status_code == 401
    assert pages.get("/klaviyo/jobs/x", auth=None).status_code == 401
    # Prometheus has no password, neither for Flower's own metrics nor for ours.
    for path, metric in (("/metrics", "python_info"), ("/klaviyo/metrics", 'klaviyo_collector_up{part="limits"} 1.0')):
        until(lambda path=path, metric=metric: metric in pages.get(path, auth=None).text, 10, metric)
    assert 'href="/ops/klaviyo"' in pages.get("/workers").text
    # What titles count has been read before anything was there.
    for name, said in (("failures", "Failures 1 "), ("jobs", "klaviyos-id"), ("imports", "a-run")):
        until(lambda name=name, said=said: said in words(pages.get(f"/klaviyo/{name}").text), 10, name)
    found = {name: pages.get(f"/klaviyo/{name}") for name in TABS}
    assert {name: each.status_code for name, each in found.items()} == dict.fromkeys(TABS, 200)
    assert all('class="app-navbar' in each.text for each in found.values())
    assert pages.get("/klaviyo/nothing").status_code == 404

    # How many wait, for which account, and why.
    limits = words(found["limits"].text)
    assert "a create_profile L" in limits
    assert "0 of 750 a minute 3 - -" in limits
    assert "by night-shift: &lt;b&gt;the shop moves&lt;/b&gt;. To resume it, run klaviyo resume --account a" in limits
    assert "<b>the shop" not in found["limits"].text
    assert "no worker takes tasks of this tier" in limits
    assert "2 of 2" in limits
    only = words(pages.get("/klaviyo/limits", params={"search": "b: get", "part": "table"}).text)
    assert "1 of 2" in only
    assert "navbar" not in only

    # Which tasks these are, and that titles count what failed and what is paused.
    queue = pages.get(re.search(r'href="/ops(/klaviyo/waiting/a%3Acreate_profile\?lane=now)"', found["limits"].text)[1])
    assert queue.text.count("/task/") == 3
    assert "3 waiting, in the order in which they will be sent" in words(queue.text)
    assert re.search(r"Broker Klaviyo \d ", words(pages.get("/tasks").text))
    assert pages.get("/klaviyo/waiting/a%3Aget_lists").status_code == 404
    assert pages.get("/klaviyo/waiting/a%3Acreate_profile", params={"lane": "slow"}).status_code == 404

    # Which job failed for which record, and how far an import is.
    assert "import_profiles a accepted klaviyos-id 2" in words(found["jobs"].text)
    job = pages.get(re.search(r'href="/ops(/klaviyo/jobs/a-job)"', found["jobs"].text)[1])
    assert "&lt;i&gt;no&lt;/i&gt;" in job.text
    assert pages.get("/klaviyo/jobs/another").status_code == 404
    assert "a-run profiles a customers.csv running" in words(found["imports"].text)

    # What failed, and that it is repeated once by somebody who was shown the page, and by nobody else.
    group = re.search(r'href="/ops(/klaviyo/failures/[^"]+)"', found["failures"].text)[1]
    shown = pages.get(group)
    assert "Klaviyo answered 400: Invalid input" in words(shown.text)
    assert pages.post(group, data={"deed": "replay"}).status_code == 403
    token = re.search(r'name="_xsrf" value="([^"]+)"', shown.text)[1]
    assert pages.post(group, data={"deed": "replay", "_xsrf": token}, auth=None).status_code == 401
    assert pages.post(group, data={"deed": "burn", "_xsrf": token}).status_code == 400
    assert "1 task waits again." in words(pages.post(group, data={"deed": "replay", "_xsrf": token}).text)
    assert pages.get(group).status_code == 404
    assert "No failed task is kept." in until(
        lambda: (text := words(pages.get("/klaviyo/failures").text)) * ("No failed" in text), 10, "the list"
    )

    # What cannot be read is a sentence, beside the tabs that can.
    assert "run `klaviyo store`." in words(found["syncs"].text)
    assert "private key" in words(found["accounts"].text)

    # No script but the server's own, and what it asks for is there.
    html = found["limits"].text
    assert found["limits"].headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert not re.search(r"<script(?![^>]*\bsrc=\"/)|\son\w+=|\sstyle=|<style", html)
    for address in set(re.findall(r'(?:src|href)="/ops(/(?:klaviyo/)?static/[^"]+)"', html)):
        assert pages.get(address).status_code == 200, address

    # Flower's own broker page counts what waits in each tier.
    counted = {each["name"]: each for each in pages.get("/api/queues/length").json()["active_queues"]}
    assert sum(each["messages"] for each in counted.values()) == 5
    assert sum(each["messages_ready"] for each in counted.values()) == 0

    # Without Redis, what was read last stays, and a sentence says why it is old.
    system.server.stop()
    try:
        assert "Redis cannot be reached at" in words(pages.get("/klaviyo/jobs/a-job").text)
        gone = until(lambda: (text := words(pages.get("/klaviyo/limits").text)) * ("Redis cannot" in text), 10, "news")
        assert "create_profile" in gone
    finally:
        system.server.start_again()

    # Nothing of people's data.
    assert not any(PERSON in each.text for each in found.values())
