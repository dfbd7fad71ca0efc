"""What nobody wants any more is not sent: revoked, expired, dropped, purged; and what is paused waits."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from celery import chain, chord

from tasks.collect import collect
from tasks.events import create_event
from tasks.jobs import run_job
from tasks.lists import create_list, get_lists
from tasks.profiles import bulk_import_profiles, create_profile, get_profiles
from tests.live.system import asked, stretched, until
from worker.app import app
from worker.governor import get_governor
from worker.messages import readable

LATER = 3600


def waiting(system):
    return system.redis.hlen("klaviyo:waiting")


def later(email="p@example.com", **options):
    return create_profile.on(countdown=LATER, **options).delay(email=email)


def test_a_foreign_application_and_flower_revoke_by_a_worker(idle, foreign, events):
    task = later()
    asked(foreign, idle.workers[0].name, "ping")

    foreign.control.revoke(task.id, terminate=True)

    idle.reached(task.id, "REVOKED", seconds=10)
    until(lambda: waiting(idle) == 0, 10, "the revocation")
    assert "Traceback" not in idle.workers[0].text()


def test_a_revoked_part_fails_its_chord(idle):
    parts = [create_profile.si(email="a@example.com"), create_profile.on(countdown=LATER).si(email="b@example.com")]
    body = chord(parts)(get_lists.si())
    part = body.parent.results[1]

    part.revoke()

    idle.reached(body.id, "FAILURE")
    assert idle.status(part.id) == "REVOKED"


def test_what_has_a_stamp_is_revoked_by_it(idle):
    signature = create_profile.on(countdown=LATER).si(email="a@example.com")
    signature.stamp(customer="seven")
    stamped, other = signature.apply_async(), later()

    app.control.revoke_by_stamped_headers({"customer": ["seven"]})

    assert idle.status(stamped.id) == "REVOKED"
    assert idle.status(other.id) is None


@pytest.mark.parametrize("expires", [0.5, timedelta(seconds=0.5), "moment"])
def test_a_task_expires_while_it_waits(idle, events, expires):
    if expires == "moment":
        expires = datetime.now(UTC) + timedelta(seconds=0.5)
    get_governor().pause("action:create_profile", "a test", "to have it wait", since=0)
    task = create_profile.on(expires=expires).delay(email="p@example.com")

    idle.reached(task.id, "REVOKED")

    assert "expired" in str(json.loads(idle.redis.get(f"celery-task-meta-{task.id}"))["result"]["exc_message"])
    until(lambda: waiting(idle) == 0, 10, "the end of its message")
    assert idle.sandbox.ledger() == []
    until(
        lambda: not idle.redis.exists("klaviyo:expires", "klaviyo:expiring"), 10, "the end of all that is known of it"
    )
    until(lambda: [e for e in events if e["type"] == "task-revoked" and e["uuid"] == task.id], 10, "its event")


def test_a_task_that_is_in_time_does_not_expire(idle):
    task = create_profile.on(expires=60).delay(email="p@example.com")

    assert idle.end_of(task.id).status == "SUCCESS"
    until(lambda: not idle.redis.exists("klaviyo:expires"), 10, "its expiry to be forgotten")


def test_what_another_application_lets_expire_expires_while_it_waits(idle, foreign):
    when = datetime.now(UTC) + timedelta(seconds=1)
    task = foreign.send_task(
        "klaviyo.create_profile", kwargs={"email": "p@example.com"}, queue="klaviyo.l", countdown=LATER, expires=when
    )

    idle.reached(task.id, "REVOKED")
    assert idle.sandbox.ledger() == []


def test_what_is_paused_waits_and_goes_on_when_it_is_resumed(idle):
    governor = get_governor()
    for what in ("account:default", "action:create_profile", "action:default:create_profile", "tier:klaviyo.l"):
        assert governor.pause(what, "somebody", "an incident", since=0)

        paused = create_profile.delay(email=f"{what}@example.com".replace(":", "."))
        free = create_event.on("a").delay(metric="Bought", profile={"email": "p@example.com"})
        idle.end_of(free.id)
        assert idle.status(paused.id) is None
        assert governor.resume(what)

        assert idle.end_of(paused.id).status == "SUCCESS"


@pytest.mark.parametrize("countdown", [0, LATER])
def test_a_job_expires_until_klaviyo_has_been_asked_for_it(idle, countdown):
    get_governor().pause("action:bulk_import_profiles", "a test", "to have it wait", since=0)
    job = run_job(bulk_import_profiles).on(expires=0.5).si(profiles=[{"email": "job@example.com"}])
    task = job.apply_async(countdown=countdown)

    idle.reached(task.id, "REVOKED")

    get_governor().resume("action:bulk_import_profiles")
    until(lambda: waiting(idle) == 0, 20, "the end of its step")
    assert idle.sandbox.ledger() == []
    assert run_job(bulk_import_profiles).on(expires=60).delay(profiles=[{"email": "job@example.com"}]).get(timeout=120)


def test_a_revoked_job_fails_its_chord(idle):
    get_governor().pause("action:bulk_import_profiles", "a test", "to have it wait", since=0)
    job = run_job(bulk_import_profiles).si(profiles=[{"email": "job@example.com"}])
    body = chord([create_profile.si(email="a@example.com"), job])(get_lists.si())
    part = body.parent.results[1]
    idle.reached(part.id, "SPAWNING")

    part.revoke()

    idle.reached(body.id, "FAILURE")
    get_governor().resume("action:bulk_import_profiles")


def test_an_id_that_nobody_here_knows_is_not_told_as_revoked(idle, foreign):
    foreign.control.revoke("unknown", reply=True, timeout=2)

    assert idle.status("unknown") is None


def test_what_another_application_stamps_and_revokes_is_revoked_durably(idle, foreign):
    signature = create_profile.on(countdown=LATER).si(email="a@example.com")
    signature.stamp(customer="nine")
    stamped = signature.apply_async()
    asked(foreign, idle.workers[0].name, "ping")

    foreign.control.revoke_by_stamped_headers({"customer": ["nine"]})

    idle.reached(stamped.id, "REVOKED", seconds=10)
    until(lambda: waiting(idle) == 0, 10, "the revocation")


def test_a_compressed_message_is_revoked_and_hides_no_other(idle):
    compressed = create_profile.apply_async(kwargs={"email": "a@example.com"}, countdown=LATER, compression="gzip")
    other = later()

    compressed.revoke()
    app.control.revoke_by_stamped_headers({"customer": ["none"]})

    assert idle.status(compressed.id) == "REVOKED"
    assert waiting(idle) == 1
    other.revoke()
    assert waiting(idle) == 0


def test_what_comes_after_a_delayed_task_that_was_revoked_goes_at_once(idle):
    later().revoke()

    assert idle.end_of(create_profile.delay(email="q@example.com").id).status == "SUCCESS"


def by_id(system, collection, page):
    collection.revoke()


def by_several_ids(system, collection, page):
    app.control.revoke([collection.id, "another"])


def by_its_stamp(system, collection, page):
    app.control.revoke_by_stamped_headers({"order": ["eight"]})


def by_its_page(system, collection, page):
    """As Flower's button does, which shows the page as a task of its own."""
    app.control.revoke(page.id)


def by_another_application(system, collection, page):
    system.control.revoke(collection.id)


@pytest.mark.parametrize("revoke", [by_id, by_several_ids, by_its_stamp, by_its_page, by_another_application])
def test_a_collection_is_revoked_with_its_page_and_fails_its_chord(idle, foreign, revoke):
    get_governor().pause("action:get_lists", "a test", "to have it wait", since=0)
    collecting = collect.si("get_lists")
    collecting.stamp(order="eight" if revoke is by_its_stamp else "nine")
    body = chord([create_profile.si(email="a@example.com"), collecting])(get_profiles.si())
    collection = body.parent.results[1]
    idle.end_of(body.parent.results[0].id)
    [page] = until(lambda: list(readable(get_governor().waiting())), 20, "the page to wait")

    revoke(foreign if revoke is by_another_application else idle, collection, page)

    idle.reached(collection.id, "REVOKED", seconds=10)
    until(lambda: waiting(idle) == 0, 10, "the revocation")
    idle.reached(body.id, "FAILURE")
    get_governor().resume("action:get_lists")
    idle.end_of(get_profiles.delay().id)
    assert idle.sandbox.ledger("get_lists") == []


def test_a_collection_that_is_revoked_after_its_first_page_reads_no_other(idle):
    idle.sandbox.seed(account="default", lists=25)
    idle.sandbox.fault("latency", operation="get_lists", seconds=0)
    idle.sandbox.fault("throttle", operation="get_lists", retry_after=LATER)  # the second page
    collection = get_lists.collect(page_size=10)
    until(lambda: idle.sandbox.statuses("get_lists") == [200, 429] and waiting(idle), 20, "the second page to wait")

    collection.revoke()

    until(lambda: waiting(idle) == 0, 10, "the second page to be taken out")
    assert idle.status(collection.id) == "REVOKED"


def test_a_collection_whose_whole_waits_for_room_is_revoked_and_waits_no_longer(idle):
    idle.sandbox.seed(account="default", profiles=200)
    body = chord([get_profiles.si(page_size=1), collect.si("get_profiles", page_size=20)])(get_lists.si())
    part = body.parent.results[1]
    idle.redis.config_set("maxmemory", 1)
    try:
        idle.reached(part.id, "RETRY")
        until(lambda: waiting(idle), 20, "the whole to wait for room")

        part.revoke()

        assert waiting(idle) == 0
        assert idle.status(part.id) == "REVOKED"
        idle.reached(body.id, "FAILURE")
    finally:
        idle.redis.config_set("maxmemory", 0)


def test_a_job_that_klaviyo_has_is_followed_to_its_end_though_it_is_revoked(idle):
    idle.sandbox.jobs(seconds=stretched(1), times=None)
    task = run_job(bulk_import_profiles).delay(profiles=[{"email": "job@example.com"}])
    idle.reached(task.id, "ACCEPTED", "PROCESSING")

    task.revoke()
    for message in readable(get_governor().waiting()):
        app.control.revoke(message.id) if message.kwargs.get("job") else None

    assert idle.end_of(task.id).result["data"]["status"] == "complete"


@pytest.mark.parametrize("stamped", [True, False])
def test_a_job_that_waits_is_taken_back_with_the_step_that_is_revoked(idle, stamped):
    get_governor().pause("action:bulk_import_profiles", "a test", "to have it wait", since=0)
    job = run_job(bulk_import_profiles).si(profiles=[{"email": "job@example.com"}])
    job.stamp(shop="ten" if stamped else "eleven")
    task = job.apply_async()
    [step] = until(lambda: list(readable(get_governor().waiting())), 20, "the job's first step to wait")

    app.control.revoke_by_stamped_headers({"shop": ["ten"]}) if stamped else app.control.revoke(step.id)

    assert idle.status(task.id) == "REVOKED"
    assert waiting(idle) == 0
    get_governor().resume("action:bulk_import_profiles")


def test_what_is_chained_to_a_revoked_task_ends_as_revoked(idle):
    chained = chain(
        create_profile.on(countdown=LATER).si(email="a@example.com"),
        create_profile.si(email="b@example.com"),
        chord([create_profile.si(email="c@example.com")], get_lists.si()),
    ).delay()
    links = [chained]
    while links[-1].parent:
        links.append(links[-1].parent)

    links[-1].revoke()

    assert {idle.status(each.id) for each in links} == {"REVOKED"}


def test_what_may_have_been_carried_out_is_told_as_that_though_it_is_revoked(idle):
    get_governor().pause("action:create_list", "a test", "to have it wait", since=0)
    task = create_list.delay(name="Members")
    idle.redis.set(f"klaviyo:sent:{task.id}", 1)  # as by a worker that has died since

    app.control.revoke(task.id)
    until(lambda: task.id in asked(app, idle.workers[0].name, "revoked"), 10, "the worker to hear it")
    get_governor().resume("action:create_list")

    assert idle.end_of(task.id).error == "OutcomeUnknown"


@pytest.mark.parametrize("part", [create_list.si(name="b"), collect.si("get_lists")], ids=["action", "collection"])
def test_what_follows_a_part_that_was_revoked_before_its_turn_ends_as_revoked(idle, part):
    get_governor().pause("action:create_profile", "a test", "to have it wait", since=0)
    parts = [create_profile.si(email="a@example.com"), part, create_list.si(name="a"), get_lists.si()]
    last = chain(parts).apply_async()
    third, second = last.parent, last.parent.parent
    until(lambda: waiting(idle) == 1, 20, "the first part to wait")

    app.control.revoke(second.id)
    get_governor().resume("action:create_profile")

    until(lambda: {idle.status(each.id) for each in (second, third, last)} == {"REVOKED"}, 20, "the end of the chain")
    assert idle.sandbox.ledger("create_list") == []


def test_a_part_of_a_chain_may_expire_after_a_timedelta(idle):
    chained = chain(get_lists.si(), create_profile.on(expires=timedelta(seconds=60)).si(email="a@example.com")).delay()

    assert idle.end_of(chained.id).status == "SUCCESS"
