"""Files as people have them, taken by one command: what lands of them, and why the other rows do not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from tests.tasks.imports.import_runs import taken

ADA, BO = "ada@example.com", "bo@example.com"
INVISIBLE = "email: this is not an email address: it contains the invisible character U+{}; take it out"
TOO_MANY = "there are more cells than columns: 4, and the header has 2; put a cell that holds a delimiter in quotes"
ROUNDED = "phone_number: this is not a phone number any more: a spreadsheet has rounded it; take it from its origin"
NO_ADDRESS = "email: this is not an email address; write it like name@example.com"


class Odd(NamedTuple):
    """A file, what lands of it, and why its other rows do not."""

    text: str
    items: list[dict[str, Any]]
    rejected: Mapping[int, str] = MappingProxyType({})
    encoding: str = "utf-8"


ODD = {
    "a column twice, and one without a name": Odd(
        "first_name,email,email,\nPia,pia@example.com,pia@work.example,extra\n",
        [
            {
                "email": "pia@example.com", "first_name": "Pia",
                "properties": {"email (3)": "pia@work.example", "column 4": "extra"},
            }
        ],
    ),
    "the line that tells Excel the delimiter": Odd(
        f"sep=;\r\nNamn;E-post;Mobil\r\nAda Lund;{ADA};070-111 22 33\r\nBo Ek;{BO};\r\n",
        [
            {"email": ADA, "phone_number": "+46701112233", "properties": {"Namn": "Ada Lund"}},
            {"email": BO, "properties": {"Namn": "Bo Ek"}},
        ],
    ),
    "blanks and characters that cannot be seen": Odd(
        f"first_name,email\nAda,\u00a0{ADA}\nZoe,zo\u200be@example.com\nNil,nil\0@example.com\n Bo ,  {BO} \n",
        [{"email": ADA, "first_name": "Ada"}, {"email": BO, "first_name": " Bo "}],
        {2: INVISIBLE.format("200B"), 3: INVISIBLE.format("0000")},
    ),
    "rows that end early, late or not at all": Odd(
        f"email,first_name\n{ADA},Ada\n\nlisa@example.com,Lisa,EXTRA,CELLS\n{BO}\n,\neva@example.com,Eva,,",
        [{"email": ADA, "first_name": "Ada"}, {"email": BO}, {"email": "eva@example.com", "first_name": "Eva"}],
        {2: TOO_MANY},
    ),
    "a title above the header, and Excel's days": Odd(
        "Kundlista 2024;;;\n;;;\nFörnamn;E-post;Mobilnr;Senaste köp\n"
        f"Åsa;{ADA};070-111 22 33;45414\nBo;{BO};;45415,5\n;;;\n;;;\n",
        [
            {
                "email": ADA, "first_name": "Åsa", "phone_number": "+46701112233",
                "properties": {"Senaste köp": "2024-05-02"},
            },
            {"email": BO, "first_name": "Bo", "properties": {"Senaste köp": "2024-05-03T12:00:00"}},
        ],
        encoding="cp1252",
    ),
    "names of groups above the header, decimal commas, days first": Odd(
        "Contact,,,Purchases,\nFirst Name,Last Name,Email,Total Spent,Last Order\n"
        f'Ada,Lund,{ADA},"1.234,50 €",23.05.2024\nBo,Ek,{BO},"899,00kr",05.06.2024\n',
        [
            {
                "email": ADA, "first_name": "Ada", "last_name": "Lund",
                "properties": {"Total Spent": 1234.5, "Last Order": "2024-05-23"},
            },
            {
                "email": BO, "first_name": "Bo", "last_name": "Ek",
                "properties": {"Total Spent": 899, "Last Order": "2024-06-05"},
            },
        ],
    ),
    "digits on two lines beside Excel's apostrophes": Odd(
        f"Email,Code,City\n{ADA},'0042,Umeå\n{BO},\"1\n2\",Lund\n",
        [
            {"email": ADA, "location": {"city": "Umeå"}, "properties": {"Code": "0042"}},
            {"email": BO, "location": {"city": "Lund"}, "properties": {"Code": "1\n2"}},
        ],
    ),
    "footers that a spreadsheet made rows of": Odd(
        f"First Name;Email;City\nAda;{ADA};\n{BO};;\nTotal: 2;;\nCopyright (c) 2024 Example AB;;\n;;\n",
        [{"email": ADA, "first_name": "Ada"}],
        {2: "there is no identifier: give one of email, phone_number, external_id, id, _kx"},
    ),
    "lines that end as on old Macs": Odd(
        f"Email,First Name\r{ADA},Ada\r{BO},\"B\"\r",
        [{"email": ADA, "first_name": "Ada"}, {"email": BO, "first_name": "B"}],
    ),
    "times in words": Odd(
        f"Email,Created\n{ADA},\"May 23, 2024 @ 2:30 pm\"\n{BO},\"23 mai 2024 à 14:30\"\n",
        [
            {"email": ADA, "properties": {"Created": "2024-05-23T14:30:00"}},
            {"email": BO, "properties": {"Created": "2024-05-23T14:30:00"}},
        ],
    ),
    "nothing, as people write it, and a number that Excel has rounded": Odd(
        f"Email,Phone\n{ADA},n/a\n{BO},-\nNone,070-111 22 33\neva@example.com,4.67011E+10\n",
        [{"email": ADA}, {"email": BO}, {"phone_number": "+46701112233"}],
        {4: ROUNDED},
    ),
    "the header again, in words": Odd(
        f"email,first_name,newsletter\nEmail address,First name,Wants news\n{ADA},Ada,Y\n{BO},Bo,N\n",
        [
            {"email": ADA, "first_name": "Ada", "properties": {"newsletter": "Y"}},
            {"email": BO, "first_name": "Bo", "properties": {"newsletter": "N"}},
        ],
        {1: NO_ADDRESS},
    ),
    "tabs in UTF-16": Odd(
        f"First Name\tLast Name\tE-mail Address\tBirthday\r\nAda\tÅström\t{ADA}\t1990-12-10\r\n",
        [{"email": ADA, "first_name": "Ada", "last_name": "Åström", "properties": {"Birthday": "1990-12-10"}}],
        encoding="utf-16",
    ),
    "yes and no, addresses in brackets, empty cells": Odd(
        "Email;VIP;Points\n"
        f"Ada Lund <{ADA}>;Y;NULL\nmailto:{BO};N;\\N\n'eva@example.com';;12\n",
        [
            {"email": ADA, "properties": {"VIP": True}},
            {"email": BO, "properties": {"VIP": False}},
            {"email": "eva@example.com", "properties": {"Points": 12}},
        ],
    ),
    "further addresses of somebody, as Magento lists them": Odd(
        "email,_website,_store,created_at,firstname,lastname,_address_city,_address_telephone,_address_country_id\n"
        f"{ADA},base,default,2024-01-02 03:04:05,Ada,Lund,Austin,(512) 555-0188,US\n"
        ",,,,,,Lansing,(517) 555-0199,US\n"
        f"{BO},base,default,2024-01-02 03:04:06,Bo,Ek,,,\n",
        [
            {
                "email": ADA, "first_name": "Ada", "last_name": "Lund", "phone_number": "+15125550188",
                "location": {"city": "Austin", "country": "US"},
                "properties": {"_website": "base", "_store": "default", "created_at": "2024-01-02T03:04:05+00:00"},
            },
            {
                "email": BO, "first_name": "Bo", "last_name": "Ek",
                "properties": {"_website": "base", "_store": "default", "created_at": "2024-01-02T03:04:06+00:00"},
            },
        ],
    ),
    "a second number where the first is empty": Odd(
        "Record ID,First Name,Last Name,Email,Phone Number,Mobile Phone Number,Country/Region\n"
        f"1,Ada,Lund,{ADA},08-123 456,070-111 22 33,Sweden\n2,Bo,Ek,{BO},'+46701112234,,Sweden\n",
        [
            {
                "email": ADA, "first_name": "Ada", "last_name": "Lund", "external_id": "1",
                "phone_number": "+46701112233", "location": {"country": "Sweden"},
                "properties": {"Phone Number": "08-123 456"},
            },
            {
                "email": BO, "first_name": "Bo", "last_name": "Ek", "external_id": "2",
                "phone_number": "+46701112234", "location": {"country": "Sweden"},
                "properties": {"Phone Number": "+46701112234"},
            },
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_taken_as_it_is_meant(tmp_path: Path, name: str):
    odd = ODD[name]
    path = tmp_path / "file.csv"
    path.write_bytes(odd.text.encode(odd.encoding))

    _, items, rejected, _ = taken(path, country="SE")

    assert items == odd.items
    assert rejected == odd.rejected
