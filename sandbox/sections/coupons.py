"""Coupons and their codes, one at a time and by bulk job."""

from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import ApiError, error, invalid_parameter, not_found, refusal
from sandbox.reading import documents, listings
from sandbox.records import markers
from sandbox.records.catalogs import linkage
from sandbox.records.store import Resource, Store
from sandbox.sections import bulk
from sandbox.times import YEAR_S, from_iso, to_iso

MAX_CODES, MAX_JOBS = 1000, 100


def create_coupon(call: Call) -> Reply:
    """Create a coupon, whose id is its external id."""
    sent = call.attributes
    if call.store.find("coupon", sent["external_id"]):
        detail = f"A coupon with the external id {sent['external_id']} already exists."
        raise refusal(409, detail, code="duplicate", pointer="/data/attributes/external_id")
    attributes = {"description": None, "monitor_configuration": {}} | sent
    return documents.single(call, call.store.add("coupon", attributes, sent["external_id"]))


def delete_coupon(call: Call) -> Reply:
    """Delete a coupon, with its codes."""
    coupon = call.store.get("coupon", call.path_id)
    for code in list(call.store.related(coupon, "coupon-codes")):
        call.store.remove(code)
    call.store.remove(coupon)
    return Reply()


def get_coupon_codes(call: Call) -> Reply:
    """The codes of a coupon or a profile."""
    if not {"coupon.id", "profile.id"} & {one.field for one in call.query.conditions}:
        raise invalid_parameter("A filter by coupon.id or profile.id is required.", "filter")
    return listings.list_all(call, "coupon-code")


def create_coupon_code(call: Call) -> Reply:
    """Create one code of a coupon."""
    found = _problems(call.data, "/data")
    if found:
        raise ApiError(400, found)
    return documents.single(call, _create_code(call.store, call.data, call.now))


def update_coupon_code(call: Call) -> Reply:
    """Change its status or its expiry."""
    code = call.store.get("coupon-code", call.path_id)
    sent = {name: value for name, value in call.attributes.items() if value is not None}
    if "expires_at" in sent:
        sent["expires_at"] = _expiry(sent, call.now)
    code.attributes |= sent
    call.store.touch(code, call.now)
    return documents.single(call, code)


def delete_coupon_code(call: Call) -> Reply:
    """Refused once a profile has it."""
    code = call.store.get("coupon-code", call.path_id)
    if code.attributes["status"] == "ASSIGNED_TO_PROFILE":
        raise refusal(400, "This coupon code is assigned to a profile.")
    call.store.remove(code)
    return Reply()


def bulk_create_coupon_codes(call: Call) -> Reply:
    """Start the job that creates the codes."""

    def work(item: bulk.Item, now: float) -> Resource:
        return _create_code(call.store, item, now)

    return bulk.start(call, "coupon-codes", _problems, work, max_items=MAX_CODES, max_jobs=MAX_JOBS, key=_unique_code)


def _problems(item: bulk.Item, pointer: str) -> list[dict[str, Any]]:
    found = []
    if markers.refused_id(item["attributes"]["unique_code"]):
        found.append(error(400, "The code was refused.", pointer=f"{pointer}/attributes/unique_code"))
    if not linkage(item, "coupon"):
        place = f"{pointer}/relationships/coupon"
        found.append(error(400, "coupon is a required field.", pointer=place, code="required"))
    return found


def _create_code(store: Store, item: bulk.Item, now: float) -> Resource:
    sent, coupon_id = item["attributes"], linkage(item, "coupon")[0]
    coupon = store.find("coupon", coupon_id)
    if coupon is None:
        raise not_found("coupon", coupon_id)
    id = f"{sent['unique_code']}-{coupon_id}"
    if store.find("coupon-code", id):
        detail = f"A coupon code {sent['unique_code']} already exists for this coupon."
        raise refusal(409, detail, code="duplicate", pointer="/data/attributes/unique_code")
    attributes = {"unique_code": sent["unique_code"], "expires_at": _expiry(sent, now), "status": "UNASSIGNED"}
    code = store.add("coupon-code", attributes, id)
    store.link(code, "coupon", coupon, now)
    return code


def _unique_code(item: bulk.Item) -> str:
    return str(item["attributes"]["unique_code"])


def _expiry(attributes: dict[str, Any], now: float) -> str:
    """When a code expires: in a year, unless it says otherwise."""
    moment = from_iso(str(attributes["expires_at"])) if attributes.get("expires_at") else None
    return to_iso(moment.timestamp() if moment else now + YEAR_S)
