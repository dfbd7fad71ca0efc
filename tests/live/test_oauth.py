"""Many OAuth accounts whose tokens expire together, workers that die meanwhile, and what nobody may see of it."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from dataclasses import replace

import psutil
import pytest
from pydantic import SecretStr

from tasks.lists import get_lists
from tests.live.fetch import get
from tests.live.system import failures, until
from tests.soak import sized
from worker.accounts.credentials import Grant
from worker.accounts.stored import AccountStore
from worker.one_per_process import forget
from worker.redis.address import parse
from worker.redis.connection import client_of

SHOPS, WORKERS, KILLS = sized(8, 1_000), sized(2, 4), sized(0, 3)
SECRET_KEY = "a-key-of-which-nobody-may-see-a-word"
OAUTH = {"SECRET_KEY": SECRET_KEY, "CLIENT_ID": "sandbox-app", "CLIENT_SECRET": "sandbox-secret"}
SECRETS = re.compile(rf"\bat_[0-9a-f]{{40}}|rt_sandbox_\w+|sandbox-secret|pk_stored_\w+|{SECRET_KEY}")


@pytest.fixture
def store(system, monkeypatch):
    """The stored accounts of this test's server; this process may encrypt them, too."""
    for name, value in OAUTH.items():
        monkeypatch.setenv(f"KLAVIYO_{name}", value)
    forget()
    client = client_of(parse(system.server.url))
    yield AccountStore(lambda: client)
    client.close()
    forget()


def install(system, store, number):
    """An account that has installed the application; its token expires within this minute."""
    alias, now = f"shop{number}", time.time()
    system.sandbox._door("POST", "/accounts", alias=alias, key=f"pk_{alias}", company_id=f"C{number:05}")
    tokens = SecretStr("at_expired"), SecretStr(f"rt_sandbox_{alias}")
    store.change(alias, grant=Grant(alias, *tokens, now - 3_600, now + 2 + number % 30, frozenset({"lists:read"})))
    return alias


def refreshes(system):
    return Counter(row["account"] for row in system.sandbox.ledger("oauth_token") if row["status"] == 200)


@pytest.mark.soak
def test_tokens_that_expire_together_are_refreshed_once_each_although_workers_die(system, store):
    shops = [install(system, store, number) for number in range(SHOPS)]
    workers = [system.worker(**OAUTH).ready() for _ in range(WORKERS)]

    ids = [get_lists.on(shop).delay().id for _ in range(2) for shop in shops]
    for number in range(KILLS):
        share = SHOPS * (number + 1) // (KILLS + 2)
        until(lambda share=share: len(refreshes(system)) >= share, 120, "refreshed tokens")
        workers.pop(0).kill()
        workers.append(system.worker(**OAUTH).ready())
    ends = system.ended(ids, 60 + SHOPS / 5)

    asked = refreshes(system)
    assert failures(ends) == {}
    assert set(asked) == set(shops)
    # What a killed worker had not stored yet was asked for once more.
    assert max(asked.values()) <= 1 + KILLS
    assert sum(asked.values()) <= SHOPS + KILLS * 8


@pytest.mark.soak
def test_many_tasks_that_meet_an_expired_token_refresh_it_once(system, store):
    alias = install(system, store, 1)
    expired = store.read(alias).grant
    store.change(alias, grant=replace(expired, expires=time.time() - 1))
    ids = [get_lists.on(alias).delay().id for _ in range(sized(40, 1_000))]

    for _ in range(WORKERS):
        system.worker(**OAUTH)
    ends = system.ended(ids, 150)

    assert failures(ends) == {}
    assert refreshes(system) == {alias: 1}


def contents(client):
    """Everything that Redis holds, as text."""
    read = {
        b"string": client.get, b"hash": client.hgetall, b"set": client.smembers,
        b"list": lambda key: client.lrange(key, 0, -1), b"zset": lambda key: client.zrange(key, 0, -1),
    }  # fmt: skip
    return "\n".join(f"{key} {read[client.type(key)](key)}" for key in client.scan_iter())


def test_no_secret_is_told_anywhere(system, store, events, flower):
    """In Redis, logs, events, Flower's pages, results, a message and the list of processes."""
    alias = install(system, store, 1)
    store.change("stored", api_key=SecretStr("pk_stored_wrong"))
    gone = install(system, store, 2)
    system.sandbox._door("POST", "/tokens", account=gone, drop="refresh")
    system.sandbox.fault("cut_after_commit", operation="oauth_token", account=alias)
    worker = system.worker("-l", "DEBUG", **OAUTH).ready()

    done = get_lists.on(alias).delay().id
    waiting = [get_lists.on("stored").delay().id, get_lists.on(gone).delay().id]
    ended = system.end_of(done, 40)
    until(lambda: system.redis.hlen("klaviyo:paused") == 2, 30, "both accounts to be paused")
    until(lambda: "klaviyo accounts authorize" in worker.text(), 10, "what is to be done about one of them")
    raw = client_of(parse(system.server.url))
    page = get(f"{flower}/klaviyo/accounts").text
    told = {
        "Redis": contents(raw),
        "the worker's log": worker.text(),
        "an event": "\n".join(map(str, events)),
        "Flower": page + "".join(get(f"{flower}/task/{each}").text for each in (done, *waiting)),
        "Flower's log": (system.folder / "flower.log").read_text(),
        "a result": json.dumps([str(ended), *(str(raw.get(f"celery-task-meta-{each}")) for each in waiting)]),
        "a message": str([raw.hget("klaviyo:waiting", each) for each in waiting]),
        "the list of processes": "\n".join(
            " ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])
        ),
    }
    raw.close()

    assert ended.status == "SUCCESS"
    assert {place: found[:3] for place, text in told.items() if (found := SECRETS.findall(text))} == {}


def test_running_workers_take_accounts_that_are_added_changed_and_removed(system, store):
    system.worker(**OAUTH).ready()
    system.sandbox._door("POST", "/accounts", alias="late", key="pk_late", company_id="LATE01")
    store.change("late", api_key=SecretStr("pk_wrong"))

    waits = get_lists.on("late").delay().id
    until(lambda: system.redis.hexists("klaviyo:paused", "account:late"), 20, "the pause of a wrong key")
    store.change("late", api_key=SecretStr("pk_late"))

    assert system.end_of(waits, 20).status == "SUCCESS"
    assert not system.redis.exists("klaviyo:paused")
