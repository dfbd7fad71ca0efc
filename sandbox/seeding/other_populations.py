"""The records of an account other than profiles and events, in any number: lists, campaigns, catalog and so on."""

from collections.abc import Callable, Mapping

from sandbox.records import campaigns, catalogs, forms, templates
from sandbox.records.catalogs import CATEGORY, ITEM, VARIANT
from sandbox.records.store import Resource
from sandbox.seeding.plot import Plot
from sandbox.times import YEAR_S, to_iso


def sow_lists(plot: Plot, count: int) -> None:
    """Lists, whose members joined at different times."""
    for number in _numbers(plot, "list", count):
        at = to_iso(plot.moment())
        attributes = {"name": f"List {number}", "created": at, "updated": at, "opt_in_process": "single_opt_in"}
        _fill(plot, plot.store.add("list", attributes))


def sow_segments(plot: Plot, count: int) -> None:
    """Segments, whose members are not computed."""
    for number in _numbers(plot, "segment", count):
        at = to_iso(plot.moment())
        conditions = [{"type": "profile-property", "property": "tier", "filter": {"type": "numeric", "value": 1}}]
        attributes = {
            "name": f"Segment {number}",
            "definition": {"condition_groups": [{"conditions": conditions}]},
            "created": at,
            "updated": at,
            "is_active": True,
            "is_processing": False,
            "is_starred": False,
        }
        _fill(plot, plot.store.add("segment", attributes))


def sow_campaigns(plot: Plot, count: int) -> None:
    """So many campaigns of each channel, and so many archived ones."""
    for channel in campaigns.CHANNELS:
        for archived in (False, True):
            for number in _numbers(plot, "campaign", count):
                at = plot.moment()
                sent = {"name": f"Campaign {number}", "audiences": {"included": []}}
                campaign = campaigns.create(plot.store, sent, [{"channel": channel}], at)
                campaign.attributes |= {"archived": archived, "status": "Sent", "send_time": to_iso(at)}
                campaign.attributes |= {"scheduled_at": to_iso(at)}


def sow_templates(plot: Plot, count: int) -> None:
    """Templates made of HTML."""
    for number in _numbers(plot, "template", count):
        sent = {"name": f"Template {number}", "editor_type": "CODE", "html": f"<p>{number}</p>", "text": str(number)}
        templates.create(plot.store, sent, plot.moment())


def sow_categories(plot: Plot, count: int) -> None:
    """Catalog categories."""
    for number in _numbers(plot, CATEGORY, count):
        item = {"attributes": {"external_id": f"C-{number}", "name": f"Category {number}"}}
        catalogs.create(plot.store, CATEGORY, item, plot.moment())


def sow_items(plot: Plot, count: int) -> None:
    """Items, each in a category if there are any."""
    categories = list(plot.store.all(CATEGORY))
    for number in _numbers(plot, ITEM, count):
        within = {"categories": _reference(plot.some(categories, 1))}
        item = {"attributes": _article(plot, f"I-{number}"), "relationships": within}
        catalogs.create(plot.store, ITEM, item, plot.moment())


def sow_variants(plot: Plot, count: int) -> None:
    """Variants, each of some item."""
    items = list(plot.store.all(ITEM))
    if count and not items:
        raise ValueError("variants need items: there are none in this account")
    for number in _numbers(plot, VARIANT, count):
        sold = {"sku": f"V-{number}", "inventory_quantity": plot.random.randrange(100)}
        within = {"item": _reference(plot.some(items, 1))}
        item = {"attributes": _article(plot, f"V-{number}") | sold, "relationships": within}
        catalogs.create(plot.store, VARIANT, item, plot.moment())


def sow_coupons(plot: Plot, count: int) -> None:
    """Coupons without codes."""
    for number in _numbers(plot, "coupon", count):
        id = f"COUPON-{number}"
        attributes = {"external_id": id, "description": f"Coupon {number}", "monitor_configuration": {}}
        plot.store.add("coupon", attributes, id)


def sow_codes(plot: Plot, count: int) -> None:
    """Codes, each of some coupon."""
    coupons = list(plot.store.all("coupon"))
    if count and not coupons:
        raise ValueError("coupon codes need coupons: there are none in this account")
    for number in _numbers(plot, "coupon-code", count):
        coupon, at = plot.random.choice(coupons), plot.moment()
        attributes = {"unique_code": f"CODE-{number}", "expires_at": to_iso(at + YEAR_S), "status": "UNASSIGNED"}
        code = plot.store.add("coupon-code", attributes, f"CODE-{number}-{coupon.id}")
        plot.store.link(code, "coupon", coupon, at)


def sow_tags(plot: Plot, count: int) -> None:
    """Tags in the default group."""
    group = next(group for group in plot.store.all("tag-group") if group.attributes["default"])
    for number in _numbers(plot, "tag", count):
        plot.store.link(plot.store.add("tag", {"name": f"Tag {number}"}), "tag-group", group, plot.now)


def sow_forms(plot: Plot, count: int) -> None:
    """Forms with one version each."""
    for number in _numbers(plot, "form", count):
        versions = [{"name": "Popup", "type": "popup", "status": "live", "steps": []}]
        sent = {"name": f"Form {number}", "status": "live", "ab_test": False, "definition": {"versions": versions}}
        forms.create(plot.store, sent, plot.moment())


def sow_images(plot: Plot, count: int) -> None:
    """Images whose URLs lead nowhere."""
    for number in _numbers(plot, "image", count):
        attributes = {
            "name": f"image_{number}",
            "image_url": f"https://{plot.store.alias}.example/images/{number}.png",
            "format": "png",
            "size": plot.random.randrange(1000, 90_000),
            "hidden": False,
            "updated_at": to_iso(plot.moment()),
        }
        plot.store.add("image", attributes)


SOWERS: Mapping[str, Callable[[Plot, int], None]] = {
    "lists": sow_lists,
    "segments": sow_segments,
    "campaigns": sow_campaigns,
    "templates": sow_templates,
    "categories": sow_categories,
    "items": sow_items,
    "variants": sow_variants,
    "coupons": sow_coupons,
    "codes": sow_codes,
    "tags": sow_tags,
    "forms": sow_forms,
    "images": sow_images,
}
"""In an order in which each finds what it needs."""


def _numbers(plot: Plot, type: str, count: int) -> range:
    """The next numbers for new resources of a type."""
    first = len(plot.store.ids(type))
    return range(first, first + count)


def _fill(plot: Plot, group: Resource) -> None:
    for profile in plot.some(list(plot.store.all("profile")), plot.members):
        plot.store.link(group, "profiles", profile, plot.moment())


def _article(plot: Plot, external_id: str) -> dict[str, object]:
    return {
        "external_id": external_id,
        "title": f"Article {external_id}",
        "description": "As good as it looks",
        "price": plot.random.randrange(500, 20_000) / 100,
        "url": f"https://{plot.store.alias}.example/{external_id}",
    }


def _reference(resources: list[Resource]) -> dict[str, object]:
    return {"data": [{"type": one.type, "id": one.id} for one in resources]}
