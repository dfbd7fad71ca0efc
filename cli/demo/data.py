"""The demo's people and purchases: read from files, or made up, the same ones every time.

Rows that an import would set aside are left out, and said: what the demo counts as lost has to have been sent.
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
from cli.tables import most_frequent
from tasks.imports import Options
from tasks.imports.parts import parts
from tasks.imports.plan import compile_plan
from tasks.imports.reasons import Reasons
from tasks.imports.rejects import Rejected
from tasks.imports.sources import source_of
from worker.errors import InputError

#: What its customers have bought.
METRIC = "Placed Order"

#: Klaviyo keeps no event before this moment.
FIRST_EVENT = datetime(2000, 1, 1, tzinfo=UTC)
#: After so many days the calendar repeats itself, weekdays included.
CYCLE = timedelta(days=28 * 365 + 7)

#: How columns may be called, the first one found counts.
ID = ("external_id", "customer_id", "id")
EMAIL = ("email", "email_address", "e_mail", "e_post", "mail")
DATE = ("order_date", "ordered_at", "date", "time", "created_at")
VALUE = ("value", "value_usd", "total_usd", "total", "amount", "price")
NAMES = ("first_name", "last_name")

FIRST = ("Ada", "Alan", "Barbara", "Blaise", "Donald", "Edsger", "Emmy", "Grace", "Hedy", "Joan", "Karen", "Katherine")
LAST = ("Bartik", "Clarke", "Dijkstra", "Hopper", "Johnson", "Lamarr", "Liskov", "Lovelace", "Noether", "Turing")
CITIES = ("Amsterdam", "Boston", "Hamburg", "Lisbon", "London", "Lyon", "Oslo", "Turin")

#: What is made up: enough that every tier has more to do than its limits let through at once.
CUSTOMERS, MOST_ORDERS = 3_000, 5


@dataclass(frozen=True, slots=True)
class Customer:
    """A person to import. `profile` is what `bulk_import_profiles` takes."""

    profile: dict[str, Any]

    @property
    def owner(self) -> dict[str, Any]:
        """What names the person where it is told what they did."""
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
        """As `create_event` takes it, apart from whose it is."""
        return {
            "metric": METRIC,
            "time": self.time,
            "value": self.value,
            "unique_id": self.unique_id,
            "properties": self.properties,
        }


@dataclass(slots=True)
class Data:
    """Everything that the demo sends, and what has to be said about it."""

    customers: list[Customer] = field(default_factory=list)
    purchases: list[Purchase] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    #: The identifier that all customers have.
    identifier: str = "email"

    def leave_out(self, emails: set[str]) -> None:
        """Forget these customers, and their purchases."""
        self.customers = [each for each in self.customers if each.profile["email"] not in emails]
        self.purchases = [each for each in self.purchases if each.customer.profile["email"] not in emails]


def load(path: Path, orders: Path | None = None) -> Data:
    """The customers of a file, with their purchases from another one, or with made-up ones.

    Raises:
        InputError: there is nothing in it that could be imported.
        SourceError: it cannot be read.

    """
    data = Data()
    data.customers = _customers(path, data.remarks)
    if all("external_id" in each.profile for each in data.customers):
        data.identifier = "external_id"
    if orders:
        data.purchases = _purchases(orders, data)
    else:
        data.purchases = list(_invented(path, data.customers))
        data.remarks.append("No file of orders was named (ORDERS=orders.csv): the purchases are made up.")
        _into_klaviyos_time(data)
    return data


def generate(folder: Path) -> tuple[Path, Path]:
    """Write made-up customers and orders; returns both files."""
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
    return customers, orders


class _LeftOut:
    """Rows of a file that are not used, and why."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reasons = Reasons()
        self.rows = 0

    def read(self) -> Iterator[tuple[int, Row]]:
        """The rows that can be read."""
        for at, row in rows(self._path):
            self.rows += 1
            if isinstance(row, str):
                self.add(row)
            else:
                yield at, row

    def add(self, reason: str) -> None:
        """One more."""
        self._reasons.add(reason)

    def told(self) -> Iterator[str]:
        """One sentence, if there are any."""
        found = self._reasons.most_frequent()
        if count := sum(count for _, count in found):
            yield f"{count:,} of {self.rows:,} rows of {self._path.name} were left out: {most_frequent(found)}."


def _customers(path: Path, remarks: list[str]) -> list[Customer]:
    seen: set[str] = set()
    found: list[Customer] = []
    left_out = _LeftOut(path)
    for _, row in left_out.read():
        external_id, email = take(row, ID), take(row, EMAIL)
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
        profile |= {name: value for name in NAMES if (value := row.pop(name, ""))}
        if properties := _properties(row):
            profile["properties"] = properties
        found.append(Customer(profile))
    refused = _refused("profiles", [each.profile for each in found])
    for reason in refused.values():
        left_out.add(reason)
    good = [each for at, each in enumerate(found, 1) if at not in refused]
    remarks += left_out.told()
    if not good:
        needs = f"it needs a column {' or '.join((*EMAIL[:1], *ID[:2]))}, and rows"
        raise InputError("demo", [f"{path} has no customers: {' '.join(left_out.told()).rstrip('.') or needs}"])
    return good


def _purchases(path: Path, data: Data) -> list[Purchase]:
    by_name = {each.profile["email"].casefold(): each for each in data.customers}
    by_name |= {f"#{each.profile['external_id']}": each for each in data.customers if "external_id" in each.profile}
    left_out = _LeftOut(path)
    for at, row in left_out.read():
        external_id, email = take(row, ID[:2]), take(row, EMAIL)
        customer = by_name.get(f"#{external_id}") or by_name.get(email.casefold())
        time, value = moment(take(row, DATE)), number(take(row, VALUE) or "0")
        if customer is None:
            left_out.add("it is of no customer that was imported")
        elif time is None:
            left_out.add("it has no date that can be read")
        elif value is None:
            left_out.add("its value is not a number")
        else:
            data.purchases.append(Purchase(customer, time, float(value), f"row-{at}", _properties(row)))
    _into_klaviyos_time(data)
    refused = _refused("events", [{**each.event, "profile": each.customer.owner} for each in data.purchases])
    for reason in refused.values():
        left_out.add(reason)
    data.remarks += left_out.told()
    good = [each for at, each in enumerate(data.purchases, 1) if at not in refused]
    if not good:
        needs = "it needs columns like customer_id or email, order_date and value"
        raise InputError("demo", [f"{path} has no orders of these customers: {needs}"])
    return good


def _properties(row: Row) -> dict[str, Any]:
    return {name: text if (value := number(text)) is None else value for name, text in row.items()}


def _refused(kind: str, records: list[dict[str, Any]]) -> dict[int, str]:
    """What an import would set aside of these, by their numbers from 1, and why."""
    made = parts(source_of(records), compile_plan(kind, None, Options()))
    return {each.row: each.reason for each in made if isinstance(each, Rejected)}


def _invented(path: Path, customers: list[Customer]) -> Iterator[Purchase]:
    """As many purchases as the customer's own columns `orders` and `total…` say, or three."""
    last = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    for place, customer in enumerate(customers, 1):
        known = customer.profile.get("properties", {})
        count = known.get("orders")
        count = count if isinstance(count, int) and 0 <= count <= 1_000 else 3
        total = next((known[name] for name in VALUE if isinstance(known.get(name), int | float)), 30.0 * count)
        for at in range(count):
            yield Purchase(
                customer, last - timedelta(days=30 * at), round(total / count, 2), f"{path.stem}-{place}-{at}", {}
            )


def _into_klaviyos_time(data: Data) -> None:
    """Klaviyo keeps no event before 2000: move older purchases on, all of them alike."""
    times = [each.time for each in data.purchases]
    cycles = 0
    while times and min(times) + cycles * CYCLE < FIRST_EVENT:
        cycles += 1
    # A single wrong date does not take the others into the future: it is left out.
    if cycles and max(times) + cycles * CYCLE < datetime.now(UTC):
        data.purchases = [replace(each, time=each.time + cycles * CYCLE) for each in data.purchases]
        data.remarks.append(f"Klaviyo keeps no event before 2000: every purchase was moved on by {28 * cycles} years.")
