"""The shapes of work of Celery's canvas guide, from our code and from a code base that knows names only."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from celery import Signature, chain, chord, group
from celery.canvas import StampingVisitor, chunks, xmap, xstarmap

from tasks.collect import collect
from tasks.jobs import run_job
from tasks.lists import create_list, get_list
from tasks.profiles import bulk_import_profiles, create_profile, get_profile
from tasks.tags import create_tag, get_tags
from tests.celery_connections import application
from tests.live import other_code_base
from tests.live.system import end, until
from worker.app import app
from worker.awaiting import aget

QUEUES = {
    "create_profile": "klaviyo.l",
    "create_list": "klaviyo.m",
    "get_list": "klaviyo.xs",
    "create_tag": "klaviyo.s",
}


@pytest.fixture(scope="module")
def shop(shared):
    """The other team's worker, as they start it; the value is their application."""
    server = shared.server
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **other_code_base.settings(shared.folder, server.broker_options),
        "PYTHONPATH": os.fspath(shared.folder),
        "SHOP_BROKER": server.broker_url,
        "SHOP_RESULTS": server.broker_url,
    }
    command = [sys.executable, "-m", "celery", "-A", "shop_app", "worker", "-P", "solo", "-Q", "shop", "-l", "INFO"]
    with (shared.folder / "shop.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=Path(__file__).parent, env=environment, stdout=log, stderr=log)
    until(lambda: " ready." in (shared.folder / "shop.log").read_text(), 20, "the other team's worker")
    options = dict.fromkeys(("broker_transport_options", "result_backend_transport_options"), server.broker_options)
    with application("shop", server.broker_url, backend=server.broker_url, changes=options) as made:
        yield made
    end(process)


def theirs(shop, action: str, **kwargs: object) -> Signature:
    """A call of ours as they write it."""
    return shop.signature(f"klaviyo.{action}", kwargs=kwargs, queue=QUEUES[action])


def emails(number: int) -> list[dict[str, str]]:
    return [{"email": f"p{each}@example.com"} for each in range(number)]


def accounts(system, operation: str) -> list[str]:
    return [row["account"] for row in system.sandbox.ledger(operation)]


# From our code.


def test_a_chain_hands_on_the_id_of_the_record(idle):
    made, found = chain(create_list.s(name="News"), get_list.signature()), create_tag.si(name="after")

    result = (made | found).delay()

    assert result.get(timeout=120)["data"]["attributes"]["name"] == "after"
    assert result.parent.get()["data"]["attributes"]["name"] == "News"


def test_a_group_a_chord_and_its_body(idle):
    parts = group(create_profile.si(**each) for each in emails(3))

    alone = parts.delay()
    chorded = chord([create_tag.si(name=f"t{n}") for n in range(3)])(create_list.si(name="then"))

    assert [each["successful"] for each in alone.get(timeout=120)] == [True] * 3
    assert chorded.get(timeout=120)["data"]["attributes"]["name"] == "then"
    assert idle.sandbox.ledger("create_list")[0]["at"] > max(row["at"] for row in idle.sandbox.ledger("create_tag"))


def test_map_starmap_and_chunks_make_each_call_in_its_own_turn(idle):
    calls = emails(7)

    mapped = create_profile.map(calls[:2]).delay()
    starred = create_profile.starmap([[each] for each in calls[2:4]]).delay()
    parted = create_profile.on("a").chunks(calls[4:], 2).delay()

    assert [each["successful"] for each in mapped.get(timeout=120)] == [True, True]
    assert [each["successful"] for each in starred.get(timeout=120)] == [True, True]
    assert [len(part) for part in parted.get(timeout=120)] == [2, 1]
    assert accounts(idle, "create_profile").count("a") == 3
    assert set(idle.sandbox.statuses("create_profile")) == {201}


def test_callbacks_are_called_and_errbacks_when_it_fails(idle):
    good = create_profile.si(email="ada@example.com")
    good.link(create_tag.s(name="linked"))
    bad = get_profile.si(id="nobody").on_error(create_tag.si(name="failed"))
    by_option = create_profile.apply_async(kwargs=emails(1)[0], link=create_tag.si(name="also linked"))

    results = [good.delay(), by_option]
    failed = bad.delay()

    assert [each.get(timeout=120)["successful"] for each in results] == [True, True]
    assert idle.end_of(failed.id).error == "NotFound"
    names = {"linked", "failed", "also linked"}
    until(lambda: names <= set(idle.sandbox.names("/api/tags", "name")), 10, "what was linked")


def test_a_chords_body_that_is_wrong_fails_alone_and_tells_its_errback(idle):
    parts = [create_tag.si(name=f"t{n}") for n in range(2)]
    body = app.signature("klaviyo.create_list", kwargs={"nmae": "typo"}, immutable=True)

    result = chord(parts)(body.on_error(create_tag.si(name="told")))

    assert idle.end_of(result.id).error == "InputError"
    assert [each.get(timeout=120)["successful"] for each in result.parent] == [True, True]
    until(lambda: "told" in idle.sandbox.names("/api/tags", "name"), 10, "the errback")


class Stamper(StampingVisitor):
    def on_signature(self, sig, **headers):
        return {"order": "4711"}


def test_stamps_travel_with_every_part(idle):
    work = chain(create_list.si(name="stamped"), group(create_tag.si(name="x"), create_tag.si(name="y")))
    work.stamp(Stamper())

    assert len(work.delay().get(timeout=120)) == 2


def test_a_part_without_an_account_has_that_of_its_chain_and_one_with_keeps_it(idle):
    work = chain(
        create_list.si(name="one"),
        create_tag.on("b").si(name="own"),
        create_list.on("a").si(name="back"),
        group(create_profile.si(**each) for each in emails(2)),
        run_job(bulk_import_profiles).si(profiles=emails(2)),
        collect.si("get_tags"),
        create_list.si(name="last").on_error(create_tag.si(name="no")),
    )
    work.tasks[0].link(create_tag.si(name="linked"))

    work.apply_async(headers={"klaviyo_account": "a"}).get(timeout=120)

    assert accounts(idle, "create_list") == ["a", "a", "a"]
    assert sorted(accounts(idle, "create_tag")) == ["a", "b"]
    assert {
        *accounts(idle, "create_profile"),
        *accounts(idle, "bulk_import_profiles"),
        *accounts(idle, "get_tags"),
    } == {"a"}


def test_a_group_gives_its_account_to_those_without_one(idle):
    work = group(create_tag.si(name="x"), create_tag.on("b", lane="bulk").si(name="y"))

    work.apply_async(headers={"klaviyo_account": "a"}).get(timeout=120)

    assert sorted(accounts(idle, "create_tag")) == ["a", "b"]


def test_what_cannot_be_published_after_a_success_fails_alone(idle):
    first = create_list.s(name="first")
    first.link(app.signature("klaviyo.create_tag", kwargs={"nmae": "typo"}, task_id="typo"))
    first.link(create_tag.si(name="no such compression").set(compression="nope", task_id="nope"))
    first.link(create_tag.si(name="good").set(task_id="good"))
    wrong = app.signature("klaviyo.create_tag", kwargs={"name": "x"}, klaviyo_account="nowhere", immutable=True)
    after = create_tag.si(name="never")

    result = chain(first, wrong.on_error(create_tag.on("default").si(name="told")), after).delay()

    ends = idle.ended([result.id, result.parent.id, result.parent.parent.id, "typo", "nope", "good"])
    assert [ends[each].status for each in (result.parent.parent.id, "good")] == ["SUCCESS", "SUCCESS"]
    assert [ends[each].error for each in ("typo", result.parent.id)] == ["InputError", "SettingsError"]
    assert ends["nope"].status == ends[result.id].status == "FAILURE"
    until(lambda: "told" in idle.sandbox.names("/api/tags", "name"), 10, "the errback")
    assert "could not be published" in idle.workers[0].text()
    assert "INTERNAL ERROR" not in idle.workers[0].text()


def test_an_asyncio_application_waits_without_a_thread(idle):
    async def main() -> list[object]:
        results = await asyncio.gather(*(create_profile.adelay(**each) for each in emails(3)))
        failed = await get_profile.adelay(id="nobody")
        whole = await get_tags.on("a").adelay()
        return await asyncio.gather(*map(aget, [*results, failed, whole]), return_exceptions=True)

    *good, failed, whole = asyncio.run(main())

    assert [each["successful"] for each in good] == [True] * 3
    assert type(failed).__name__ == "NotFound"
    assert whole["data"] == []


# From a code base that knows nothing of us but the names.


def test_their_chain_keeps_its_account_through_their_own_worker(idle, shop):
    note = shop.signature("shop.note", queue="shop")
    work = chain(theirs(shop, "create_list", name="News"), note, theirs(shop, "create_tag", name="after"), note)

    result = work.apply_async(headers={"klaviyo_account": "a"})

    assert result.get(timeout=120) == "noted True"
    assert accounts(idle, "create_list") + accounts(idle, "create_tag") == ["a", "a"]


def test_their_own_account_in_a_signature_holds(idle, shop):
    own = theirs(shop, "create_tag", name="y").set(klaviyo_account="b", klaviyo_lane="bulk")

    group(theirs(shop, "create_tag", name="x"), own).apply_async(headers={"klaviyo_account": "a"}).get(timeout=120)

    assert sorted(accounts(idle, "create_tag")) == ["a", "b"]


def test_their_group_chord_map_starmap_and_chunks(idle, shop):
    calls, call = emails(8), theirs(shop, "create_profile")
    total = shop.signature("shop.total", queue="shop")

    grouped = group(theirs(shop, "create_profile", **each) for each in calls[:2]).delay()
    chorded = chord([theirs(shop, "create_profile", **each) for each in calls[2:4]])(total)
    mapped = xmap(call, calls[4:5], app=shop).apply_async(queue="klaviyo")
    starred = xstarmap(call, [[each] for each in calls[5:6]], app=shop).apply_async(queue="klaviyo")
    parted = chunks(call, [[each] for each in calls[6:]], 1, app=shop).apply_async(queue="klaviyo")

    assert [each["successful"] for each in grouped.get(timeout=120)] == [True, True]
    assert chorded.get(timeout=120) == 2
    assert [each["successful"] for each in mapped.get(timeout=120)] == [True]
    assert [each["successful"] for each in starred.get(timeout=120)] == [True]
    assert [[each["successful"] for each in part] for part in parted.get(timeout=120)] == [[True], [True]]
    assert idle.sandbox.statuses("create_profile") == [201] * 8
    assert "@example.com" not in idle.workers[0].text()


def test_their_links_stamps_and_a_task_that_is_replaced_by_ours(idle, shop):
    work = theirs(shop, "create_list", name="News")
    work.link(theirs(shop, "create_tag", name="linked"))
    work.link_error(theirs(shop, "create_tag", name="failed"))
    work.stamp(order="4711")
    wrong = theirs(shop, "get_list", id="nobody")
    wrong.link_error(theirs(shop, "create_tag", name="failed"))

    assert work.delay().get(timeout=120)["successful"]
    assert idle.end_of(wrong.delay().id).error == "NotFound"
    replaced = shop.send_task(
        "shop.replace", args=[dict(theirs(shop, "create_list", name="in its place"))], queue="shop"
    )
    assert replaced.get(timeout=120)["data"]["attributes"]["name"] == "in its place"
    until(lambda: {"linked", "failed"} <= set(idle.sandbox.names("/api/tags", "name")), 10, "what was linked")


def test_a_lane_of_theirs_that_is_none_fails_the_task(idle, shop):
    headers = {"klaviyo_lane": "Bulk"}
    task = shop.send_task("klaviyo.create_tag", kwargs={"name": "x"}, queue="klaviyo.s", headers=headers)

    assert idle.end_of(task.id).error == "InputError"
    assert not [key for key in idle.redis.scan_iter("klaviyo:Bulk*")]


def test_a_header_that_looks_like_ours_and_is_none_never_becomes_a_key(idle, shop):
    headers = {"klaviyo": {"lane": "x\ny", "line": "a", "spec": "b"}}
    task = shop.send_task("klaviyo.create_tag", kwargs={"name": "x"}, queue="klaviyo.s", headers=headers)

    idle.end_of(task.id)
    assert not [key for key in idle.redis.scan_iter("klaviyo:x*")]


@pytest.mark.parametrize("name", ["klaviyo.create_tag", "klaviyo.job", "klaviyo.collect"])
def test_an_id_of_theirs_that_breaks_a_line_fails_the_task(idle, shop, name):
    args = ["get_tags"] if name.endswith("collect") else None
    kwargs = (
        {"kind": "bulk_import_profiles", "params": {"profiles": emails(1)}} if name.endswith("job") else {"name": "x"}
    )
    kwargs = {} if args else kwargs

    task = shop.send_task(name, args=args, kwargs=kwargs, queue="klaviyo", task_id=f"a\nb {name}")

    assert idle.end_of(task.id).error == "InputError"
