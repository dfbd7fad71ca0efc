"""No key and no person in logs, events, metrics, traces, Flower, commands, what is kept of failures, or their texts."""

from __future__ import annotations

import csv
import re
import time

import psutil
import pytest
from pydantic import SecretStr

from tasks.events import create_event
from tasks.imports import import_profiles
from tasks.jobs import run_job
from tasks.lists import get_lists
from tasks.profiles import bulk_import_profiles, create_profile, get_profiles
from tasks.webhooks import create_webhook
from tests.live.collector import collecting
from tests.live.command_line import Command
from tests.live.fetch import get
from tests.live.system import KEY, Worker, until
from tests.ports import free_port
from worker.accounts.credentials import Grant
from worker.accounts.stored import AccountStore
from worker.errors import InputError
from worker.failures.kept import failure_groups, failures_of
from worker.one_per_process import forget
from worker.redis.address import parse
from worker.redis.connection import client_of
from worker.settings import get_settings

PERSON = "ada.lovelace"
PHONE = "5550001234"
#: What encrypts what is kept, the application's secret, and what signs webhooks.
SECRET_KEY, CLIENT_SECRET, SIGNING = (
    "a-key-of-which-nobody-may-see-a-word",
    "sandbox-secret",
    "signs-webhooks-0123",
)
ACCESS, REFRESH = "at_planted_access_token", "rt_sandbox_planted"
SECRETS = (KEY, PERSON, PHONE, SECRET_KEY, CLIENT_SECRET, SIGNING, ACCESS, REFRESH)

TABS = ("limits", "failures", "jobs", "imports", "syncs", "schedules", "accounts")

OAUTH = {"SECRET_KEY": SECRET_KEY, "CLIENT_ID": "sandbox-app", "CLIENT_SECRET": CLIENT_SECRET}
FLOWER = OAUTH


def secrets_in(text: str) -> list[str]:
    """The lines that tell a secret."""
    return [line[:300] for line in text.splitlines() if any(secret in line for secret in SECRETS)]


def test_no_key_and_no_person_is_told_anywhere(system, events, flower, foreign):
    # At this level it says all that it does at any other.
    worker = system.worker("-l", "DEBUG", READ_TIMEOUT=1, MAX_ATTEMPTS=2).ready()
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
        sandbox.fault(fault, operation="create_profile", times=times)
        failed = create_profile.delay(email=f"{fault}.{PERSON}@example.com").id
        ends |= system.ended([failed])
    sandbox.fault("throttle", operation="create_profile", retry_after=3600)
    blocked = create_profile.delay(email=f"blocked.{PERSON}@example.com").id
    system.reached(blocked, "RETRY", seconds=5)

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
    for tab in TABS:
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


@pytest.fixture
def encrypting(system, monkeypatch):
    """The stored accounts, and Redis as it is; the process of the test knows the key that encrypts what is kept."""
    for name, value in OAUTH.items():
        monkeypatch.setenv(f"KLAVIYO_{name}", value)
    forget()
    client = client_of(parse(system.server.url))
    yield AccountStore(lambda: client), client
    client.close()
    forget()


def kept(client):
    """What Redis keeps of accounts and of failed calls, as text; records that are still to be sent are not of that."""
    names = [key.decode() for key in client.scan_iter() if key.startswith((b"klaviyo:account", b"klaviyo:fail"))]
    assert {"klaviyo:accounts", "klaviyo:failures", "klaviyo:failure_groups"} <= {*names}
    read = {
        b"string": client.get, b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1),
    }  # fmt: skip
    return "\n".join(f"{name} {read[client.type(name)](name)}" for name in names)


def test_no_planted_secret_is_on_any_surface_of_a_run_in_which_much_fails(
    system, encrypting, events, flower, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    port = free_port()
    accounts, raw = encrypting
    now, tokens = time.time(), (SecretStr(ACCESS), SecretStr(REFRESH))
    system.sandbox._door("POST", "/accounts", alias="planted", key="pk_planted", company_id="P00001")
    accounts.change("planted", grant=Grant("planted", *tokens, now, now - 1, frozenset({"lists:read"})))
    with collecting() as (url, spans, bodies):
        own = {"METRICS_PORT": port, "TRACES": "true", "MAX_ATTEMPTS": 2, **OAUTH}
        environment = {
            **system.environment(**own),
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        worker = Worker("traced@test", environment, system.folder / "traced.log", system.redis, ("-l", "DEBUG"))
        system.workers.append(worker)
        worker.ready()

        people = [{"email": f"{n}.{PERSON}@{where}.example"} for n, where in enumerate(("here", "reject", "refused"))]
        with (tmp_path / "customers.csv").open("w", newline="") as file:
            rows = csv.DictWriter(file, ["email", "first_name"])
            rows.writeheader()
            rows.writerows({**each, "first_name": PERSON} for each in (*people, {"email": f"{PERSON}@"}))
        made = [
            create_profile.delay(email=f"{PERSON}@example.com", phone_number=f"+44{PHONE}", first_name=PERSON).id,
            create_profile.delay(email=f"{PERSON}@example").id,
            run_job(bulk_import_profiles).delay(profiles=people[:2]).id,
            run_job(bulk_import_profiles).delay(profiles=people[2:]).id,
            create_webhook.delay(
                name="Orders",  # the shop's own, which an operator is shown
                description=PERSON,
                endpoint_url="http://not-https.example",
                secret_key=SIGNING,
                webhook_topic_ids=["none"],
            ).id,
            get_lists.on("planted").delay().id,
        ]
        report = import_profiles(tmp_path / "customers.csv")
        ends = system.ended(made, 30)
        until(lambda: sum(each.failures for each in failure_groups()) >= 2, 10, "failures that are kept")
        until(lambda: len(spans) > 20, 10, "spans")

        pages: dict[str, str] = {}

        def detailed():
            pages.update((name, get(f"{flower}/klaviyo/{name}").text) for name in TABS)
            return set(re.findall(r'href="/klaviyo/((?:failures|jobs|imports)/[^"?]+)"', "".join(pages.values())))

        def each_tab_links():
            return {each.partition("/")[0] for each in detailed()} == {"failures", "jobs", "imports"}

        until(each_tab_links, 20, lambda: f"pages of a failure, a job and an import: {detailed()}")
        links = detailed()
        pages |= {link: get(f"{flower}/klaviyo/{link}").text for link in links}
        commands = [
            Command(system.folder, system.environment(**OAUTH), *words).done()
            for words in (
                ("failures", "show", "all"), ("failures", "show", "all", "--json"), ("jobs", "--json"),
                ("imports", report.run, "--json"), ("accounts", "--json"), ("limits", "--json"),
            )
        ]  # fmt: skip
        told = {
            "the worker's log": worker.text(),
            "an event": "\n".join(map(str, events)),
            "the worker's metrics": get(f"http://127.0.0.1:{port}/metrics").text,
            "Flower's metrics": "".join(get(f"{flower}{path}metrics").text for path in ("/", "/klaviyo/")),
            "Flower's log": (system.folder / "flower.log").read_text(),
            "a trace": b"".join(bodies).decode("latin-1"),
            **{f"the page {name}": text for name, text in pages.items()},
            **{f"the page of task {id}": get(f"{flower}/task/{id}").text for id in ends},
            "what is kept in Redis": kept(raw),
            "a failure": "\n".join(f"{end.result} {end.traceback}" for end in ends.values() if end.error),
            "a command": "".join(f"{each.stdout}{each.stderr}" for each in commands),
            "the list of processes": "\n".join(
                " ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])
            ),
            "a repr": repr([get_settings(), accounts.read("planted"),
                            [each for group in failure_groups() for each in failures_of(group.group.id)]]),
            "a report": repr(report),
        }  # fmt: skip
    assert {"SUCCESS", "FAILURE"} <= {end.status for end in ends.values()}
    assert "klaviyo_group_failures" in told["Flower's metrics"]
    assert {place: lines[:3] for place, text in told.items() if (lines := secrets_in(text))} == {}
