"""How quickly rows become request bodies, beside a plain loop: csv.DictReader, a pydantic model a row, json.dumps.

Of a customers file as Shopify exports it, with apostrophes, phone numbers and tags, the loop reads the phone numbers by
phonenumbers. `--plan` measures how long it takes to recognise such a file and to plan its import.

python -m benchmarks.imports [--rows 1000000] [--kind profiles|quoted|events|shopify] [--plan]
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

import phonenumbers
from pydantic import AwareDatetime, BaseModel, StringConstraints
from rich.console import Console
from rich.table import Table

from tasks.imports.interpretation import interpret
from tasks.imports.options import Options
from tasks.imports.parts import Part, split_into_parts
from tasks.imports.preview import make_preview
from tasks.imports.sources import open_rows
from tasks.rules import E164, EMAIL

NAMES = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Margaret", "Radia", "Katherine", "Annie", "Zoë")
FAMILIES = ("Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Hamilton", "Perlman", "Johnson", "Åström")
CITIES = [("London", "United Kingdom"), ("Köln", "Germany"), ("Arlington", "United States"), ("Göteborg", "Sweden")]
HEADERS = {
    "profiles": (
        "email,phone_number,external_id,first_name,last_name,location.city,location.country,"
        "properties.plan,properties.orders"
    ),
    "quoted": (
        "email,phone_number,external_id,first_name,last_name,location.city,location.country,"
        "properties.plan,properties.orders"
    ),
    "events": "email,time,value,value_currency,unique_id,properties.sku,properties.quantity",
    "shopify": (
        "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,"
        "Default Address Address1,Default Address Address2,Default Address City,Default Address Province Code,"
        "Default Address Country Code,Default Address Zip,Default Address Phone,Phone,Accepts SMS Marketing,"
        "Total Spent,Total Orders,Note,Tax Exempt,Tags"
    ),
}
TAGS = ("", "retail", "retail, vip", "wholesale, ag-exempt, net-30", "vip")


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


def shopper(number: int, chance: random.Random) -> list[str]:
    """A row as Shopify exports it: Excel's apostrophe before what is all digits, tags in quotes."""
    first, last = chance.choice(NAMES), chance.choice(FAMILIES)
    calls = (f"'+1415{2_000_000 + number % 7_000_000:07d}", f"'+4670{number % 10_000_000:07d}", "")
    city, _ = chance.choice(CITIES)
    return [
        f"'{7210448000000 + number}",
        first,
        last,
        f"{first}.{last}.{number}@customers.example.com".lower(),
        chance.choice(("yes", "no")),
        "",
        f"{number % 999} Main St",
        "",
        city,
        chance.choice(("NV", "UT", "CA")),
        "US",
        f"'{number % 100_000:05d}",
        f"(415) 5{number % 90 + 10}-{number % 10_000:04d}" if chance.random() < 0.1 else "",
        chance.choice(calls),
        "no",
        f"{chance.randrange(999_999) / 100}",
        f"{chance.randrange(60)}",
        "",
        chance.choice(("yes", "no")),
        chance.choice(TAGS),
    ]


ROWS: dict[str, Callable[[int, random.Random], list[str]]] = {
    "profiles": person,
    "quoted": person,
    "events": purchase,
    "shopify": shopper,
}


def generate(path: Path, kind: str, rows: int) -> None:
    """Write a CSV, the same each time; one of the kind ``quoted`` has every cell in quotes."""
    chance = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(HEADERS[kind] + "\n")
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL if kind == "quoted" else csv.QUOTE_MINIMAL)
        writer.writerows(ROWS[kind](number, chance) for number in range(rows))


def ours(path: Path, kind: str) -> Iterator[bytes]:
    """The bodies that an import sends."""
    fixed = {"metric": "Placed Order"} if kind == "events" else {}
    source, plan = interpret(open_rows(path), "events" if kind == "events" else "profiles", Options(fixed=fixed))
    for each in split_into_parts(source, plan):
        assert isinstance(each, Part), "every row of the file is good"
        yield each.body


# The same pattern: the engine of pydantic neither knows nor needs the possessive ``++``.
Email = Annotated[str, StringConstraints(pattern=f"^{EMAIL.pattern.replace('++', '+')}$")]
PhoneNumber = Annotated[str, StringConstraints(pattern=f"^{E164.pattern}$")]


class Location(BaseModel):
    """Where somebody lives."""

    address1: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None
    zip: str | None = None


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


class Shopper(BaseModel):
    """A row of the loop over Shopify's file."""

    external_id: str
    email: Email | None = None
    phone_number: PhoneNumber | None = None
    first_name: str | None = None
    last_name: str | None = None
    location: Location
    properties: dict[str, str | float | bool | list[str]]


def shopify(row: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """What the row is known by, and the item of the request."""
    said = {name: value[1:] if value.startswith("'") else value for name, value in row.items()}
    phone = None
    if said["Phone"]:
        number = phonenumbers.parse(said["Phone"], said["Default Address Country Code"])
        phone = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    tags = [tag.strip() for tag in said["Tags"].split(",") if tag.strip()]
    valid = Shopper(
        external_id=said["Customer ID"],
        email=said["Email"] or None,
        phone_number=phone,
        first_name=said["First Name"] or None,
        last_name=said["Last Name"] or None,
        location=Location(
            address1=said["Default Address Address1"] or None,
            city=said["Default Address City"] or None,
            region=said["Default Address Province Code"] or None,
            country=said["Default Address Country Code"] or None,
            zip=said["Default Address Zip"] or None,
        ),
        properties={
            "Total Spent": float(said["Total Spent"]),
            "Total Orders": float(said["Total Orders"]),
            "Tax Exempt": said["Tax Exempt"] == "yes",
            **({"Tags": tags} if tags else {}),
            **({"Default Address Phone": said["Default Address Phone"]} if said["Default Address Phone"] else {}),
        },
    )
    return str(valid.email).casefold(), {"type": "profile", "attributes": valid.model_dump(exclude_none=True)}


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
        "quoted": (profile, "profile-bulk-import-job", "profiles", 10_000),
        "events": (event, "event-bulk-create-job", "events-bulk-create", 1_000),
        "shopify": (shopify, "profile-bulk-import-job", "profiles", 10_000),
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


def plan(rows: int) -> None:
    """Print how long it takes to recognise a file, to plan its import, and to say what it would do."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shopify.csv")
        generate(path, "shopify", rows)
        began = time.perf_counter()
        source, made = interpret(open_rows(path), "profiles", Options())
        found = make_preview(source, made)
        seconds = time.perf_counter() - began
        size = path.stat().st_size / 1e6
    print(f"{found.title}, {size:,.0f} MB, about {found.rows:,} of {rows:,} rows: planned in {seconds:.2f} s")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=list(HEADERS), default="profiles")
    parser.add_argument("--plan", action="store_true", help="how long it takes to plan an import")
    parser.add_argument("--measure", nargs=2, metavar=("WAY", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure[0], Path(options.measure[1]), options.kind)
        return
    if options.plan:
        plan(options.rows)
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
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, requests, memory = json.loads(printed)
            rates[way] = options.rows / seconds
            table.add_row(
                {"ours": "import", "plain": "plain loop"}[way], f"{rates[way]:,.0f}", f"{requests:,}", f"{memory:.0f}"
            )
    table.add_row("ratio", f"{rates['ours'] / rates['plain']:.1f}", "", "")
    Console().print(table)


if __name__ == "__main__":
    main()
