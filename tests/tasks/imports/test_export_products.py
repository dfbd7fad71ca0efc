"""Exports of products become items, and variants of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tasks.imports.import_runs import imported

SHOPIFY_PRODUCTS = """\
Handle,Title,Body (HTML),Vendor,Option1 Name,Option1 Value,Variant SKU,Variant Price,Variant Inventory Qty,Image Src
shirt,Shirt,<p>Soft</p>,Engines,Size,S,SH-S,19.90,4,https://cdn.example/shirt.jpg
shirt,,,,,M,SH-M,21.90,0,https://cdn.example/back.jpg
shirt,,,,,,,,,https://cdn.example/side.jpg
mug,Mug,<p>Blue</p>,Engines,Title,Default Title,,9.00,7,
"""
WOOCOMMERCE_PRODUCTS = """\
ID,Type,SKU,Name,Published,Short description,Regular price,Stock,Parent
10,variable,,Shirt,1,Soft,,,
11,variation,SH-S,Shirt - S,1,Soft,19.90,4,id:10
12,variation,,Shirt - M,1,Soft,21.90,0,id:10
13,simple,MUG,Mug,1,Blue,9.00,7,
"""


def product_rows(tmp_path, kind: str, text: str, column: str) -> list[dict[str, Any]]:
    made = imported(tmp_path, kind, text, fixed={"url": f"https://shop.example/products/{{{column}}}"})
    assert not made.rejected
    return [item["attributes"] | {"item": item.get("relationships", {}).get("item", {}).get("data", {}).get("id")}
            for item in made.items]  # fmt: skip


def test_an_export_of_products_is_one_item_for_all_rows_of_a_product(tmp_path):
    items = product_rows(tmp_path, "create_catalog_items", SHOPIFY_PRODUCTS, "Handle")

    assert [(each["external_id"], each["title"], each["price"], each["url"]) for each in items] == [
        ("shirt", "Shirt", 19.9, "https://shop.example/products/shirt"),
        ("mug", "Mug", 9, "https://shop.example/products/mug"),
    ]


def test_each_row_of_a_product_that_has_a_variant_is_one_of_its_item(tmp_path):
    variants = product_rows(
        tmp_path, "create_catalog_variants", SHOPIFY_PRODUCTS.replace(",,9.00", ",MUG,9.00"), "Handle"
    )

    assert [(each["external_id"], each["item"], each["title"], each["inventory_quantity"]) for each in variants] == [
        ("SH-S", "$custom:::$default:::shirt", "Shirt", 4),
        ("SH-M", "$custom:::$default:::shirt", "Shirt", 0),
        ("MUG", "$custom:::$default:::mug", "Mug", 7),
    ]


def test_a_variant_without_a_sku_has_the_id_that_its_options_make(tmp_path):
    variants = product_rows(tmp_path, "create_catalog_variants", SHOPIFY_PRODUCTS, "Handle")

    assert (variants[2]["external_id"], variants[2]["sku"]) == ("mug-Default Title", "mug-Default Title")


def test_variations_are_variants_of_the_item_that_they_name_and_no_items(tmp_path):
    items = product_rows(tmp_path, "create_catalog_items", WOOCOMMERCE_PRODUCTS, "ID")
    text = WOOCOMMERCE_PRODUCTS.replace("12,variation,,", "12,variation,SH-M,")
    variants = product_rows(tmp_path, "create_catalog_variants", text, "ID")

    assert [each["external_id"] for each in items] == ["id:10", "MUG"]
    assert [(each["external_id"], each["item"]) for each in variants] == [
        ("SH-S", "$custom:::$default:::id:10"),
        ("SH-M", "$custom:::$default:::id:10"),
    ]


def test_a_value_for_all_rows_may_name_columns_and_is_missing_where_one_of_them_is_empty(tmp_path):
    text = "external_id,title,description,slug\nA,Mug,Blue,mug\nB,Cup,Red,\n"

    made = imported(
        tmp_path, "create_catalog_items", text, mapping=["slug="], fixed={"url": "https://shop.example/{slug}"}
    )

    assert [item["attributes"]["url"] for item in made.items] == ["https://shop.example/mug"]
    assert made.reasons == {2: "url: is missing"}


SHOPIFY_2025 = """\
Title,URL handle,Description,Vendor,Published on online store,SKU,Option1 name,Option1 value,Price,Inventory quantity,\
Product image URL,Variant image URL
Shirt,shirt,<p>Soft</p>,Engines,TRUE,SH-S,Size,S,19.90,4,https://cdn.example/shirt.jpg,https://cdn.example/s.jpg
,shirt,,,,,,M,21.90,,,
,shirt,,,,,,,,,https://cdn.example/back.jpg,
"""
BIGCOMMERCE = """\
Item,ID,Name,Type,SKU,Options,Current Stock,Price,Description,Product URL
Product,112,Mug,physical,MUG,,0,9.00,<p>Blue</p>,/mug/
Variant,7,,,MUG-L,Type=Radio|Name=Size|Value=L,4,11.00,,
Image,8,,,,,,,,
Product,113,Card,digital,,,0,5.00,<p>A gift</p>,/card/
"""
BIGCOMMERCE_SKUS = """\
Item Type,Product ID,Product Name,Product Code/SKU,Product Description,Price,Current Stock Level,Product Visible?
Product,77,Mug,MUG,<p>Blue</p>,9.00,0,N
  SKU,,[S]Size=L,MUG-L,,,3,
"""
SQUARESPACE = """\
Product ID [Non Editable],Variant ID [Non Editable],Product URL,Title,Description,SKU,Price,Stock,Visible,\
Hosted Image URLs
p1,v1,mug,Mug,<p>Blue</p>,SQ1,9.00,4,Yes,https://cdn.example/a.jpg https://cdn.example/b.jpg
,v2,,,,,11.00,Unlimited,,
"""


@pytest.mark.parametrize(
    ("text", "items", "variants"),
    [
        (
            SHOPIFY_2025,
            [("shirt", "Shirt", 19.9)],
            [("SH-S", "shirt", "Shirt", 19.9, 4), ("shirt-M", "shirt", "Shirt", 21.9, 0)],
        ),
        (BIGCOMMERCE, [("112", "Mug", 9), ("113", "Card", 5)], [("MUG-L", "112", "Mug", 11, 4)]),
        (BIGCOMMERCE_SKUS, [("77", "Mug", 9)], [("MUG-L", "77", "Mug", 9, 3)]),
        (SQUARESPACE, [("p1", "Mug", 9)], [("SQ1", "p1", "Mug", 9, 0), ("v2", "p1", "Mug", 11, 0)]),
    ],
    ids=["shopify", "bigcommerce", "bigcommerce-skus", "squarespace"],
)
def test_variants_belong_to_the_item_above_them(tmp_path, text: str, items: list[Any], variants: list[Any]):
    made = product_rows(tmp_path, "create_catalog_items", text, "Title" if "Title" in text else "Description")
    assert [(each["external_id"], each["title"], each["price"]) for each in made] == items

    made = product_rows(tmp_path, "create_catalog_variants", text, "Price")
    assert [
        (
            each["external_id"],
            each["item"].removeprefix("$custom:::$default:::"),
            each["title"],
            each["price"],
            each["inventory_quantity"],
        )
        for each in made
    ] == variants


def test_of_several_images_the_first_is_sent_and_a_product_that_is_hidden_stays_so(tmp_path):
    (item,) = product_rows(tmp_path, "create_catalog_items", SQUARESPACE, "Title")
    assert (item["image_full_url"], item["published"]) == ("https://cdn.example/a.jpg", True)

    (item,) = product_rows(tmp_path, "create_catalog_items", BIGCOMMERCE_SKUS, "Description")
    assert item["published"] is False


def test_a_product_has_its_long_description_where_it_has_no_short_one(tmp_path):
    text = WOOCOMMERCE_PRODUCTS.replace("Parent\n", "Parent,Description\n").replace("Blue,9.00,7,", ",9.00,7,,Long")

    items = product_rows(tmp_path, "create_catalog_items", text, "ID")

    assert [each["description"] for each in items] == ["Soft", "Long"]
