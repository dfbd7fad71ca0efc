"""Exports of orders that pack their items into cells, or list payments that failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tasks.imports.import_runs import event, taken

BIGCOMMERCE = """\
Order ID,Customer Name,Customer Email,Order Date,Order Time,Order Status,Order Total (inc tax),Order Currency Code,\
Product Details
118,Ada Lund,ada@example.com,23/05/2024,14:30:05,Shipped,45.00,USD,"Product ID: 77, Product Qty: 2, Product SKU: MUG, \
Product Name: Mug, blue, Product Weight: 0.5, Product Variation Details: , Product Unit Price: 10.00, \
Product Total Price: 20.00|Product ID: 78, Product Qty: 1, Product SKU: CUP, Product Name: Cup, Product Weight: 0.2, \
Product Variation Details: Size: L, Product Unit Price: 20.00, Product Total Price: 20.00"
119,Bo Ek,bo@example.com,24/05/2024,09:00:00,Refunded,15.00,eur,
"""
BIGCOMMERCE_ITEMS = [
    {
        "ProductID": "77", "ProductName": "Mug, blue", "SKU": "MUG", "Quantity": 2, "ItemPrice": 10, "RowTotal": 20,
    },
    {
        "ProductID": "78", "ProductName": "Cup", "SKU": "CUP", "VariantName": "Size: L", "Quantity": 1,
        "ItemPrice": 20, "RowTotal": 20,
    },
]  # fmt: skip
WOOCOMMERCE = """\
order_id,order_date,status,order_total,order_currency,customer_id,customer_email,billing_email,line_item_1,line_item_2
812,2024-05-23 14:30:00,processing,45,EUR,0,,ada@example.com,\
name:Mug: blue|product_id:9|sku:MUG|quantity:2|total:20.00|sub_total:20.00,name:Cup|product_id:10|quantity:1|total:20
813,2024-05-24 14:30:00,failed,45,EUR,0,bo@example.com,,name:Mug|quantity:1|total:20.00,
814,2024-05-25 14:30:00,completed,45,EUR,0,eva@example.com,,name:Mug|quantity:one|total:20.00,
815,2024-05-25 14:30:00,refunded,45,EUR,0,eva@example.com,,name:Mug|quantity:1|total:20.00,
"""
STRIPE = """\
id,Created date (UTC),Amount,Amount Refunded,Currency,Status,Customer Email,Card Name,Card Address Line1,Card Last4
ch_1,2026-06-05 20:38:34,"3,125.00",0.00,usd,Paid,ada@example.com,Ada Lund,1 Main St,4242
ch_2,2026-06-06 20:38:34,50.00,50.00,eur,Refunded,bo@example.com,,,
ch_3,2026-06-07 20:38:34,75.00,0.00,usd,Failed,eva@example.com,,,
ch_4,2026-06-07 20:38:35,500,0,jpy,Paid,,,,
"""
NO_ORDER = "by this, no order was placed; leave it out, or import such rows as something else with --metric"


def orders(tmp_path: Path, text: str, **options: Any) -> tuple[str | None, list[dict[str, Any]], dict[int, str]]:
    path = tmp_path / "orders.csv"
    path.write_text(text)
    export, items, rejected, _ = taken(path, **options)
    return export, list(map(event, items)), rejected


def test_items_that_are_packed_into_a_cell_are_items_and_the_time_of_day_is_that_of_the_order(tmp_path: Path):
    export, told, rejected = orders(tmp_path, BIGCOMMERCE, time_zone="Europe/Stockholm")

    assert (export, rejected) == ("bigcommerce-orders", {})
    assert [each["time"] for each in told] == ["2024-05-23T14:30:05+02:00", "2024-05-24T09:00:00+02:00"]
    assert [each["value_currency"] for each in told] == ["USD", "EUR"]
    assert told[0]["properties"] == {
        "Customer Name": "Ada Lund", "Order Status": "Shipped", "Items": BIGCOMMERCE_ITEMS,
    }  # fmt: skip
    assert told[1]["properties"] == {"Customer Name": "Bo Ek", "Order Status": "Refunded"}


def test_packed_items_are_events_of_their_own_where_that_is_asked_for(tmp_path: Path):
    _, told, rejected = orders(tmp_path, BIGCOMMERCE, time_zone="UTC", fixed={"metric": "Ordered Product"})

    assert rejected == {}
    assert [(each["metric"], each["unique_id"], each["value"]) for each in told] == [
        ("Ordered Product", "118-1", 20), ("Ordered Product", "118-2", 20),
    ]  # fmt: skip
    assert [each["properties"]["ProductName"] for each in told] == ["Mug, blue", "Cup"]
    assert [each["properties"]["Quantity"] for each in told] == [2, 1]


def test_packed_items_may_have_columns_of_their_own(tmp_path: Path):
    export, told, rejected = orders(tmp_path, WOOCOMMERCE, time_zone="UTC")

    assert export == "woocommerce-packed-orders"
    assert rejected == {2: f"status: {NO_ORDER}", 3: "Quantity: this is not a number; write it like 1234.5"}
    assert [each["unique_id"] for each in told] == ["812", "815"]
    assert told[0]["properties"]["Items"] == [
        {"ProductID": "9", "ProductName": "Mug: blue", "SKU": "MUG", "Quantity": 2, "RowTotal": 20},
        {"ProductID": "10", "ProductName": "Cup", "Quantity": 1, "RowTotal": 20},
    ]


def test_a_buyer_is_known_by_the_second_address_where_the_first_is_empty_and_never_by_the_id_of_all_guests(
    tmp_path: Path,
):
    _, told, _ = orders(tmp_path, WOOCOMMERCE, time_zone="UTC")

    assert [each["profile"] for each in told] == [{"email": "ada@example.com"}, {"email": "eva@example.com"}]


def test_a_payment_that_failed_is_no_order_unless_the_metric_says_what_it_is(tmp_path: Path):
    nobody = "there is no identifier: give one of profile.email, profile.phone_number, profile.external_id, profile.id"

    export, told, rejected = orders(tmp_path, STRIPE, time_zone="Asia/Tokyo")

    assert export == "stripe-payments"
    assert [(each["unique_id"], each["value"], each["value_currency"], each["time"]) for each in told] == [
        ("ch_1", 3125, "USD", "2026-06-05T20:38:34+00:00"),
        ("ch_2", 50, "EUR", "2026-06-06T20:38:34+00:00"),
    ]
    assert told[1]["properties"] == {"Amount Refunded": 50, "Status": "Refunded"}
    assert rejected.keys() == {3, 4}
    assert rejected[3] == f"Status: {NO_ORDER}"
    assert rejected[4].startswith(nobody)

    _, told, rejected = orders(tmp_path, STRIPE, fixed={"metric": "Payment"})
    assert [each["unique_id"] for each in told] == ["ch_1", "ch_2", "ch_3"]
