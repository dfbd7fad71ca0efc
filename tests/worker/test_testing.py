"""What an application's own tests lean on: a Klaviyo in memory, Celery's eager mode and Celery's fixtures."""

from __future__ import annotations

import asyncio

import pytest
from celery import chain, chord, group

from tasks.events import create_event
from tasks.jobs import run_job
from tasks.lists import create_list, get_list
from tasks.profiles import bulk_import_profiles, create_or_update_profile, create_profile, get_profile, get_profiles
from worker.app import app
from worker.awaiting import aget
from worker.errors import InputError, NotFound, SettingsError

pytest_plugins = ["worker.testing", "celery.contrib.pytest"]

ADA = {"email": "ada@example.com"}
LOST = NotFound("get_profile", "default", 404, [])


@pytest.fixture(autouse=True)
def _accounts(settings):
    settings.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")


def test_each_way_of_calling_is_written_down_and_answered(klaviyo):
    create_profile.delay(**ADA)
    create_profile.on("eu", lane="bulk", countdown=60).delay(**ADA)
    envelope = create_profile(**ADA)
    create_profile.si(**ADA).set(klaviyo_account="eu").delay()

    assert envelope == {"data": {"type": "profile", "id": "3", "attributes": {}}, "error": None, "successful": True}
    assert [round(call.countdown) for call in klaviyo.calls] == [0, 60, 0, 0]
    assert [call.queued for call in klaviyo.calls] == [True, True, False, True]
    assert [(call.account, call.lane) for call in klaviyo.calls] == [
        ("default", "now"), ("eu", "bulk"), ("default", "now"), ("eu", "now"),
    ]  # fmt: skip
    assert klaviyo.called(create_profile) == [ADA] * 4
    assert (klaviyo.calls[0].action, klaviyo.calls[0].job) == ("create_profile", False)


def test_answers_are_data_errors_or_functions(klaviyo):
    klaviyo.answer(get_profiles, [{"type": "profile", "id": "01A"}])
    klaviyo.answer(get_profile, lambda params: LOST if params["id"] == "nobody" else {"id": params["id"]})

    assert [each["data"] for each in get_profiles.pages()] == [[{"type": "profile", "id": "01A"}]]
    assert get_profiles.collect().get()["count"] == 1
    assert get_profile.delay(id="01A").get()["data"] == {"id": "01A"}
    failed = get_profile.delay(id="nobody")
    assert failed.state == "FAILURE"
    with pytest.raises(NotFound):
        failed.get()


def test_what_creates_or_updates_tells_which(klaviyo):
    assert create_or_update_profile(**ADA)["created"] is True
    klaviyo.answer(create_or_update_profile, {"data": {"id": "01A"}, "successful": True, "created": False})

    assert create_or_update_profile.delay(**ADA).get()["created"] is False
    assert "created" not in create_profile(**ADA)


def test_a_wrong_call_is_refused_as_ever(klaviyo):
    with pytest.raises(InputError, match="did you mean 'email'"):
        create_profile.delay(emial="x")
    with pytest.raises(SettingsError):
        create_profile.on("mars").delay(**ADA)
    assert not klaviyo.calls


def test_chains_groups_chords_maps_and_links_run_in_place(klaviyo):
    linked = create_profile.si(**ADA)
    linked.link(create_event.si(metric="Linked", profile=ADA))

    last = chain(create_list.s(name="News"), get_list.signature()).apply_async(headers={"klaviyo_account": "eu"})
    group(create_profile.si(**ADA), linked).delay()
    chord([create_profile.si(**ADA)])(create_list.si(name="then"))
    create_profile.map([ADA, ADA]).delay()
    create_profile.chunks([ADA, ADA, ADA], 2).delay()

    assert last.get()["data"]["id"] == "1"
    assert [(call.action, call.account) for call in klaviyo.calls[:2]] == [("create_list", "eu"), ("get_list", "eu")]
    assert len(klaviyo.called(create_profile)) == 2 + 1 + 2 + 3
    assert [each["metric"] for each in klaviyo.called(create_event)] == ["Linked"]


def test_a_job_is_one_call_with_one_end(klaviyo):
    ended = run_job(bulk_import_profiles).on("eu").delay(profiles=[ADA]).get()["data"]
    klaviyo.answer(bulk_import_profiles, {"status": "complete", "failed": 1}, job=True)
    with_failures = run_job(bulk_import_profiles).delay(profiles=[ADA]).get()["data"]

    assert (ended["status"], ended["failed"], with_failures["failed"]) == ("complete", 0, 1)
    assert [(call.action, call.job, call.account) for call in klaviyo.calls] == [
        ("bulk_import_profiles", True, "eu"), ("bulk_import_profiles", True, "default"),
    ]  # fmt: skip


def test_asyncio_code_runs_in_place(klaviyo):
    async def sign_up():
        return await aget(await create_profile.adelay(**ADA), timeout=60)

    assert asyncio.run(sign_up())["successful"]
    assert klaviyo.called(create_profile) == [ADA]


def test_it_leaves_nothing_behind(klaviyo):
    klaviyo.__exit__()

    assert not app.conf.task_always_eager
    klaviyo.__enter__()


def test_a_task_of_the_applications_own_calls_it_from_celerys_worker(own_logging, klaviyo, celery_app, celery_worker):
    @celery_app.task
    def sign_up(email):
        return create_profile.delay(email=email).id

    celery_worker.reload()
    assert sign_up.delay("ada@example.com").get(timeout=60)

    assert klaviyo.called(create_profile) == [ADA]


def test_eager_without_it_makes_the_request_here(monkeypatch):
    made = []
    monkeypatch.setattr(
        "worker.execution.send_in_process", lambda declaration, alias, params: made.append((alias, params)) or {}
    )
    monkeypatch.setitem(app.conf.changes, "task_always_eager", True)

    create_profile.on("eu").delay(**ADA)
    with pytest.raises(SettingsError, match=r"worker\.testing"):
        run_job(bulk_import_profiles).delay(profiles=[ADA]).get()

    assert made == [("eu", ADA)]


def test_many_calls_at_once_are_made_one_by_one(klaviyo):
    results = create_profile.on("eu", lane="bulk", together=False).delay_many([ADA, {"email": "grace@example.com"}])

    assert [each.get()["successful"] for each in results] == [True, True]
    assert klaviyo.called(create_profile) == [ADA, {"email": "grace@example.com"}]
    assert [(call.account, call.lane, call.queued) for call in klaviyo.calls] == [("eu", "bulk", True)] * 2
