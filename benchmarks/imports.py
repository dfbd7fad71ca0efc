"""How quickly rows become request bodies, beside a plain loop: csv.DictReader, a pydantic model a row, json.dumps.

python -m benchmarks.imports [--rows 1000000] [--kind profiles]
"""

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, StringConstraints
from rich.console import Console
from rich.table import Table

from tasks.imports.options import Options
from tasks.imports.parts import Part, parts
from tasks.imports.plan import compile_plan
from tasks.imports.sources import source_of
from tasks.rules import E164, EMAIL

NAMES = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Margaret", "Radia", "Katherine", "Annie", "Zoë")
FAMILIES = ("Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Hamilton", "Perlman", "Johnson", "Åström")
CITIES = [("London", "United Kingdom"), ("Köln", "Germany"), ("Arlington", "United States"), ("Göteborg", "Sweden")]
HEADERS = {
    "profiles": (
        "email,phone_number,external_id,first_name,last_name,location.city,location.country,"
        "properties.plan,properties.orders"
    ),
    "events": "email,time,value,value_currency,unique_id,properties.sku,properties.quantity",
}


def person(number: int, chance: random.Random) -> list[str]:
    """A row of a profile, of about 120 bytes; one in five has no phone number."""
    first, last = chance.choice(NAMES), chance.choice(FAMILIES)
    phone = f"+1415{number:07d}" if chance.random() < 0.8 else ""
    plan = chance.choice(("free", "starter", "professional", "enterprise"))
    email = f"{first}.{last}.{number}@customers.example.com".lower()
    return [
        email,
        phone,
        f"crm-customer-{number:08d}",
        first,
        last,
        *chance.choice(CITIES),
        plan,
        f"{chance.randrange(99)}",
    ]


def purchase(number: int, chance: random.Random) -> list[str]:
    """A row of an event, of about 100 bytes."""
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    email = f"customer.{chance.randrange(100_000)}@customers.example.com"
    return [
        email,
        at.isoformat(),
        f"{chance.randrange(9999) / 100}",
        "EUR",
        f"order-{number}",
        f"SKU-{chance.randrange(999)}",
        "1",
    ]


ROWS: dict[str, Callable[[int, random.Random], list[str]]] = {"profiles": person, "events": purchase}


def generate(path: Path, kind: str, rows: int) -> None:
    """Write a CSV, the same each time."""
    chance = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(HEADERS[kind] + "\n")
        csv.writer(file, lineterminator="\n").writerows(ROWS[kind](number, chance) for number in range(rows))


def ours(path: Path, kind: str) -> Iterator[bytes]:
    """The bodies that an import sends."""
    source = source_of(path)
    fixed = {"metric": "Placed Order"} if kind == "events" else {}
    plan = compile_plan(kind, source.columns, Options(fixed=fixed))
    for each in parts(source, plan):
        assert isinstance(each, Part), "every row of the file is good"
        yield each.body


# The same pattern: the engine of pydantic neither knows nor needs the possessive ``++``.
Email = Annotated[str, StringConstraints(pattern=f"^{EMAIL.pattern.replace('++', '+')}$")]
PhoneNumber = Annotated[str, StringConstraints(pattern=f"^{E164.pattern}$")]


class Location(BaseModel):
    """Where somebody lives."""

    city: str | None = None
    country: str | None = None


class Profile(BaseModel):
    """A row of the loop."""

    email: Email | None = None
    phone_number: PhoneNumber | None = None
    external_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    location: Location
    properties: dict[str, str]


class Event(BaseModel):
    """A row of the loop."""

    email: Email
    time: AwareDatetime
    value: float
    value_currency: str
    unique_id: str
    properties: dict[str, str]


def nested(row: dict[str, str]) -> dict[str, Any]:
    """A row without what is empty, and with its dotted names taken apart."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if value:
            group, _, key = name.partition(".")
            if key:
                found.setdefault(group, {})[key] = value
            else:
                found[group] = value
    return found


def profile(row: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """What the row is known by, and the item of the request."""
    valid = Profile(**nested(row))
    attributes = valid.model_dump(exclude_none=True)
    return str(valid.email).casefold(), {"type": "profile", "attributes": attributes}


def event(row: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """What the row is known by, and the item of the request."""
    attributes = Event(**nested(row)).model_dump(mode="json")
    metric = {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}}
    who = {"data": {"type": "profile", "attributes": {"email": attributes.pop("email")}}}
    listed = [{"type": "event", "attributes": {"metric": metric, **attributes}}]
    item = {"type": "event-bulk-create", "attributes": {"profile": who, "events": {"data": listed}}}
    return attributes["unique_id"], item


def plain(path: Path, kind: str) -> Iterator[bytes]:
    """The bodies of a loop as one writes it: the same checks by the same patterns, the same shape, by count alone."""
    made, type, name, most = {
        "profiles": (profile, "profile-bulk-import-job", "profiles", 10_000),
        "events": (event, "event-bulk-create-job", "events-bulk-create", 1_000),
    }[kind]

    def body(items: list[dict[str, Any]]) -> bytes:
        return json.dumps({"data": {"type": type, "attributes": {name: {"data": items}}}}).encode()

    seen: set[str] = set()
    items: list[dict[str, Any]] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            key, item = made(row)
            if key in seen:
                continue
            seen.add(key)
            items.append(item)
            if len(items) == most:
                yield body(items)
                items = []
    if items:
        yield body(items)


def measure(way: str, path: Path, kind: str) -> None:
    """Go through a file once, in this process; print its processor time, the requests and the peak of memory in MB."""
    began = time.process_time()
    requests = sum(1 for _ in {"ours": ours, "plain": plain}[way](path, kind))
    seconds = time.process_time() - began
    print(json.dumps([seconds, requests, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=list(HEADERS), default="profiles")
    parser.add_argument("--measure", nargs=2, metavar=("WAY", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure[0], Path(options.measure[1]), options.kind)
        return
    table = Table(title=f"{options.rows:,} rows of {options.kind} as request bodies, one core")
    for column in ("", "rows/s", "requests", "peak memory, MB"):
        table.add_column(column, justify="right" if column else "left")
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{options.kind}.csv")
        generate(path, options.kind, options.rows)
        for way in ("ours", "plain"):
            command = [sys.executable, "-m", "benchmarks.imports", "--kind", options.kind, "--measure", way, str(path)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, requests, memory = json.loads(told)
            rates[way] = options.rows / seconds
            table.add_row(
                {"ours": "import", "plain": "plain loop"}[way], f"{rates[way]:,.0f}", f"{requests:,}", f"{memory:.0f}"
            )
    table.add_row("ratio", f"{rates['ours'] / rates['plain']:.1f}", "", "")
    Console().print(table)


if __name__ == "__main__":
    main()
