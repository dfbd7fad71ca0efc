"""Pushes that the settings define, and what is wrong with them."""

from __future__ import annotations

import pytest

from schedules.push import run_push
from schedules.push_kinds import Push
from schedules.push_task import defined
from worker.errors import InputError, SettingsError
from worker.settings import get_settings


@pytest.fixture
def define(monkeypatch):
    def say(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"KLAVIYO_PUSHES__{name}", value)
        get_settings.cache_clear()

    return say


def test_a_push_is_defined_by_nested_variables(define):
    define(
        SHOP_ITEMS__KIND="catalog_items", SHOP_ITEMS__SOURCE="sql:SELECT 1", SHOP_ITEMS__DATABASE_URL="sqlite:///shop.db",
        SHOP_ITEMS__MAP="SKU=external_id, *=custom_metadata.*", SHOP_ITEMS__DELETE="missing", SHOP_ITEMS__ACCOUNT="eu",
    )  # fmt: skip

    assert defined("shop_items") == Push(
        "catalog_items", "sql:SELECT 1", "shop-items", "sqlite:///shop.db", ("SKU=external_id", "*=custom_metadata.*"),
        delete="missing", account="eu",
    )  # fmt: skip
    assert defined("shop-items").stream == "catalog_items:shop-items"


def test_a_push_is_defined_by_json_too_and_its_mapping_may_have_commas(define):
    define(ORDERS='{"kind": "events", "source": "o.csv", "map": ["a, b=value"], "fixed": {"metric": "Placed Order"}}')

    assert (defined("orders").mapping, defined("orders").fixed) == (("a, b=value",), {"metric": "Placed Order"})


def test_an_unknown_push_is_named_with_the_variable_that_would_define_it(define):
    define(A__KIND="profiles", A__SOURCE="a.csv")

    with pytest.raises(SettingsError, match=r"no push 'shop-items' \(known: a\): set KLAVIYO_PUSHES__SHOP_ITEMS__KIND"):
        defined("shop_items")


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
        defined("a")


def test_a_databases_password_is_shown_nowhere(define):
    define(A__KIND="profiles", A__SOURCE="sql:SELECT 1", A__DATABASE_URL="postgresql://shop:secret@db/shop")

    assert "secret" not in repr(get_settings()) + repr(defined("a"))


@pytest.mark.parametrize("kind", ["profiles", "events"])
def test_only_a_catalogs_records_are_deleted(kind):
    with pytest.raises(InputError, match="never deleted by a push: only a catalog's records are"):
        run_push(Push(kind, "a.csv", delete="missing"))


def test_a_kind_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(InputError, match="'coupons' is none of profiles, events, catalog_items"):
        run_push(Push("coupons", "a.csv"))
