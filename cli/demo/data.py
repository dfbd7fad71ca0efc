"""The demo's customers and purchases: read from files, or invented, the same ones every time.

Rows that an import would reject are left out and reported: the demo only counts as lost what it has sent.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cli.demo.files import Row, moment, number, rows, take
from cli.terminal.tables import most_frequent
from tasks.imports import Options
from tasks.imports.parts import split_into_parts
from tasks.imports.plan import compile_plan
from tasks.imports.reasons import Reasons
from tasks.imports.rejects import Rejected
from tasks.imports.sources import open_rows
from worker.errors import InputError

#: The metric of its purchases.
METRIC = "Placed Order"

#: Klaviyo keeps no event before this time.
EARLIEST_EVENT = datetime(2000, 1, 1, tzinfo=UTC)
#: After this many days the calendar repeats itself, weekdays included.
CALENDAR_CYCLE = timedelta(days=28 * 365 + 7)

#: Accepted names of columns; the first one found counts.
ID_COLUMNS = ("external_id", "customer_id", "id")
EMAIL_COLUMNS = ("email", "email_address", "e_mail", "e_post", "mail")
DATE_COLUMNS = ("order_date", "ordered_at", "date", "time", "created_at")
VALUE_COLUMNS = ("value", "value_usd", "total_usd", "total", "amount", "price")
NAME_COLUMNS = ("first_name", "last_name")

FIRST_NAMES = (
    "Ada",
    "Alan",
    "Barbara",
    "Blaise",
    "Donald",
    "Edsger",
    "Emmy",
    "Grace",
    "Hedy",
    "Joan",
    "Karen",
    "Katherine",
)
LAST_NAMES = ("Bartik", "Clarke", "Dijkstra", "Hopper", "Johnson", "Lamarr", "Liskov", "Lovelace", "Noether", "Turing")
CITIES = ("Amsterdam", "Boston", "Hamburg", "Lisbon", "London", "Lyon", "Oslo", "Turin")

#: How many are invented: enough for every tier to have more to do than its limits allow at once.
CUSTOMERS, MAX_ORDERS = 3_000, 5


@dataclass(frozen=True, slots=True)
class Customer:
    """A person to import; ``profile`` is what `bulk_import_profiles` takes."""

    profile: dict[str, Any]

    @property
    def owner(self) -> dict[str, Any]:
        """Return what identifies the person in an event."""
        return {name: self.profile[name] for name in ("email", "external_id") if name in self.profile}


@dataclass(frozen=True, slots=True)
class Purchase:
    """Something that a customer bought."""

    customer: Customer
    time: datetime
    value: float
    unique_id: str
    properties: dict[str, Any]

    @property
    def event(self) -> dict[str, Any]:
        """Return the parameters of `create_event`, without the profile."""
        return {
            "metric": METRIC,
            "time": self.time,
            "value": self.value,
            "unique_id": self.unique_id,
            "properties": self.properties,
        }


@dataclass(slots=True)
class Data:
    """Everything that the demo sends, and remarks about it."""

    customers: list[Customer] = field(default_factory=list)
    purchases: list[Purchase] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    #: An identifier that all customers have.
    identifier: str = "email"

    def leave_out(self, emails: set[str]) -> None:
        """Drop these customers and their purchases."""
        self.customers = [each for each in self.customers if each.profile["email"] not in emails]
        self.purchases = [each for each in self.purchases if each.customer.profile["email"] not in emails]


def load(path: Path, orders: Path | None = None) -> Data:
    """Load the customers of a file, with their purchases from another one, or with invented ones.

    Raises:
        InputError: a file has nothing that could be imported.
        SourceError: a file cannot be read.

    """
    data = Data()
    data.customers = _customers(path, data.remarks)
    if all("external_id" in each.profile for each in data.customers):
        data.identifier = "external_id"
    if orders:
        data.purchases = _purchases(orders, data)
    else:
        data.purchases = list(_invented(path, data.customers))
        data.remarks.append("No file of orders was given (ORDERS=orders.csv), so the purchases are invented.")
        _into_klaviyos_time(data)
    return data


def generate(folder: Path) -> tuple[Path, Path]:
    """Write invented customers and orders; return both files."""
    chance = random.Random(1815)  # noqa: S311  the same people every time
    customers, orders = folder / "customers.csv", folder / "orders.csv"
    # Yesterday is in the past in every time zone.
    last = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    with customers.open("w", newline="") as people, orders.open("w", newline="") as bought:
        person, order = csv.writer(people), csv.writer(bought)
        person.writerow(["customer_id", "email", "first_name", "last_name", "city"])
        order.writerow(["customer_id", "order_date", "items", "value"])
        for number in range(1, CUSTOMERS + 1):
            first, family = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
            email = f"{first}.{family}.{number}@example.com".lower()
            person.writerow([number, email, first, family, chance.choice(CITIES)])
            for _ in range(chance.randint(1, MAX_ORDERS)):
                day = last - timedelta(days=chance.randint(0, 700))
                order.writerow([number, f"{day:%Y-%m-%d}", chance.randint(1, 9), round(chance.uniform(5, 250), 2)])
    return customers, orders


class _LeftOut:
    """The rows of a file that are left out, and why."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reasons = Reasons()
        self.rows = 0

    def read(self) -> Iterator[tuple[int, Row]]:
        """Yield the rows that can be read."""
        for at, row in rows(self._path):
            self.rows += 1
            if isinstance(row, str):
                self.add(row)
            else:
                yield at, row

    def add(self, reason: str) -> None:
        """Count one more row."""
        self._reasons.add(reason)

    def sentences(self) -> Iterator[str]:
        """Yield a sentence if any rows were left out."""
        found = self._reasons.most_frequent()
        if count := sum(count for _, count in found):
            yield f"{count:,} of {self.rows:,} rows of {self._path.name} were left out: {most_frequent(found)}."


def _customers(path: Path, remarks: list[str]) -> list[Customer]:
    seen: set[str] = set()
    found: list[Customer] = []
    left_out = _LeftOut(path)
    for _, row in left_out.read():
        external_id, email = take(row, ID_COLUMNS), take(row, EMAIL_COLUMNS)
        if not email and not external_id:
            left_out.add("there is no identifier")
            continue
        email = email or f"customer-{external_id}@example.com"
        names = {email.casefold(), *([f"#{external_id}"] if external_id else [])}
        if names & seen:
            left_out.add("an earlier row has the same identifier")
            continue
        seen |= names
        profile: dict[str, Any] = {"email": email}
        if external_id:
            profile["external_id"] = external_id
        profile |= {name: value for name in NAME_COLUMNS if (value := row.pop(name, ""))}
        if properties := _properties(row):
            profile["properties"] = properties
        found.append(Customer(profile))
    refused = _refused("profiles", [each.profile for each in found])
    for reason in refused.values():
        left_out.add(reason)
    good = [each for at, each in enumerate(found, 1) if at not in refused]
    remarks += left_out.sentences()
    if not good:
        needs = f"it needs a column {' or '.join((*EMAIL_COLUMNS[:1], *ID_COLUMNS[:2]))}, and rows"
        raise InputError("demo", [f"{path} has no customers: {' '.join(left_out.sentences()).rstrip('.') or needs}"])
    return good


def _purchases(path: Path, data: Data) -> list[Purchase]:
    by_name = {each.profile["email"].casefold(): each for each in data.customers}
    by_name |= {f"#{each.profile['external_id']}": each for each in data.customers if "external_id" in each.profile}
    left_out = _LeftOut(path)
    for at, row in left_out.read():
        external_id, email = take(row, ID_COLUMNS[:2]), take(row, EMAIL_COLUMNS)
        customer = by_name.get(f"#{external_id}") or by_name.get(email.casefold())
        time, value = moment(take(row, DATE_COLUMNS)), number(take(row, VALUE_COLUMNS) or "0")
        if customer is None:
            left_out.add("it belongs to no imported customer")
        elif time is None:
            left_out.add("it has no readable date")
        elif value is None:
            left_out.add("its value is not a number")
        else:
            data.purchases.append(Purchase(customer, time, float(value), f"row-{at}", _properties(row)))
    _into_klaviyos_time(data)
    refused = _refused("events", [{**each.event, "profile": each.customer.owner} for each in data.purchases])
    for reason in refused.values():
        left_out.add(reason)
    data.remarks += left_out.sentences()
    good = [each for at, each in enumerate(data.purchases, 1) if at not in refused]
    if not good:
        needs = "it needs columns like customer_id or email, order_date and value"
        raise InputError("demo", [f"{path} has no orders of these customers: {needs}"])
    return good


def _properties(row: Row) -> dict[str, Any]:
    return {name: text if (value := number(text)) is None else value for name, text in row.items()}


def _refused(kind: str, records: list[dict[str, Any]]) -> dict[int, str]:
    """Return which of these records an import would reject, by their numbers from 1, and why."""
    made = split_into_parts(open_rows(records), compile_plan(kind, None, Options()))
    return {each.row: each.reason for each in made if isinstance(each, Rejected)}


def _invented(path: Path, customers: list[Customer]) -> Iterator[Purchase]:
    """Yield as many purchases as the customer's own columns `orders` and `total…` say, or three."""
    last = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    for place, customer in enumerate(customers, 1):
        known = customer.profile.get("properties", {})
        count = known.get("orders")
        count = count if isinstance(count, int) and 0 <= count <= 1_000 else 3
        total = next((known[name] for name in VALUE_COLUMNS if isinstance(known.get(name), int | float)), 30.0 * count)
        for at in range(count):
            yield Purchase(
                customer, last - timedelta(days=30 * at), round(total / count, 2), f"{path.stem}-{place}-{at}", {}
            )


def _into_klaviyos_time(data: Data) -> None:
    """Move all purchases forward alike if some are from before 2000, which Klaviyo does not keep."""
    times = [each.time for each in data.purchases]
    cycles = 0
    while times and min(times) + cycles * CALENDAR_CYCLE < EARLIEST_EVENT:
        cycles += 1
    # A single wrong date must not move the others into the future: it is rejected instead.
    if cycles and max(times) + cycles * CALENDAR_CYCLE < datetime.now(UTC):
        data.purchases = [replace(each, time=each.time + cycles * CALENDAR_CYCLE) for each in data.purchases]
        data.remarks.append(
            f"Klaviyo keeps no event before 2000: every purchase was moved forward by {28 * cycles} years."
        )
