"""Files of made-up dirt: each row lands rightly or stands in the reject file with the true reason, and never in both.

What is right is told by what the dirt was made from, not by the code that reads it.
"""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.imports.interpretation import interpret
from tasks.imports.options import Options
from tasks.imports.parts import Part, split_into_parts
from tasks.imports.rejects import Rejected, open_reject_file
from tasks.imports.sources import open_rows
from tests.tasks.action_samples import NOW
from tests.tasks.imports.import_runs import items_of

HEADER = ("No", "E-post", "Mobil", "Land", "Kund sedan", "Summa", "VIP", "Taggar", "Namn")
MAPPING = (
    "No=external_id", "E-post=email", "Mobil=phone_number", "Land=location.country", "Kund sedan=properties.since:date",
    "Summa=properties.sum:number", "VIP=properties.vip:boolean", "Taggar=properties.tags:list", "Namn=first_name",
)  # fmt: skip
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252")


@dataclass
class Dirty:
    """A row as it stands in the file, what it means, and what is wrong with it, if anything is."""

    cells: list[str]
    meaning: dict[str, Any]
    wrong: str | None = None


def email(chance: random.Random, number: int) -> tuple[str, str]:
    plain = f"p{number}@example.com"
    wraps = ("{}", " {} ", "\u00a0{}", "mailto:{}", "Åsa Öst <{}>", "<{}>", "'{}'", "{};", "\t{}")
    return chance.choice(wraps).format(plain), plain


def phone(chance: random.Random, number: int) -> tuple[str, str, str]:
    """How it is written, from which country it is, and what it is."""
    swedish, american = f"70{number % 10_000_000:07d}", f"775{2_000_000 + number % 7_000_000:07d}"
    forms = [
        (f"0{swedish}", chance.choice(("SE", "Sverige", "sweden")), f"+46{swedish}"),
        (f"0{swedish[:2]}-{swedish[2:5]} {swedish[5:7]} {swedish[7:]}", "SE", f"+46{swedish}"),
        (f"'+46{swedish}", chance.choice(("SE", "US", "")), f"+46{swedish}"),
        (f"0046{swedish}", "", f"+46{swedish}"),
        (f"+46 (0){swedish}", "", f"+46{swedish}"),
        (f"({american[:3]}) {american[3:6]}-{american[6:]}", chance.choice(("US", "United States")), f"+1{american}"),
    ]
    return chance.choice(forms)


def amount(chance: random.Random) -> tuple[str, float]:
    cents = chance.randrange(10_000_000)
    comma = f"{cents / 100:,.2f}".translate(str.maketrans(",.", ".,"))
    forms = ("{}", "{} kr", "{}kr", "€{}", "SEK {}", "kr {}")
    return chance.choice(forms).format(
        chance.choice((comma, comma.replace(".", " "), comma.replace(".", "")))
    ), cents / 100


def day(chance: random.Random) -> tuple[str, str]:
    found = date(2000, 1, 1) + timedelta(days=chance.randrange(9_000))
    return chance.choice((f"{found:%d/%m/%Y}", f"{found:%Y-%m-%d}", f"{found:%d.%m.%Y}")), found.isoformat()


BROKEN = (
    ("E-post", "per@example", "email: this is not an email address: there is no dot after the @"),
    ("E-post", "p\u200ber@example.com", "email: this is not an email address: it contains the invisible character"),
    ("E-post", "a@example.com b@example.com", "email: this is not an email address, but seems to be several"),
    ("Mobil", "555", "phone_number: this is not a phone number"),
    ("Mobil", "ring mig", "phone_number: this is not a phone number"),
    ("Kund sedan", "31/02/2024", "properties.since: this is not a date or time"),
    ("Kund sedan", "snart", "properties.since: this is not a date or time"),
    ("Summa", "mycket", "properties.sum: this is not a number"),
    ("VIP", "kanske", "properties.vip: this is neither true nor false"),
)


def dirty(chance: random.Random, number: int, encoding: str) -> Dirty:
    told = {"external_id": f"{number:05d}"}
    said, told["email"] = email(chance, number)
    call, country, told["phone_number"] = phone(chance, number)
    since, since_means = day(chance)
    money, money_means = amount(chance)
    vip, vip_means = chance.choice((("Ja", True), ("nej", False), ("Y", True), ("0", False), ("TRUE", True)))
    tags, tags_mean = chance.choice((("a, b", ["a", "b"]), ('"a, b",c', ["a, b", "c"]), ("", None)))
    name = chance.choice(("Åsa", 'Per "Pelle"', "O'Hara", "'t Hooft", "Li\nNa", "x" * 300, "a;b,c"))
    cells = [f"'{number:05d}", said, call, country, since, money, vip, tags, name]
    properties = {"since": since_means, "sum": money_means, "vip": vip_means} | (
        {"tags": tags_mean} if tags_mean else {}
    )
    meaning: dict[str, Any] = {**told, "first_name": name, "properties": properties}
    if country:
        meaning["location"] = {"country": country}
    row = Dirty(cells, meaning)
    for column, empty in (("Kund sedan", "since"), ("Summa", "sum"), ("VIP", "vip")):
        if chance.random() < 0.1:
            cells[HEADER.index(column)] = chance.choice(("", "NULL", "\\N", "  "))
            del properties[empty]
    if not properties:
        del meaning["properties"]
    if chance.random() < 0.2:
        column, cell, row.wrong = chance.choice(BROKEN)
        if encoding == "cp1252" and not cell.isascii():
            column, cell, row.wrong = BROKEN[0]
        cells[HEADER.index(column)] = cell
        if column == "Mobil":
            cells[HEADER.index("Land")] = "US"
    elif chance.random() < 0.05:
        cells.append("extra")
        row.wrong = "there are more cells than columns"
    elif chance.random() < 0.05:
        cells += ["", ""]
    return row


def written(rows: list[Dirty], delimiter: str, encoding: str, newline: str, told: bool) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline)
    if told:
        text.write(f"sep={delimiter}{newline}")
    writer.writerow(HEADER)
    writer.writerows(row.cells for row in rows)
    return text.getvalue().encode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=4)
@given(
    seed=st.integers(0, 2**32),
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n"]),
    told=st.booleans(),
)
def test_each_row_lands_rightly_or_stands_in_the_reject_file_with_the_true_reason(
    tmp_path_factory: pytest.TempPathFactory, encoding: str, seed: int, delimiter: str, newline: str, told: bool
):
    chance = random.Random(seed)
    rows = [dirty(chance, number, encoding) for number in range(1, 1_001)]
    # One row tells for sure how dates and numbers are written.
    rows[-1] = Dirty(["'01000", "last@example.com", "", "", "31/12/2020", "1,50", "", "", ""], {
        "external_id": "01000", "email": "last@example.com", "properties": {"since": "2020-12-31", "sum": 1.5},
    })  # fmt: skip
    folder = tmp_path_factory.mktemp("dirt")
    path, out = folder / "dirt.csv", folder / "rejects.csv"
    path.write_bytes(written(rows, delimiter, encoding, newline, told))

    source, plan = interpret(open_rows(path), "profiles", Options(mapping=MAPPING, moment=NOW))
    landed: dict[str, Any] = {}
    rejected: dict[int, Rejected] = {}
    with open_reject_file(out, source) as write:
        for each in split_into_parts(source, plan):
            if isinstance(each, Part):
                landed |= {item["attributes"]["external_id"]: item["attributes"] for item in items_of("profiles", each)}
            else:
                rejected[each.row] = each
                write(each)

    assert source.dialect
    assert source.dialect.encoding == encoding
    for number, row in enumerate(rows, 1):
        id = row.meaning["external_id"]
        if row.wrong:
            assert id not in landed
            assert rejected[number].reason.startswith(row.wrong)
            assert list(rejected[number].original) == row.cells
        else:
            assert landed[id] == row.meaning
            assert number not in rejected
    with out.open(encoding=encoding, newline="") as file:
        again = list(csv.reader(file, delimiter=delimiter))
    assert [cells[3:] for cells in again] == [list(HEADER), *(row.cells for row in rows if row.wrong)]
