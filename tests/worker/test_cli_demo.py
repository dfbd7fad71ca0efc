"""What the demo reads, cuts and compares. The demo itself is tried by a live test."""

import csv
from collections import Counter
from datetime import UTC, datetime

import pytest

from tasks.events import bulk_create_events
from worker.action import ACTIONS
from worker.cli.demo_data import CUSTOMERS, DataError, generate, load
from worker.cli.demo_sandbox import Proof, fullest
from worker.cli.demo_story import batches, next_cursor


@pytest.fixture
def write(tmp_path):
    """Writes a CSV file and returns its path."""

    def written(name, *rows):
        path = tmp_path / name
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        return path

    return written


def test_the_generated_customers_can_be_loaded_and_have_purchases(tmp_path):
    data = load(generate(tmp_path))
    assert len(data.customers) == CUSTOMERS
    assert len(data.purchases) > 2 * CUSTOMERS
    assert data.identifier == "external_id"
    assert len({each.unique_id for each in data.purchases}) == len(data.purchases)
    assert data.remarks == []


def test_numbered_customers_get_an_external_id_and_an_address(write):
    data = load(write("cdnow_customers.csv", ["customer_id", "total_usd", "in_sample"], ["7", "11.77", "0"]))
    assert data.customers[0].profile == {
        "email": "customer-7@example.com",
        "external_id": "7",
        "properties": {"total_usd": 11.77, "in_sample": 0},
    }


def test_customers_with_addresses_only_are_known_by_them(write):
    data = load(write("people.csv", ["E-Mail", "Email", "First Name"], ["", "ada@example.com", "Ada"]))
    assert data.identifier == "email"
    assert data.customers[0].profile == {"email": "ada@example.com", "first_name": "Ada"}


def test_rows_without_an_identifier_and_rows_that_were_there_are_left_out_and_told(write):
    path = write("people.csv", ["email"], ["ada@example.com"], ["nobody"], ["ADA@example.com"])
    data = load(path)
    assert len(data.customers) == 1
    assert data.remarks[0].startswith("2 rows of people.csv were left out")


def test_the_orders_beside_the_customers_are_their_purchases(write):
    write(
        "shop_orders.csv",
        ["customer_id", "order_date", "cds", "value_usd"],
        ["1", "2024-05-01", "2", "12.50"],
        ["9", "2024-05-01", "1", "1.00"],
    )
    data = load(write("shop_customers.csv", ["customer_id"], ["1"]))
    [purchase] = data.purchases
    assert purchase.time == datetime(2024, 5, 1, tzinfo=UTC)
    assert (purchase.value, purchase.unique_id, purchase.properties) == (12.5, "line-2", {"cds": 2})
    assert data.remarks == ["1 rows of shop_orders.csv were left out: no such customer, or no date or value."]


def test_purchases_from_before_klaviyos_time_are_all_moved_on_by_the_same_years(write):
    write("orders.csv", ["customer_id", "order_date", "value"], ["1", "1997-01-01", "1"], ["1", "1998-06-30", "1"])
    data = load(write("customers.csv", ["customer_id"], ["1"]))
    assert [f"{each.time:%Y-%m-%d %a}" for each in data.purchases] == ["2025-01-01 Wed", "2026-06-30 Tue"]
    assert "moved on by 28 years" in data.remarks[0]


def test_without_orders_the_purchases_follow_from_the_customers_columns(write):
    data = load(write("customers.csv", ["customer_id", "orders", "total_usd"], ["1", "4", "100"], ["2", "0", "0"]))
    assert [each.value for each in data.purchases] == [25.0] * 4
    assert "made up" in data.remarks[0]


@pytest.mark.parametrize("rows", [[], [["email"]], [["name"], ["Ada"]]])
def test_a_file_without_customers_is_refused_with_what_it_needs(write, rows):
    with pytest.raises(DataError, match="it needs a column email or"):
        load(write("empty.csv", *rows))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"gone\.csv cannot be read"):
        load(tmp_path / "gone.csv")


def test_purchases_are_cut_into_batches_by_customer_and_each_is_a_valid_call(tmp_path):
    data = load(generate(tmp_path))
    parts = list(batches(data.purchases, 150))
    assert len(parts) <= 150
    sent = Counter(event["unique_id"] for part in parts for one in part for event in one["events"])
    assert sent == Counter(each.unique_id for each in data.purchases)
    for part in parts:
        bulk_create_events.declaration.bind({"events": part})
    assert max(sum(len(one["events"]) for one in part) for part in batches(data.purchases, 1)) == 1_000


def test_the_fullest_stretch_is_found_wherever_it_lies():
    assert fullest([], 1.0) == 0
    assert fullest([0.0, 0.9, 1.0, 1.5, 1.8, 3.0], 1.0) == 4
    assert fullest([0.0, 1.0, 2.0], 1.0) == 1


def test_the_cursor_of_the_next_page_is_read_from_its_link():
    assert next_cursor({"links": {"next": "https://a.klaviyo.com/api/events?page%5Bcursor%5D=abc&sort=x"}}) == "abc"
    assert next_cursor({"links": {"next": None}}) is None
    assert next_cursor({}) is None


def test_the_proof_holds_only_when_nothing_was_lost_doubled_or_refused():
    assert Proof(lost=Counter(tasks=0), doubled=Counter(events=0)).holds
    assert not Proof(lost=Counter(tasks=1)).holds
    assert not Proof(doubled=Counter(events=1)).holds
    assert not Proof(throttled=1).holds


def test_every_tier_has_an_action_that_the_demo_saturates():
    saturated = ("create_event", "get_profiles", "bulk_create_events", "get_tags", "get_accounts")
    assert {ACTIONS[name].declaration.limits.tier.name for name in saturated} == {"XL", "L", "M", "S", "XS"}
