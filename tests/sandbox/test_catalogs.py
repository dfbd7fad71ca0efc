"""Catalogs: items, variants and categories, and how they belong together."""

from typing import Any

import pytest

from tests.sandbox.in_process import Sandbox, pointers

PREFIX = "$custom:::$default:::"


def item(external_id: str = "A-1", **attributes: Any) -> dict[str, Any]:
    sent = {"external_id": external_id, "title": "Mug", "description": "Blue", "url": "https://shop.example/mug"}
    return {"type": "catalog-item", "attributes": sent | attributes}


def variant(external_id: str = "A-1-S", of: str = "A-1", **attributes: Any) -> dict[str, Any]:
    sent = {"sku": external_id, "inventory_quantity": 3, "price": 9.5}
    made = item(external_id, **sent, **attributes) | {"type": "catalog-variant"}
    return made | {"relationships": {"item": {"data": {"type": "catalog-item", "id": PREFIX + of}}}}


def category(external_id: str = "C-1", name: str = "Kitchen") -> dict[str, Any]:
    return {"type": "catalog-category", "attributes": {"external_id": external_id, "name": name}}


@pytest.fixture
def shop(free: Sandbox) -> Sandbox:
    """A sandbox with one item, its variant and one category."""
    for path, data in (("items", item()), ("variants", variant()), ("categories", category())):
        assert free.post(f"/api/catalog-{path}", {"data": data}).status_code == 201
    return free


def ids(answer: Any) -> list[str]:
    return [one["id"].removeprefix(PREFIX) for one in answer.json()["data"]]


def test_an_item_is_created_changed_found_and_deleted(free: Sandbox) -> None:
    created = free.post("/api/catalog-items", {"data": item(custom_metadata={"size": "M"})}).json()["data"]
    assert (created["id"], created["attributes"]["published"]) == (f"{PREFIX}A-1", True)
    path = f"/api/catalog-items/{created['id']}"
    change = {"data": {"type": "catalog-item", "id": created["id"], "attributes": {"title": "Cup"}}}
    changed = free.patch(path, change).json()["data"]["attributes"]
    assert (changed["title"], changed["custom_metadata"]) == ("Cup", {"size": "M"})
    assert ids(free.get("/api/catalog-items", filter='contains(title,"cup")')) == ["A-1"]
    assert ids(free.get("/api/catalog-items", filter=f'any(ids,["{created["id"]}"])', sort="-created")) == ["A-1"]
    assert free.delete(path).status_code == 204
    assert free.get(path).status_code == 404


def test_an_external_id_is_taken_once(shop: Sandbox) -> None:
    refused = shop.post("/api/catalog-items", {"data": item()})
    assert (refused.status_code, pointers(refused)) == (409, ["/data/attributes/external_id"])


def test_only_the_custom_integration_is_supported(free: Sandbox) -> None:
    refused = free.post("/api/catalog-items", {"data": item(integration_type="shopify")})
    assert pointers(refused) == ["/data/attributes/integration_type"]


def test_items_are_in_categories_seen_from_both_ends(shop: Sandbox) -> None:
    path = f"/api/catalog-categories/{PREFIX}C-1/relationships/items"
    body = {"data": [{"type": "catalog-item", "id": f"{PREFIX}A-1"}]}
    assert shop.post(path, body).status_code == 204
    assert ids(shop.get(f"/api/catalog-items/{PREFIX}A-1/categories")) == ["C-1"]
    assert ids(shop.get("/api/catalog-items", filter=f'equals(category.id,"{PREFIX}C-1")')) == ["A-1"]
    assert ids(shop.get("/api/catalog-categories", filter=f'equals(item.id,"{PREFIX}A-1")')) == ["C-1"]
    assert shop.patch(path, {"data": []}).status_code == 204
    assert ids(shop.get(path)) == []


def test_an_item_can_be_created_in_categories_and_moved_to_others(shop: Sandbox) -> None:
    shop.post("/api/catalog-categories", {"data": category("C-2")})

    def linked(id: str) -> dict[str, Any]:
        return {"relationships": {"categories": {"data": [{"type": "catalog-category", "id": PREFIX + id}]}}}

    assert shop.post("/api/catalog-items", {"data": item("A-2") | linked("C-1")}).status_code == 201
    path = f"/api/catalog-items/{PREFIX}A-2"
    change = {"type": "catalog-item", "id": f"{PREFIX}A-2", "attributes": {}} | linked("C-2")
    assert shop.patch(path, {"data": change}).status_code == 200
    assert ids(shop.get(f"{path}/relationships/categories")) == ["C-2"]
    assert shop.post("/api/catalog-items", {"data": item("A-3") | linked("C-9")}).status_code == 404


def test_variants_belong_to_an_item_and_go_with_it(shop: Sandbox) -> None:
    assert ids(shop.get(f"/api/catalog-items/{PREFIX}A-1/variants", filter='equals(sku,"A-1-S")')) == ["A-1-S"]
    assert ids(shop.get("/api/catalog-variants", filter=f'equals(item.id,"{PREFIX}A-1")')) == ["A-1-S"]
    with_variants = shop.get(f"/api/catalog-items/{PREFIX}A-1", include="variants").json()
    assert [one["id"] for one in with_variants["included"]] == [f"{PREFIX}A-1-S"]
    of_variant = shop.get(f"/api/catalog-variants/{PREFIX}A-1-S").json()["data"]["relationships"]["item"]
    assert of_variant == {"data": {"type": "catalog-item", "id": f"{PREFIX}A-1"}}
    assert shop.post("/api/catalog-variants", {"data": variant("B-1", of="B")}).status_code == 404
    shop.delete(f"/api/catalog-items/{PREFIX}A-1")
    assert shop.get(f"/api/catalog-variants/{PREFIX}A-1-S").status_code == 404


def test_a_category_says_when_it_changed_and_sorts_by_when_it_was_created(shop: Sandbox) -> None:
    shop.clock.advance(60)
    shop.post("/api/catalog-categories", {"data": category("C-2")})
    answer = shop.get("/api/catalog-categories", sort="-created")
    assert ids(answer) == ["C-2", "C-1"]
    assert set(answer.json()["data"][0]["attributes"]) == {"external_id", "name", "updated"}


def test_to_hear_when_something_is_back_takes_a_known_variant(shop: Sandbox) -> None:
    def asked(external_id: str) -> int:
        profile = {"data": {"type": "profile", "attributes": {"email": "ada@example.com"}}}
        data = {
            "type": "back-in-stock-subscription",
            "attributes": {"channels": ["EMAIL"], "profile": profile},
            "relationships": {"variant": {"data": {"type": "catalog-variant", "id": PREFIX + external_id}}},
        }
        return shop.post("/api/back-in-stock-subscriptions", {"data": data}).status_code

    assert (asked("A-1-S"), asked("nothing")) == (202, 404)
