"""The demo's people and purchases: read from CSV files, or made up, the same ones every time."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from worker.errors import KlaviyoError

#: Klaviyo keeps no event before this moment.
FIRST_EVENT = datetime(2000, 1, 1, tzinfo=UTC)
#: After so many days the calendar repeats itself, weekdays included.
CYCLE = timedelta(days=28 * 365 + 7)

#: How columns may be called, the first one found counts.
ID = ("external_id", "customer_id", "id")
EMAIL = ("email", "email_address")
DATE = ("order_date", "ordered_at", "date", "time", "created_at")
VALUE = ("value", "value_usd", "total_usd", "total", "amount", "price")
NAMES = ("first_name", "last_name")

FIRST = ("Ada", "Alan", "Barbara", "Blaise", "Donald", "Edsger", "Emmy", "Grace", "Hedy", "Joan", "Karen", "Katherine")
LAST = ("Bartik", "Clarke", "Dijkstra", "Hopper", "Johnson", "Lamarr", "Liskov", "Lovelace", "Noether", "Turing")
CITIES = ("Amsterdam", "Boston", "Hamburg", "Lisbon", "London", "Lyon", "Oslo", "Turin")

#: What is made up: enough that every tier has more to do than its limits let through at once.
CUSTOMERS, MOST_ORDERS = 3_000, 5


class DataError(KlaviyoError):
    """A file that the demo cannot use."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A person to import. `profile` is what `bulk_import_profiles` takes."""

    profile: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Purchase:
    """Something that a customer bought."""

    customer: Customer
    time: datetime
    value: float
    unique_id: str
    properties: dict[str, Any]


@dataclass(slots=True)
class Data:
    """Everything that the demo sends, and what has to be said about it."""

    customers: list[Customer] = field(default_factory=list)
    purchases: list[Purchase] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    #: The identifier that all customers have.
    identifier: str = "email"


def load(path: Path) -> Data:
    """The customers of a CSV file, with the purchases of the file of orders beside it, or made-up ones.

    Raises:
        DataError: there is nothing in it that could be imported.

    """
    data = Data()
    data.customers = list(_customers(path, data.remarks))
    if not data.customers:
        raise DataError(f"{path} has no customers: it needs a column {' or '.join((*EMAIL[:1], *ID[:2]))}, and rows.")
    if all("external_id" in each.profile for each in data.customers):
        data.identifier = "external_id"
    if orders := _orders_beside(path):
        data.purchases = list(_purchases(orders, data))
        if not data.purchases:
            raise DataError(
                f"{orders} has no orders of these customers: it needs columns like customer_id, order_date and value."
            )
    else:
        data.purchases = list(_invented(path, data.customers))
        data.remarks.append("There is no file of orders beside it (*orders*.csv): the purchases are made up.")
    _into_klaviyos_time(data)
    return data


def generate(folder: Path) -> Path:
    """Write made-up customers and orders; returns the customers' file."""
    chance = random.Random(1815)  # noqa: S311  the same people every time
    customers, orders = folder / "customers.csv", folder / "orders.csv"
    # Yesterday is past wherever the demo runs.
    last = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    with customers.open("w", newline="") as people, orders.open("w", newline="") as bought:
        person, order = csv.writer(people), csv.writer(bought)
        person.writerow(["customer_id", "email", "first_name", "last_name", "city"])
        order.writerow(["customer_id", "order_date", "items", "value"])
        for number in range(1, CUSTOMERS + 1):
            first, family = chance.choice(FIRST), chance.choice(LAST)
            email = f"{first}.{family}.{number}@example.com".lower()
            person.writerow([number, email, first, family, chance.choice(CITIES)])
            for _ in range(chance.randint(1, MOST_ORDERS)):
                day = last - timedelta(days=chance.randint(0, 700))
                order.writerow([number, f"{day:%Y-%m-%d}", chance.randint(1, 9), round(chance.uniform(5, 250), 2)])
    return customers


def _customers(path: Path, remarks: list[str]) -> Iterator[Customer]:
    seen: set[str] = set()
    left_out = 0
    for _, row in _rows(path):
        external_id, email = _take(row, ID), _take(row, EMAIL)
        if external_id and not email:
            email = f"customer-{external_id}@example.com"
        names = {email.lower(), *([f"#{external_id}"] if external_id else [])}
        if "@" not in email or names & seen:
            left_out += 1
            continue
        seen |= names
        profile: dict[str, Any] = {"email": email}
        if external_id:
            profile["external_id"] = external_id
        profile |= {name: value for name in NAMES if (value := row.pop(name, ""))}
        if properties := {name: _number(value) for name, value in row.items() if value}:
            profile["properties"] = properties
        yield Customer(profile)
    if left_out:
        remarks.append(f"{left_out:,} rows of {path.name} were left out: no identifier, or one that was there before.")


def _orders_beside(path: Path) -> Path | None:
    twin = path.with_name(path.name.replace("customers", "orders"))
    if twin != path and twin.is_file():
        return twin
    return next((each for each in sorted(path.parent.glob("*orders*.csv")) if each != path), None)


def _purchases(path: Path, data: Data) -> Iterator[Purchase]:
    by_name = {each.profile["email"].lower(): each for each in data.customers}
    by_name |= {each.profile["external_id"]: each for each in data.customers if "external_id" in each.profile}
    left_out = 0
    for number, row in _rows(path):
        external_id, email = _take(row, ID[:2]), _take(row, EMAIL)
        customer = by_name.get(external_id) or by_name.get(email.lower())
        time, value = _time(_take(row, DATE)), _number(_take(row, VALUE) or "0")
        if customer is None or time is None or isinstance(value, str):
            left_out += 1
            continue
        properties = {name: _number(text) for name, text in row.items() if text}
        yield Purchase(customer, time, float(value), f"line-{number}", properties)
    if left_out:
        data.remarks.append(f"{left_out:,} rows of {path.name} were left out: no such customer, or no date or value.")


def _invented(path: Path, customers: list[Customer]) -> Iterator[Purchase]:
    """As many purchases as the customer's own columns `orders` and `total…` say, or three."""
    last = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    for place, customer in enumerate(customers, 1):
        known = customer.profile.get("properties", {})
        count = known.get("orders")
        count = count if isinstance(count, int) and 0 <= count <= 1_000 else 3
        total = next((known[name] for name in VALUE if isinstance(known.get(name), int | float)), 30.0 * count)
        for number in range(count):
            yield Purchase(
                customer,
                last - timedelta(days=30 * number),
                round(total / count, 2),
                f"{path.stem}-{place}-{number}",
                {},
            )


def _into_klaviyos_time(data: Data) -> None:
    """Klaviyo keeps no event before 2000: move older purchases on, all of them alike."""
    cycles = 0
    while min(each.time for each in data.purchases) + cycles * CYCLE < FIRST_EVENT:
        cycles += 1
    if cycles:
        data.purchases = [
            Purchase(each.customer, each.time + cycles * CYCLE, each.value, each.unique_id, each.properties)
            for each in data.purchases
        ]
        data.remarks.append(f"Klaviyo keeps no event before 2000: every purchase was moved on by {28 * cycles} years.")


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows with their line numbers, column names in lower case with ``_``."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            for row in reader:
                named = {name: value for name, value in row.items() if name is not None and value is not None}
                yield reader.line_num, {_column(name): value.strip() for name, value in named.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path} cannot be read as CSV in UTF-8: {reason}.") from None


def _column(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _take(row: dict[str, str], names: tuple[str, ...]) -> str:
    """The value of the first of these columns that has one; the column is used up."""
    return next((value for name in names if (value := row.pop(name, ""))), "")


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
