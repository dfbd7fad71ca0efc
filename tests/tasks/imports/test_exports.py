"""Files as other systems write them, taken by one command: what each of them becomes, to the last field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tasks.imports.cards import is_card
from tasks.imports.exports import Export, export_named, exports, match_columns, recognise
from tasks.imports.interpretation import interpret
from tasks.imports.options import Options
from tasks.imports.parts import split_into_parts
from tasks.imports.rejects import Rejected, open_reject_file
from tasks.imports.sources import Source, open_rows
from tests.tasks.action_samples import NOW
from tests.tasks.imports.import_runs import Run, event, taken
from worker.errors import InputError

FILES = Path(__file__).with_name("exports")
CONSENT = "it says who wants marketing; an import of profiles changes nobody's consent (see --consent)"
SECRETS = "by its name it holds secrets, which an import never sends"


ADA = {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}

PROFILES: dict[str, list[dict[str, Any]]] = {
    "shopify-customers": [
        {
            **ADA, "external_id": "9001", "organization": "Engines Ltd", "phone_number": "+447700900123",
            "location": {
                "address1": "12 Mill Lane\nFlat 2", "city": "London", "region": "ENG", "country": "GB", "zip": "0042",
            },
            "properties": {
                "Tags": ["vip", "wholesale"], "Tax Exempt": True, "Total Orders": 3, "Total Spent": 1204.5,
            },
        },
        {
            "email": "grace@example.com", "first_name": "Grace", "last_name": "Hopper", "external_id": "9002",
            "phone_number": "+14155550132", "location": {"country": "US"},
            "properties": {"Tax Exempt": False, "Total Orders": 0, "Total Spent": 0},
        },
    ],
    "woocommerce-customers": [
        {
            "email": "ada@example.com",
            "location": {"city": "London", "country": "GB", "region": "ENG", "zip": "N1 9GU"},
            "properties": {
                "Name": "Ada Lovelace", "Username": "ada", "Last Active": "2024-06-03", "Sign Up": "2024-05-30",
                "Orders": 3, "Total Spend": 1234567, "AOV": 411522.33,
            },
        },
        {
            "email": "grace@example.com", "location": {"country": "US"},
            "properties": {
                "Name": "Grace Hopper", "Last Active": "2024-06-04", "Orders": 0, "Total Spend": 0, "AOV": 0,
            },
        },
    ],
    "bigcommerce-customers": [
        {
            **ADA, "external_id": "31", "phone_number": "+14155550132",
            "location": {
                "address1": "1 Main St", "city": "Austin", "region": "Texas", "zip": "78701",
                "country": "United States",
            },
            "properties": {"Customer Group": "Retail", "Date Joined": "2024-05-06", "Store Credit": 1250},
        },
        {
            "email": "grace@example.com", "first_name": "Grace", "last_name": "Hopper", "external_id": "32",
            "properties": {"Customer Group": "Retail", "Date Joined": "2024-05-23", "Store Credit": 0},
        },
    ],
    "magento-customers": [
        {
            **ADA, "phone_number": "+442079460958", "location": {"country": "GB"},
            "properties": {
                "_store": "default", "_website": "base", "created_at": "2024-06-03T03:14:15+00:00",
                "created_in": "Default Store View", "dob": "1990-12-10", "gender": "Female", "group_id": "1",
                "store_id": "1", "updated_at": "2024-06-04T00:00:00+00:00", "website_id": "1",
            },
        },
    ],
    "mailchimp-audience": [
        {
            **ADA, "phone_number": "+46701112233",
            "location": {
                "address1": "Storgatan 1", "country": "SE", "region": "AB", "latitude": 59.33, "longitude": 18.06,
                "timezone": "Europe/Stockholm",
            },
            "properties": {
                "Birthday": "04/12", "TAGS": ["VIP", "Blog, Sverige"], "MEMBER_RATING": 4, "NOTES": "one\ntwo",
                "OPTIN_TIME": "2025-11-02T18:22:11", "CONFIRM_TIME": "2025-11-02T18:25:00",
                "LAST_CHANGED": "2026-01-01T00:00:00",
            },
        },
    ],
    "brevo-contacts": [
        {
            **ADA, "phone_number": "+33611111111",
            "properties": {"ADDED_TIME": "2022-04-12T09:30:00", "MODIFIED_TIME": "2022-04-13T10:00:00"},
        },
    ],
    "hubspot-contacts": [
        {
            **ADA, "external_id": "501", "phone_number": "+442079460958", "organization": "Engines Ltd",
            "location": {"country": "United Kingdom"},
            "properties": {
                "Lead Status": "New", "Marketing contact status": "Marketing contact",
                "Create Date": "2024-05-23T14:30:00",
            },
        },
    ],
    "salesforce-contacts": [
        {
            "email": "zoe@example.com", "first_name": "Zoë", "last_name": "Åström", "organization": "Größe GmbH",
            "title": "Leiterin", "phone_number": "+491701234567",
            "location": {"address1": "Hauptstraße 1", "city": "Köln", "zip": "50667", "country": "Germany"},
            "properties": {"Created Date": "2024-05-23T15:14:00", "Last Activity": "2024-05-06"},
        },
    ],
    "stripe-customers": [
        {
            "email": "ada@example.com", "external_id": "cus_A1",
            "location": {"address1": "1 Main St", "city": "Austin", "country": "US"},
            "properties": {
                "Name": "Ada Lovelace", "Created": "2024-05-23T14:30:00+00:00", "Delinquent": False, "Currency": "usd",
                "Card Brand": "Visa", "Card Funding": "credit", "Total Spend": 204.5, "Payment Count": 3,
                "Average Order": 68.17,
            },
        },
    ],
}  # fmt: skip
REJECTED: dict[str, dict[int, str]] = {
    "shopify-customers": {
        3: "email: this is not an email address: there is no dot after the @; write it like name@example.com"
    },
}
CARDS = dict.fromkeys(("Card ID", "Card Last4", "Card Exp Month", "Card Exp Year"), "Klaviyo has no use for it")
LEFT_OUT: dict[str, dict[str, str]] = {
    "shopify-customers": dict.fromkeys(("Accepts Email Marketing", "Accepts SMS Marketing"), CONSENT),
    "magento-customers": dict.fromkeys(("password_hash", "rp_token", "rp_token_created_at", "password"), SECRETS),
    "brevo-contacts": dict.fromkeys(("EMAIL_BLACKLISTED", "SMS_BLACKLISTED"), CONSENT),
    "stripe-customers": CARDS,
}


@pytest.mark.parametrize("name", list(PROFILES))
def test_customers_become_profiles(name: str):
    export, items, rejected, left_out = taken(FILES / f"{name.replace('-', '_')}.csv")

    assert export == name
    assert items == PROFILES[name]
    assert rejected == REJECTED.get(name, {})
    assert left_out.items() >= LEFT_OUT.get(name, {}).items()


def test_an_order_is_one_event_however_many_items_it_has():
    export, items, rejected, _ = taken(FILES / "shopify_orders.csv")

    assert export == "shopify-orders"
    assert [event(item) for item in items] == [
        {
            "metric": "Placed Order", "unique_id": "7001", "time": "2026-05-01T09:59:00+02:00", "value": 54.9,
            "value_currency": "EUR",
            "profile": {"email": "ada@example.com"},
            "properties": {
                "Billing Country": "NL", "Billing Phone": "06 12345678",
                "OrderId": "#2001", "Subtotal": 50, "Shipping": 4.9, "Tags": ["gift", "vip"],
                "Paid at": "2026-05-01T10:00:00+02:00", "Billing Name": "Ada Lovelace",
                "Financial Status": "paid", "Fulfillment Status": "fulfilled",
                "Items": [
                    {"ProductName": "Tea", "SKU": "TEA", "Quantity": 2, "ItemPrice": 15},
                    {"ProductName": "Cup", "SKU": "CUP", "Quantity": 1, "ItemPrice": 20},
                ],
            },
        },
    ]  # fmt: skip
    assert rejected == {2: "Lineitem price: this is not a number; write it like 1234.5"}


def test_orders_of_squarespace_keep_the_zeros_of_their_ids():
    export, items, rejected, _ = taken(FILES / "squarespace_orders.csv")

    assert (export, rejected) == ("squarespace-orders", {})
    told = event(items[0])
    assert (told["unique_id"], told["value"], told["value_currency"]) == ("00041", 35, "USD")
    assert told["time"] == "2024-05-23T14:30:00-04:00"
    assert told["profile"] == {"email": "ada@example.com"}
    assert told["properties"]["Billing Phone"] == "4155550132"
    assert [each["VariantName"] for each in told["properties"]["Items"]] == ["A4"]


def test_the_phone_number_of_an_order_itself_is_its_buyers_and_that_of_the_bill_is_not(tmp_path: Path):
    header, row, *_ = (FILES / "shopify_orders.csv").read_text().splitlines()
    path = tmp_path / "orders.csv"
    path.write_text(f"{header},Phone\n{row},06 87654321\n")

    _, items, rejected, _ = taken(path)

    assert rejected == {}
    told = event(items[0])
    assert told["profile"] == {"email": "ada@example.com", "phone_number": "+31687654321"}
    assert told["properties"]["Billing Phone"] == "06 12345678"


@pytest.mark.parametrize("name", [name for name, export in exports().items() if export.kind == "events"])
def test_no_order_changes_its_buyer_by_an_address(name: str):
    leads = {column.casefold(): target for column, target in exports()[name].columns.items()}

    of_addresses = {target for column, target in leads.items() if "billing" in column or "shipping" in column}
    assert of_addresses.isdisjoint({"profile.phone_number", "profile.location.country"})


def test_the_items_of_orders_are_events_of_their_own_where_that_is_asked_for():
    _, items, rejected, _ = taken(FILES / "shopify_orders.csv", fixed={"metric": "Ordered Product"})

    told = [event(item) for item in items]
    assert [(each["metric"], each["unique_id"], each["value"], each["profile"]["email"]) for each in told] == [
        ("Ordered Product", "7001-1", 30, "ada@example.com"),
        ("Ordered Product", "7001-2", 20, "ada@example.com"),
    ]
    assert {each["time"] for each in told} == {"2026-05-01T09:59:00+02:00"}
    assert [each["properties"]["ProductName"] for each in told] == ["Tea", "Cup"]
    assert [each["properties"]["OrderId"] for each in told] == ["#2001", "#2001"]
    assert list(rejected) == [3]


def test_the_cost_of_an_item_is_the_same_however_its_file_writes_numbers(tmp_path: Path):
    path = tmp_path / "orders.csv"
    path.write_text(
        "Name;Email;Financial Status;Created at;Total;Currency;Lineitem quantity;Lineitem name;Lineitem price\n"
        '#1;ada@example.com;paid;2024-05-23 14:30:00 +0200;"9,38";EUR;"0,75";Tea;"12,50"\n'
    )

    _, items, rejected, _ = taken(path, fixed={"metric": "Ordered Product"}, decimals="decimal-comma")

    assert rejected == {}
    assert [event(each)["value"] for each in items] == [9.375]


def test_a_row_of_an_order_without_an_item_is_no_product_that_was_ordered(tmp_path: Path):
    path = tmp_path / "orders.csv"
    path.write_text(
        "Name,Email,Financial Status,Created at,Total,Currency,Lineitem quantity,Lineitem name,Lineitem price\n"
        "#1,ada@example.com,paid,2024-05-23 14:30:00 +0200,30,EUR,1,Mug,10\n"
        "#1,ada@example.com,,,,,,,\n"
        "#1,ada@example.com,,,,,2,Cup,10\n"
    )

    _, items, rejected, _ = taken(path, fixed={"metric": "Ordered Product"})

    assert rejected == {}
    assert [(event(each)["unique_id"], event(each)["properties"]["ProductName"]) for each in items] == [
        ("#1-1", "Mug"), ("#1-3", "Cup"),
    ]  # fmt: skip


def test_an_order_that_was_turned_down_is_in_the_reject_file_with_all_its_rows_and_lands_once_mended(tmp_path: Path):
    text = (FILES / "shopify_orders.csv").read_text().replace(",1,Cup,20.00,", ",1,Cup,twenty,")
    path, out = tmp_path / "orders.csv", tmp_path / "rejects.csv"
    path.write_text(text)
    source, plan = interpret(open_rows(path), "events", Options(moment=NOW))
    with open_reject_file(out, source) as write:
        for each in split_into_parts(source, plan):
            assert isinstance(each, Rejected)
            write(each)

    lines = out.read_text().splitlines()
    header, *rows = text.splitlines()
    assert lines[0] == f"row,stage,reason,{header}"
    reason = "Lineitem price: this is not a number; write it like 1234.5"
    assert lines[1:] == [f"{number},check,{reason},{row}" for number, row in enumerate(rows, 1)]

    out.write_text(out.read_text().replace("twenty", "20.00").replace("fifteen", "15.00"))
    export, items, rejected, _ = taken(out)
    assert (export, rejected) == ("shopify-orders", {})
    assert [len(event(item)["properties"]["Items"]) for item in items] == [2, 1]


def test_orders_go_on_over_the_end_of_a_batch(tmp_path: Path):
    header, *_ = (FILES / "shopify_orders.csv").read_text().splitlines()
    path = tmp_path / "orders.csv"
    first = "#{0},p@example.com,paid,,,EUR,1,0,1,2026-05-01 10:00:00 +0200,1,Tea,1,T,,,,,{0}"
    rows = [line for number in range(900) for line in (first.format(number), f"#{number},,,,,,,,,,1,Cup,1,C,,,,,")]
    path.write_text("\n".join([header, *rows, ""]))

    _, items, rejected, _ = taken(path)

    assert rejected == {}
    assert len(items) == 900
    assert {len(event(item)["properties"]["Items"]) for item in items} == {2}


# The table.


@pytest.mark.parametrize("export", exports().values(), ids=lambda each: each.name)
def test_every_export_of_the_table_is_known_by_its_header_and_leads_to_fields_that_there_are(export: Export):
    items = [each.rpartition(":")[0] or each for each in export.items.values()]
    known_by = [each.partition("|")[0] for each in export.known_by]
    header = tuple(dict.fromkeys((*known_by, *export.columns, *items)))
    source = Source("rows.csv", header, lambda: iter(()))
    kind = "create_catalog_items" if export.kind == "items" else export.kind
    missing = {name: "x" for name in ("description", "url") if kind == "create_catalog_items"}

    _, plan = interpret(source, kind, Options(fixed=missing, moment=NOW, export=export.name))

    assert recognise(header) is export
    assert recognise([name.upper() for name in header]) is export
    assert plan.export == export.name


def test_a_header_that_lacks_a_column_of_an_export_is_not_taken_for_one():
    assert recognise(export_named("brevo-contacts").known_by[:-1]) is None


def test_an_export_can_be_said_and_has_to_be_one(tmp_path: Path):
    path = tmp_path / "customers.csv"
    path.write_text('Email,Phone,Total Spent\nada@example.com,(415) 555-0132,"1,250.00"\n')

    export, items, _, _ = taken(path, export="shopify-customers", country="US")
    assert export == "shopify-customers"
    assert items == [{"email": "ada@example.com", "phone_number": "+14155550132", "properties": {"Total Spent": 1250}}]
    with pytest.raises(InputError, match="no export 'shopify-customer'; did you mean 'shopify-customers'"):
        interpret(open_rows(path), "profiles", Options(export="shopify-customer"))


def test_what_is_mapped_by_hand_wins(tmp_path: Path):
    header = export_named("shopify-customers").known_by
    said = ("Customer ID=properties.shop_id", "First Name=", "Accepts Email Marketing=properties.accepts:boolean")

    found = match_columns(export_named("shopify-customers"), header, said)

    assert found.mapping == ("Last Name=last_name", "Email=email")
    assert found.left_out == {}


def test_an_export_is_recognised_in_a_call_too_unless_it_is_said_to_be_none(run: Run):
    table = (FILES / "brevo_contacts.csv").read_text()

    assert run("profiles", table).items[0]["attributes"] == PROFILES["brevo-contacts"][0]
    with pytest.raises(InputError, match="column 'LASTNAME' is not a field of profiles"):
        run("profiles", table, export="none")


# Secrets.


@pytest.mark.parametrize("mapping", [("*=properties.*",), ()])
def test_secrets_never_leave_the_house(run: Run, mapping: tuple[str, ...]):
    made = run(
        "profiles",
        "email,password_hash,rp_token,Card Number,apiKey\na@b.c,5e88,f00d,4242424242424242,k\n",
        mapping=mapping,
    )

    assert [item["attributes"] for item in made.items] == [{"email": "a@b.c"}]


def test_nor_do_those_of_mappings(run: Run):
    made = run("profiles", [{"email": "a@b.c", "password": "x", "plan": "gold"}], mapping=("*=properties.*",))

    assert made.items[0]["attributes"] == {"email": "a@b.c", "properties": {"plan": "gold"}}


CARD_ROWS = "email,reference,shipment\na@b.co,4111 1111 1111 1111,4111111111111112\nb@b.co,378282246310005,5\n"


@pytest.mark.parametrize("mapping", [("*=properties.*",), ("shipment=properties.shipment",)])
def test_card_numbers_are_recognised_by_their_digits(tmp_path: Path, mapping: tuple[str, ...]):
    path = tmp_path / "rows.csv"
    path.write_text(CARD_ROWS)

    _, items, rejected, left_out = taken(path, mapping=mapping)

    assert rejected == {}
    assert [item["properties"] for item in items] == [{"shipment": "4111111111111112"}, {"shipment": "5"}]
    assert left_out["reference"].startswith("its values look like card numbers; if they are something else, map it")


def test_what_is_mapped_by_hand_is_sent_though_it_looks_like_card_numbers(run: Run):
    made = run("profiles", CARD_ROWS, mapping=("reference=properties.reference", "shipment="))

    assert [item["attributes"]["properties"] for item in made.items] == [
        {"reference": "4111 1111 1111 1111"}, {"reference": "378282246310005"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("4111111111111111", True), ("5555-5555-5555-4444", True), ("3782 822463 10005", True),
        ("6011111111111117", True), ("4111111111111112", False), ("7210448000000", False), ("1234567812345670", False),
        ("", False), ("ada", False),
    ],
)  # fmt: skip
def test_a_card_number_has_the_first_digits_of_a_network_and_the_right_last_one(cell: str, found: bool):
    assert is_card(cell) is found


def test_a_secret_that_is_mapped_by_hand_is_refused(run: Run):
    with pytest.raises(InputError, match=r"'password': by its name it holds secrets.* give the column another name"):
        run("profiles", "email,password\n", mapping=("password=properties.code",))


# Excel.


def test_a_workbook_with_a_swedish_header_is_guessed(tmp_path: Path):
    book = openpyxl.Workbook()
    for row in [["Namn", "E-post", "Mobil", "Köpt för"], ["Ada", "ada@example.com", "070-111 22 33", 899.5]]:
        book.active.append(row)
    book.save(tmp_path / "kunder.xlsx")

    assert taken(tmp_path / "kunder.xlsx", country="SE")[1:3] == (
        [
            {
                "email": "ada@example.com",
                "phone_number": "+46701112233",
                "properties": {"Namn": "Ada", "Köpt för": 899.5},
            }
        ],
        {},
    )


def test_columns_that_are_named_like_fields_need_no_guess_and_an_id_is_that_of_the_shop(tmp_path: Path):
    lines = tmp_path / "people.jsonl"
    lines.write_text('{"id": 7, "mail": "a@b.c", "location": {"city": "Oslo"}, "properties": {"x": 1}, "vip": true}\n')

    _, items, rejected, _ = taken(lines)

    assert rejected == {}
    assert items == [
        {"external_id": "7", "email": "a@b.c", "location": {"city": "Oslo"}, "properties": {"x": 1, "vip": True}}
    ]


def test_purchases_are_guessed_by_customer_date_and_value(tmp_path: Path):
    path = tmp_path / "purchases.csv"
    path.write_text(
        "customer_id,order_date,cds,value_usd\n1,2024-01-31,1,11.77\n2,2024-02-01,2,12.00\n1,2024-02-02,1,5\n"
    )

    _, items, rejected, _ = taken(path, time_zone="UTC")

    assert rejected == {}
    told = event(items[0])
    del told["unique_id"]
    assert told == {
        "metric": "Placed Order", "time": "2024-01-31T00:00:00+00:00", "value": 11.77, "value_currency": "USD",
        "profile": {"external_id": "1"}, "properties": {"cds": 1},
    }  # fmt: skip


def test_a_catalogue_is_guessed_by_its_article_numbers_and_titles(tmp_path: Path):
    path = tmp_path / "books.csv"
    path.write_text("sku,title,price_usd,isbn13\nB1,A Book,24.21,9780385388894\n")

    _, items, _, _ = taken(path, fixed={"url": "https://shop.example.com", "description": "A book"})

    assert items[0].items() >= {
        "external_id": "B1", "title": "A Book", "price": 24.21, "custom_metadata": {"isbn13": "9780385388894"},
    }.items()  # fmt: skip
