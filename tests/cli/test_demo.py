"""What the demo reads, splits and compares. A live test runs the demo itself."""

import csv
import io
from collections import Counter
from datetime import UTC, datetime

import pytest
from rich.console import Console

from cli.demo.data import CUSTOMERS, generate, load
from cli.demo.files import moment, number
from cli.demo.sandbox import AnswerCounts, Proof, most_in_any_span
from cli.demo.story import Story, batches, next_cursor
from cli.demo.view import View
from cli.limits import Row
from tasks.events import bulk_create_events
from worker.action import ACTIONS
from worker.errors import InputError, SourceError
from worker.tiers import Tier


@pytest.fixture
def write(tmp_path):
    """Write a CSV file and return its path."""

    def written(name, *rows):
        path = tmp_path / name
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        return path

    return written


def test_the_generated_customers_can_be_loaded_and_have_purchases(tmp_path):
    data = load(*generate(tmp_path))
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


def test_rows_that_cannot_be_imported_are_left_out_and_told_with_the_reason(write):
    path = write(
        "people.csv",
        ["email", "name"],
        *([f"person{n}@example.com", "x"] for n in range(1, 200)),
        ["nobody", "x"], ["", "x"], ["PERSON7@example.com", "x"], ["short@example.com"],
    )  # fmt: skip
    data = load(path)
    assert len(data.customers) == 199
    assert data.remarks[0] == (
        "4 of 203 rows of people.csv were left out: there is no identifier (1); "
        "an earlier row has the same identifier (1); there are fewer cells than columns: 1, and the header has 2 (1); "
        "and 1 other reasons."
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("brevo.csv", "EMAIL;LASTNAME;FIRSTNAME\nada@example.com;Lovelace;Ada\n"),
        ("people.tsv", "E-Mail\tCity\nada@example.com\tLondon\n"),
        ("people.jsonl", '{"Email Address": "ada@example.com", "tags": ["a"]}\n'),
        ("people.csv", "\ufeffemail,email,\nada@example.com,alt@example.com,extra\n"),
    ],
)
def test_whatever_its_delimiter_or_form_a_file_is_read(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert [each.profile["email"] for each in load(path).customers] == ["ada@example.com"]


def test_named_orders_are_the_customers_purchases(write):
    orders = write(
        "sold.csv",
        ["customer_id", "order_date", "cds", "value_usd"],
        ["1", "2024-05-01 10:00:00 +0200", "2", "12.50"],
        ["9", "2024-05-01", "1", "1.00"],
        ["1", "yesterday", "1", "1.00"],
        ["1", "2024-05-01", "1", "many"],
        ["1", "2222-05-01", "1", "1.00"],
    )
    data = load(write("shop_customers.csv", ["customer_id"], ["1"]), orders)
    [purchase] = data.purchases
    assert purchase.time == datetime(2024, 5, 1, 8, tzinfo=UTC)
    assert (purchase.value, purchase.unique_id, purchase.properties) == (12.5, "row-1", {"cds": 2})
    assert data.remarks[0].startswith("4 of 5 rows of sold.csv were left out: ")


def test_a_file_of_orders_that_was_not_named_is_left_alone(write):
    write("customers_orders.csv", ["customer_id", "order_date", "value"], ["1", "2024-05-01", "1"])
    write("orders.csv", ["customer_id", "order_date", "value"], ["1", "2024-05-01", "1"])
    data = load(write("customers.csv", ["customer_id"], ["1"]))
    assert [each.value for each in data.purchases] == [30.0] * 3
    assert "the purchases are invented" in data.remarks[0]


def test_purchases_from_before_klaviyos_time_are_all_moved_forward_by_the_same_years(write):
    orders = write(
        "orders.csv", ["customer_id", "order_date", "value"], ["1", "1997-01-01", "1"], ["1", "1998-06-30", "1"]
    )
    data = load(write("customers.csv", ["customer_id"], ["1"]), orders)
    assert [f"{each.time:%Y-%m-%d %a}" for each in data.purchases] == ["2025-01-01 Wed", "2026-06-30 Tue"]
    assert "moved forward by 28 years" in data.remarks[0]


def test_a_single_wrong_year_does_not_move_the_others_into_the_future(write):
    orders = write(
        "orders.csv", ["customer_id", "order_date", "value"], ["1", "1900-01-01", "1"], ["1", "2024-06-30", "1"]
    )
    data = load(write("customers.csv", ["customer_id"], ["1"]), orders)
    assert [f"{each.time:%Y-%m-%d}" for each in data.purchases] == ["2024-06-30"]


def test_customers_who_have_bought_nothing_are_customers(write):
    data = load(write("customers.csv", ["customer_id", "orders"], ["1", "0"]))
    assert (len(data.customers), data.purchases) == (1, [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-1.5", -1.5),
        ("007", None),
        ("nan", None),
        ("1e400", None),
        ("9" * 30, None),
        ("x", None),
        ("0", 0),
    ],
)
def test_a_number_is_one_that_json_carries_as_it_is(text, value):
    assert number(text) == value


def test_a_time_is_read_as_shops_write_it():
    assert moment("2026-05-01 10:00:00 +0200") == datetime(2026, 5, 1, 8, tzinfo=UTC)
    assert moment("2026-05-01") == datetime(2026, 5, 1, tzinfo=UTC)
    assert moment("May 1st") is None


def test_without_orders_the_purchases_follow_from_the_customers_columns(write):
    data = load(write("customers.csv", ["customer_id", "orders", "total_usd"], ["1", "4", "100"], ["2", "0", "0"]))
    assert [each.value for each in data.purchases] == [25.0] * 4
    assert "invented" in data.remarks[0]


@pytest.mark.parametrize(
    ("rows", "needs"),
    [
        ([], "the first line must name the columns"),
        ([["email"]], "it needs a column email or external_id or customer_id, and rows"),
        ([["name"], ["Ada"]], "there is no identifier"),
    ],
)
def test_a_file_without_customers_is_refused_with_what_it_needs(write, rows, needs):
    with pytest.raises((InputError, SourceError), match=needs):
        load(write("empty.csv", *rows))


def test_a_file_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"gone\.csv: it cannot be read"):
        load(tmp_path / "gone.csv")


def test_purchases_are_cut_into_batches_by_customer_and_each_is_a_valid_call(tmp_path):
    data = load(*generate(tmp_path))
    parts = list(batches(data.purchases, 150))
    assert len(parts) <= 150
    sent = Counter(event["unique_id"] for part in parts for one in part for event in one["events"])
    assert sent == Counter(each.unique_id for each in data.purchases)
    for part in parts:
        bulk_create_events.declaration.bind({"events": part})
    assert max(sum(len(one["events"]) for one in part) for part in batches(data.purchases, 1)) == 1_000


def test_the_fullest_stretch_is_found_wherever_it_lies():
    assert most_in_any_span([], 1.0) == 0
    assert most_in_any_span([0.0, 0.9, 1.0, 1.5, 1.8, 3.0], 1.0) == 4
    assert most_in_any_span([0.0, 1.0, 2.0], 1.0) == 1


def test_the_cursor_of_the_next_page_is_read_from_its_link():
    assert next_cursor({"links": {"next": "https://a.klaviyo.com/api/events?page%5Bcursor%5D=abc&sort=x"}}) == "abc"
    assert next_cursor({"links": {"next": None}}) is None
    assert next_cursor({}) is None


def test_the_proof_holds_only_when_nothing_was_lost_doubled_or_refused():
    assert Proof(lost=Counter(tasks=0), doubled=Counter(events=0)).holds
    assert not Proof(lost=Counter(tasks=1)).holds
    assert not Proof(doubled=Counter(events=1)).holds
    assert not Proof(throttled=1).holds


def test_customers_whom_the_sandbox_rejected_with_a_reason_are_not_counted_as_lost(tmp_path, write):
    data = load(write("customers.csv", ["email"], ["a@example.com"], ["b@reject.example"], ["c@example.com"]))
    rejects = tmp_path / "rejects.jsonl"
    rejects.write_text('{"row": 2, "stage": "job", "reason": "no", "original": {}}\n')

    Story(data, None, None, None, tmp_path)._leave_out(rejects)

    assert [each.profile["email"] for each in data.customers] == ["a@example.com", "c@example.com"]
    assert {each.customer.profile["email"] for each in data.purchases} == {"a@example.com", "c@example.com"}


def test_the_end_says_what_was_compared_to_find_what_was_lost_and_doubled(capsys):
    counts = AnswerCounts(answered=Counter(create_event=700, bulk_import_profiles=1, get_bulk_import_profiles_jobs=4))
    sandbox = type(
        "Sandbox",
        (),
        {"count_answers": lambda self: counts, "count_fullest": lambda self, name, windows: [0] * len(windows)},
    )()
    proof = Proof(tasks=700, customers=199, purchases=597, lost=Counter(events=2), requests=700)

    view = View(sandbox)
    view.explain()
    view.summary(proof, "http://127.0.0.1:5555", [], keep=False)

    told = " ".join(capsys.readouterr().out.split())
    assert "M 10/10 s 88/150 m is tier M with all 10 requests that Klaviyo takes in a second" in told
    assert "700 for 700 tasks, 5 for the import's jobs" in told
    assert "0 of 700 tasks have no result" in told
    assert "0 of 199 customers and 2 of 597 purchases are not in the sandbox" in told
    assert "0 requests were made beyond one for each task" in told


@pytest.mark.parametrize("width", [80, 120])
def test_the_living_table_breaks_no_name(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    name = "get_bulk_import_profiles_jobs"
    windows = [{"used": 350, "limit": 350, "per": "s"}, {"used": 3_500, "limit": 3_500, "per": "m"}]
    row = Row(f"default:{name}", "XL", windows, now=1_204, in_flight=32)
    out = io.StringIO()

    Console(file=out, width=width).print(View(None)._table({Tier.XL: [row]}, {Tier.XL: 58.0}, AnswerCounts()))

    assert name in out.getvalue()
    assert "1,204" in out.getvalue()
    assert ("under way" in out.getvalue()) is (width > 80)


def test_every_tier_has_an_action_that_the_demo_saturates():
    saturated = ("create_event", "get_profiles", "bulk_create_events", "get_tags", "get_accounts")
    assert {ACTIONS[name].declaration.limits.tier.name for name in saturated} == {"XL", "L", "M", "S", "XS"}
