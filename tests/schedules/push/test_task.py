"""Pushes defined in the settings, and what may be wrong with them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from celery.exceptions import Ignore
from sqlalchemy.exc import OperationalError

from schedules.push import task as push_task
from schedules.push.kinds import Push
from schedules.push.lock import AlreadyRunning
from schedules.push.mapping import open_and_map
from schedules.push.run import run_push
from schedules.push.task import PushStep, configured_push
from tasks.imports.parts import split_into_parts
from tasks.imports.sending import Stopped
from worker.errors import InputError, SettingsError
from worker.process.left_behind import LeftBehind
from worker.process.state import closing
from worker.settings import get_settings


@pytest.fixture
def define(monkeypatch):
    def say(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"KLAVIYO_PUSHES__{name}", value)
        get_settings.cache_clear()

    return say


def test_a_push_says_how_its_values_are_written(define, tmp_path):
    path = tmp_path / "crm.csv"
    path.write_text('email,phone_number,properties.since,properties.spent\na@b.co,070-111 22 33,01/02/2024,"1,234"\n')
    define(
        CRM__KIND="profiles", CRM__SOURCE=str(path), CRM__COUNTRY="SE", CRM__DATES="day-first",
        CRM__DECIMALS="decimal-comma",
        CRM__MAP="properties.since=properties.since:day,properties.spent=properties.spent:number",
    )  # fmt: skip

    wanted = configured_push("crm")
    source, plan = open_and_map(wanted, wanted.checked())
    (part,) = split_into_parts(source, plan)

    assert b'"+46701112233"' in part.body
    assert b'"since":"2024-02-01"' in part.body
    assert b'"spent":1.234' in part.body


def test_a_push_is_defined_by_nested_variables(define):
    define(
        SHOP_ITEMS__KIND="catalog_items", SHOP_ITEMS__SOURCE="sql:SELECT 1", SHOP_ITEMS__DATABASE_URL="sqlite:///shop.db",
        SHOP_ITEMS__MAP="SKU=external_id, *=custom_metadata.*", SHOP_ITEMS__DELETE="missing", SHOP_ITEMS__ACCOUNT="eu",
    )  # fmt: skip

    assert configured_push("shop_items") == Push(
        "catalog_items", "sql:SELECT 1", "shop-items", "sqlite:///shop.db", ("SKU=external_id", "*=custom_metadata.*"),
        delete="missing", account="eu",
    )  # fmt: skip
    assert configured_push("shop-items").stream == "catalog_items:shop-items"


def test_a_push_is_defined_by_json_too_and_its_mapping_may_have_commas(define):
    define(ORDERS='{"kind": "events", "source": "o.csv", "map": ["a, b=value"], "fixed": {"metric": "Placed Order"}}')

    assert (configured_push("orders").mapping, configured_push("orders").fixed) == (
        ("a, b=value",),
        {"metric": "Placed Order"},
    )


def test_an_unknown_push_is_named_with_the_variable_that_would_define_it(define):
    define(A__KIND="profiles", A__SOURCE="a.csv")

    with pytest.raises(SettingsError, match=r"no push 'shop-items' \(known: a\): set KLAVIYO_PUSHES__SHOP_ITEMS__KIND"):
        configured_push("shop_items")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"A__KIND": "items", "A__SOURCE": "a.csv"}, "KLAVIYO_PUSHES__A__KIND: Input should be 'profiles'"),
        (
            {"A__KIND": "profiles", "A__SOURCE": "a.csv", "A__DELETES": "missing"},
            "DELETES: there is no such setting; did you mean KLAVIYO_PUSHES__A__DELETE",
        ),
        ({"A": "{oops"}, "KLAVIYO_PUSHES"),
    ],
)
def test_a_wrong_definition_is_one_sentence(define, wrong, problem):
    define(**wrong)

    with pytest.raises(SettingsError, match=problem):
        configured_push("a")


def test_a_databases_password_is_shown_nowhere(define):
    define(A__KIND="profiles", A__SOURCE="sql:SELECT 1", A__DATABASE_URL="postgresql://shop:xyzzy@db/shop")

    assert "xyzzy" not in repr(get_settings()) + repr(configured_push("a"))


@pytest.mark.parametrize("kind", ["profiles", "events"])
def test_only_a_catalogs_records_are_deleted(kind):
    with pytest.raises(InputError, match=r"a push never deletes .*, only items, variants and categories of a catalog"):
        run_push(Push(kind, "a.csv", delete="missing"))


def test_an_unknown_kind_is_refused_with_those_that_exist():
    with pytest.raises(InputError, match="'coupons' cannot be pushed; choose one of profiles, events, catalog_items"):
        run_push(Push("coupons", "a.csv"))


class Carrying:
    """A push that a worker carries out; the test says how it ends, and reminders are recorded."""

    def __init__(self):
        self.reminded, self.end = [], None

    def run_push(self, wanted, **_):
        raise self.end

    def carry_out(self, end):
        self.end = end
        step = type("Delivered", (PushStep,), {"task_id": "task"})()
        return step._carry_out("orders", False, lambda report: None)


@pytest.fixture
def carrying(define, monkeypatch):
    define(ORDERS__KIND="events", ORDERS__SOURCE="orders.csv")
    monkeypatch.setenv("KLAVIYO_CONCURRENCY", "2")
    get_settings.cache_clear()
    push_task._push_slots.cache_clear()
    made = Carrying()
    monkeypatch.setattr(push_task, "remind", lambda which, seconds: made.reminded.append(which))
    monkeypatch.setattr(push_task, "run_push", made.run_push)
    outage = SimpleNamespace(note_failure=lambda error: "the store is away", note_success=lambda: None)
    monkeypatch.setattr(push_task, "outage", outage)
    yield made
    closing.clear()
    push_task._push_slots.cache_clear()


@pytest.mark.parametrize(
    "end", [AlreadyRunning("default", "events", True), OperationalError("SELECT", {}, ConnectionError("away"))]
)
def test_a_push_that_cannot_run_now_is_tried_again_under_its_own_id(carrying, end):
    with pytest.raises(Ignore, match="push orders is waiting"):
        carrying.carry_out(end)

    assert carrying.reminded == ["sync|PUSH|task|orders|0"]


def test_a_push_that_another_run_has_locked_is_not_started_again(carrying):
    with pytest.raises(AlreadyRunning):
        carrying.carry_out(AlreadyRunning("default", "events", False))

    assert carrying.reminded == []


def test_a_push_that_its_worker_interrupts_is_left_to_the_next_one(carrying):
    closing.set()

    with pytest.raises(LeftBehind):
        carrying.carry_out(Stopped("push events is interrupted; the next run continues it"))


def test_a_cancelled_push_has_failed(carrying):
    with pytest.raises(Stopped):
        carrying.carry_out(Stopped("import push-1 was interrupted"))


def test_a_push_takes_no_thread_from_the_jobs_that_it_waits_for_and_gives_back_its_own(carrying):
    with push_task._push_slots(), pytest.raises(Ignore, match="other pushes use all the threads"):
        carrying.carry_out(RuntimeError("it was carried out"))
    for _ in range(3):
        with pytest.raises(RuntimeError):
            carrying.carry_out(RuntimeError("it was carried out"))


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (SettingsError("there is no such list"), "there is no such list"),
        (LookupError("ada@example.com"), "LookupError"),
        (Ignore("push orders is waiting"), None),
        (LeftBehind("push orders is interrupted"), None),
    ],
)
def test_a_scheduled_run_ends_with_its_push_whatever_goes_wrong(carrying, monkeypatch, end, reason):
    ended = []
    monkeypatch.setattr(push_task.entry_runs, "begin_run", lambda *_: True)
    monkeypatch.setattr(push_task.entry_runs, "end_run", lambda *how: ended.append(how))
    carrying.end, run = end, "orders@2026-11-24T01:37:00Z"
    step = type("Delivered", (PushStep,), {"task_id": run})()

    with pytest.raises(type(end)):
        step.run(name="orders")

    assert ended == ([(run, False, reason)] if reason else [])
