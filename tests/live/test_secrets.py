"""No key and no person in logs, events, Flower or the text of a failure."""

from __future__ import annotations

from tasks.events import create_event
from tasks.jobs import run_job
from tasks.profiles import bulk_import_profiles, create_profile, get_profiles
from tests.live.fetch import get
from tests.live.system import KEY, until
from worker.errors import InputError

PERSON = "ada.lovelace"
PHONE = "5550001234"
SECRETS = (KEY, PERSON, PHONE)


def secrets_in(text: str) -> list[str]:
    """The lines that tell a secret."""
    return [line[:300] for line in text.splitlines() if any(secret in line for secret in SECRETS)]


def test_no_key_and_no_person_is_told_anywhere(system, events, flower, foreign):
    # At this level it says all that it does at any other.
    worker = system.worker("-l", "DEBUG", READ_TIMEOUT=0.5, MAX_ATTEMPTS=2).ready()
    person = {"email": f"{PERSON}@example.com", "phone_number": f"+44{PHONE}"}
    sandbox = system.sandbox

    # One that works, one that conflicts, one that is refused, one that cannot be answered, one that is blocked, one
    # that another application sends wrong, and a question whose filter names a person.
    done = [create_profile.delay(**person, first_name=PERSON).id]
    system.ended(done)
    done += [
        create_profile.delay(**person).id,
        create_profile.delay(email=f"{PERSON}@example").id,
        create_event.delay(metric="Bought", profile={"email": person["email"]}, properties={"who": PERSON}).id,
        bulk_import_profiles.delay(profiles=[person]).id,
        run_job(bulk_import_profiles).delay(profiles=[person, {"email": f"{PERSON}@reject.example"}]).id,
        run_job(bulk_import_profiles).delay(profiles=[{"email": f"{PERSON}@refused.example"}]).id,
        get_profiles.delay(filter=f'equals(email,"{PERSON}@example.com")').id,
        foreign.send_task("klaviyo.create_profile", kwargs={**person, "nick": PERSON}, queue="klaviyo.l").id,
        foreign.send_task("klaviyo.create_profile", args=[PERSON], queue="klaviyo.l").id,
        foreign.send_task(
            "klaviyo.create_profile", kwargs={"email": f"two.{PERSON}@example.com"}, queue="klaviyo.l"
        ).id,
    ]
    unknown = foreign.send_task("klaviyo.create_profle", kwargs=person, queue="klaviyo.l").id
    ends = system.ended([*done, unknown])
    for fault, times in (("hang", 2), ("reset", 2), ("challenge", 2), ("malformed", 1)):
        sandbox.fault(fault, times=times)
        failed = create_profile.delay(email=f"{fault}.{PERSON}@example.com").id
        ends |= system.ended([failed])
    sandbox.fault("throttle", retry_after=3600)
    blocked = create_profile.delay(email=f"blocked.{PERSON}@example.com").id
    until(lambda: system.status(blocked) == "RETRY", 5, "the 429")

    errors = {end.error for end in ends.values()}
    assert ends[unknown].error == "InputError"
    assert "did you mean 'klaviyo.create_profile'?" in str(InputError(*ends[unknown].arguments))
    assert {"Conflict", "BadRequest", "InputError", "Unavailable", None} <= errors
    until(lambda: any(each["type"] == "task-retried" and each["uuid"] == blocked for each in events), 5, "the event")
    shown = get(f"{flower}/api/tasks").text
    until(
        lambda: set(ends) - {unknown} <= set(get(f"{flower}/api/tasks").json()),
        5,
        "Flower to have seen every task",
    )
    for path in (
        "/api/tasks",
        "/tasks",
        f"/task/{blocked}",
        "/workers",
        f"/worker/{worker.name}",
        *(f"{path}/{each}" for each in ends for path in ("/task", "/api/task/info")),
    ):
        shown += get(f"{flower}{path}").text
    for tab in ("limits", "jobs", "imports", "syncs", "schedules", "accounts"):
        shown += get(f"{flower}/klaviyo/{tab}").text
    listing = {"draw": 1, "start": 0, "length": 100, "order[0][column]": 0, "columns[0][data]": "name"}
    shown += get(f"{flower}/tasks/datatable", **listing).text
    metrics = get(f"{flower}/metrics").text + get(f"{flower}/klaviyo/metrics").text
    assert "klaviyo.create_profile" in shown
    assert "flower_events_total" in metrics
    told = {
        "the worker's log": worker.text(),
        "an event": "\n".join(map(str, events)),
        "Flower": shown,
        "Flower's metrics": metrics,
        "Flower's log": (system.folder / "flower.log").read_text(),
        "a failure": "\n".join(f"{end.result} {end.traceback}" for end in ends.values() if end.error),
        "a reason to wait": str(system.redis.get(f"celery-task-meta-{blocked}")),
    }
    assert {place: lines[:3] for place, text in told.items() if (lines := secrets_in(text))} == {}
