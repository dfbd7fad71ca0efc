"""Which calls can share one request to Klaviyo, and which part of its answer is each one's: a row an action.

An action has a row only if a call of it does the same in a shared request as alone. A call that its row cannot take is
sent alone. So is a call whose outcome the shared answer does not tell: for example, if its record was not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from typing import Any, get_args
from urllib.parse import quote

import orjson

from tasks.rules import IDENTIFIERS, KNOWN, MAX_EVENTS
from worker.api.declaration import Declaration
from worker.api.jsonapi import Envelope
from worker.api.paging import largest, listed
from worker.api.parameters import Params
from worker.api.wire import unwrap
from worker.together.sharing import ONCE, Share, Sharing, hashed

#: Of a record: pairs of a thing and what the record says of it, as `Share` has them.
Marks = Callable[[Mapping[str, Any]], Iterator[tuple[str, str]]]

#: Bytes that JSON:API adds to a request, and to each record in it: more than it ever needs.
REQUEST_OVERHEAD_BYTES, RECORD_OVERHEAD_BYTES = 20_000, 400

#: The most bytes of ids in one URL, as they travel: proxies accept URLs of 8,000.
MAX_URL_IDS_BYTES = 6_000

#: The most ids in one filter: Klaviyo's `any` takes 100 values.
MAX_IDS = 100

#: Ids that stand in a filter as they are.
PLAIN_ID = re.compile(r"[\w.:$@+-]+", re.ASCII)


def persons(profile: Mapping[str, Any], *, said: str) -> Iterator[tuple[str, str]]:
    """Whom a record is about, by each name that it gives, and what it says of them."""
    for name in dict.fromkeys((*IDENTIFIERS, *KNOWN)):
        if value := profile.get(name):
            yield hashed("person", name, str(value).casefold()), said


def event_marks(each: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What an entry of a bulk request of events must not share its request with.

    An id that occurs twice refuses all of it; and what is said of a person, beside who it is, is kept in order.
    """
    for event in each["events"]:
        if event.get("unique_id"):
            yield ONCE + hashed("event", event["unique_id"]), ""
    profile = {name: value for name, value in each["profile"].items() if value is not None}
    if len(profile) > 1:
        yield from persons(profile, said=hashed(profile))


def one_event(params: Params) -> list[Any]:
    """The call of `create_event` as an entry of a bulk request."""
    event = {name: value for name, value in params.items() if name != "profile"}
    return [{"profile": params["profile"], "events": [event]}]


def _same(calls: Sequence[Params], envelope: Envelope) -> list[Envelope]:
    """Each call's envelope where Klaviyo says the same to all of them."""
    return [Envelope(envelope) for _ in calls]


def gathered(
    single: Declaration,
    carrier: Declaration,
    records: str,
    *,
    most: int,
    of: Callable[[Params], list[Any]] | None = None,
    marks: Marks | None = None,
    count: Callable[[Sequence[Any]], int] = len,
) -> Sharing:
    """Return a row for calls whose records go into one list of the carrier's request.

    ``of`` gives a call's records, all that it says; by default they are those of its parameter of the same name, and
    what else it says has to be the same in all of them.
    """

    def entries(params: Params) -> list[Any]:
        return (of(params) if of else params.get(records)) or []

    def rest(params: Params) -> Params:
        return {} if of else {name: value for name, value in params.items() if name != records}

    nothing = hashed({})

    def share(params: Params) -> Share | None:
        found, others = entries(params), rest(params)
        if not found or any(carrier.parameters[name].location == "aside" for name in others):
            return None
        found_marks = tuple(mark for each in found for mark in marks(each)) if marks else ()
        number = count(found)
        size = len(orjson.dumps(found)) + RECORD_OVERHEAD_BYTES * max(len(found), number)
        return Share(hashed(others) if others else nothing, found_marks, number, size)

    return Sharing(
        carrier=carrier,
        most=most,
        most_bytes=carrier.max_body - REQUEST_OVERHEAD_BYTES,
        share=share,
        join=lambda calls: {**rest(calls[0]), records: [each for call in calls for each in entries(call)]},
        distribute=_same,
        path=carrier.parameters[records].path,
        records_of=lambda params: len(entries(params)),
    )


def found_by_id(single: Declaration, listing: Declaration, field: str = "id") -> Sharing:
    """Return a row for reads of one record, which the list can give by a filter on their ids.

    A call that asks for what the list does not give goes alone: something included, or a field that only one has.
    """
    most = min(largest(listing.parameters["page_size"]) or 0, MAX_IDS)
    given = {name: frozenset(_words(each.annotation)) for name, each in listing.parameters.items()}

    def share(params: Params) -> Share | None:
        rest = {name: value for name, value in params.items() if name != "id" and value is not None}
        if not PLAIN_ID.fullmatch(params["id"]) or "include" in rest:
            return None
        if any(not set(value) <= given.get(name, frozenset()) for name, value in rest.items()):
            return None
        return Share(hashed(rest), (), 1, len(quote(params["id"])) + 9)

    def join(calls: Sequence[Params]) -> Params:
        rest = {name: value for name, value in calls[0].items() if name != "id" and value is not None}
        ids = list(dict.fromkeys(call["id"] for call in calls))
        return {**rest, "filter": f"any({field},{orjson.dumps(ids).decode()})", "page_size": most}

    def distribute(calls: Sequence[Params], envelope: Envelope) -> list[Envelope | None]:
        records = {each["id"]: each for each in listed(listing, envelope)}
        found = [records.get(call["id"]) for call in calls]
        return [None if each is None else _alone(each) for each in found]

    return Sharing(listing, most, MAX_URL_IDS_BYTES, share, join, distribute)


def by_job(
    single: Declaration,
    carrier: Declaration,
    records: str,
    *,
    most: int,
    marks: Marks,
    renamed: Mapping[str, str] | None = None,
) -> Sharing:
    """Return a row for calls that, where they ask for it, travel as the records of a job.

    A call that says what no record can goes alone: None, which a job does not write, or which fields to return.
    ``renamed``: parameters that a record has under another name.
    """
    [kind] = get_args(unwrap(carrier.parameters[records].annotation)[0])
    keys = None if kind is str else frozenset(kind.__annotations__)

    def record(params: Params) -> Any:
        if keys is None:
            return params["id"]
        return {(renamed or {}).get(name, name): value for name, value in params.items()}

    def share(params: Params) -> Share | None:
        made = record(params)
        if keys is None:
            own_marks = [(hashed("record", made), "")]
        elif made.keys() <= keys and not any(value is None for value in made.values()):
            own_marks = list(marks(made))
        else:
            return None
        if not own_marks or not single.repeat_of(params).blindly:
            return None
        return Share(hashed({}), tuple(own_marks), 1, len(orjson.dumps(made)) + RECORD_OVERHEAD_BYTES)

    return Sharing(
        carrier=carrier,
        most=most,
        most_bytes=carrier.max_body - REQUEST_OVERHEAD_BYTES,
        share=share,
        join=lambda calls: {records: [record(call) for call in calls]},
        distribute=_same,
        path=carrier.parameters[records].path,
        by_job=True,
    )


def each_record(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Two records of one thing never share a request."""
    yield hashed("record", record.get("id") or record.get("external_id")), ""


def each_code(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Nor do two records of one code."""
    yield hashed("code", record["coupon_id"], record["unique_code"]), ""


def _alone(record: dict[str, Any]) -> Envelope:
    """The envelope of a record that is read alone: its link stands beside it, too."""
    envelope = Envelope(data=record, error=None, successful=True)
    if own := (record.get("links") or {}).get("self"):
        envelope["links"] = {"self": own}
    return envelope


def _words(annotation: Any) -> Iterator[str]:
    """The closed set of texts that an annotation allows."""
    for each in get_args(annotation):
        if isinstance(each, str):
            yield each
        else:
            yield from _words(each)


def each_person(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Two records of one person never share a request."""
    yield from persons(record, said="")


def events_in(entries: Sequence[Any]) -> int:
    """How many events the entries of a bulk request are."""
    return sum(len(each["events"]) for each in entries)


_EVENTS: dict[str, Any] = {"most": MAX_EVENTS, "marks": event_marks, "count": events_in}


def _ids(records: str, most: int) -> Callable[..., Sharing]:
    """A row for what a list, a category, an item or a tag is given or loses, by ids."""
    return partial(gathered, records=records, most=most)


def _consent(most: int) -> Callable[..., Sharing]:
    """A row for consent, in requests that say the same of everybody but who it is."""
    return partial(gathered, records="profiles", most=most, marks=each_person)


_PROFILES = partial(by_job, records="profiles", most=1_000, marks=each_person)
_CATEGORIES = {"renamed": {"catalog_category_ids": "category_ids"}}


def _catalog(records: str, **more: Any) -> Callable[..., Sharing]:
    """A row for records of the catalog, which its jobs take a hundred at a time."""
    return partial(by_job, records=records, most=100, marks=each_record, **more)


#: Of each action: its section, the action of the same section whose request carries its calls, and how.
#:
#: Klaviyo tells how many ids one request takes for lists alone. Not campaigns, whose list shows one channel at a time
#: and the archived ones apart, and not forms and flows, of which the list tells less.
ROWS: Mapping[str, tuple[str, str, Callable[..., Sharing]]] = {
    "create_event": ("events", "bulk_create_events", partial(gathered, records="events", of=one_event, **_EVENTS)),
    "bulk_create_events": ("events", "bulk_create_events", partial(gathered, records="events", **_EVENTS)),
    "add_profiles_to_list": ("lists", "add_profiles_to_list", _ids("profile_ids", 1_000)),
    "remove_profiles_from_list": ("lists", "remove_profiles_from_list", _ids("profile_ids", 1_000)),
    "add_items_to_catalog_category": ("catalog_categories", "add_items_to_catalog_category", _ids("item_ids", 100)),
    "remove_items_from_catalog_category": (
        "catalog_categories",
        "remove_items_from_catalog_category",
        _ids("item_ids", 100),
    ),
    "add_categories_to_catalog_item": ("catalog_items", "add_categories_to_catalog_item", _ids("category_ids", 100)),
    "remove_categories_from_catalog_item": (
        "catalog_items",
        "remove_categories_from_catalog_item",
        _ids("category_ids", 100),
    ),
    "tag_campaigns": ("tags", "tag_campaigns", _ids("campaign_ids", 100)),
    "tag_flows": ("tags", "tag_flows", _ids("flow_ids", 100)),
    "tag_lists": ("tags", "tag_lists", _ids("list_ids", 100)),
    "tag_segments": ("tags", "tag_segments", _ids("segment_ids", 100)),
    "remove_tag_from_campaigns": ("tags", "remove_tag_from_campaigns", _ids("campaign_ids", 100)),
    "remove_tag_from_flows": ("tags", "remove_tag_from_flows", _ids("flow_ids", 100)),
    "remove_tag_from_lists": ("tags", "remove_tag_from_lists", _ids("list_ids", 100)),
    "remove_tag_from_segments": ("tags", "remove_tag_from_segments", _ids("segment_ids", 100)),
    "bulk_subscribe_profiles": ("profiles", "bulk_subscribe_profiles", _consent(1_000)),
    "bulk_unsubscribe_profiles": ("profiles", "bulk_unsubscribe_profiles", _consent(100)),
    "bulk_suppress_profiles": ("profiles", "bulk_suppress_profiles", _consent(100)),
    "bulk_unsuppress_profiles": ("profiles", "bulk_unsuppress_profiles", _consent(100)),
    "get_profile": ("profiles", "get_profiles", found_by_id),
    "get_catalog_item": ("catalog_items", "get_catalog_items", partial(found_by_id, field="ids")),
    "get_catalog_variant": ("catalog_variants", "get_catalog_variants", partial(found_by_id, field="ids")),
    "get_catalog_category": ("catalog_categories", "get_catalog_categories", partial(found_by_id, field="ids")),
    "get_image": ("images", "get_images", found_by_id),
    "get_list": ("lists", "get_lists", found_by_id),
    "get_review": ("reviews", "get_reviews", found_by_id),
    "get_segment": ("segments", "get_segments", found_by_id),
    "get_template": ("templates", "get_templates", found_by_id),
    "get_universal_content": ("templates", "get_all_universal_content", found_by_id),
    "create_profile": ("profiles", "bulk_import_profiles", _PROFILES),
    "create_or_update_profile": ("profiles", "bulk_import_profiles", _PROFILES),
    "update_profile": ("profiles", "bulk_import_profiles", _PROFILES),
    "create_catalog_item": ("catalog_items", "bulk_create_catalog_items", _catalog("items", **_CATEGORIES)),
    "update_catalog_item": ("catalog_items", "bulk_update_catalog_items", _catalog("items", **_CATEGORIES)),
    "delete_catalog_item": ("catalog_items", "bulk_delete_catalog_items", _catalog("item_ids")),
    "create_catalog_variant": ("catalog_variants", "bulk_create_catalog_variants", _catalog("variants")),
    "update_catalog_variant": ("catalog_variants", "bulk_update_catalog_variants", _catalog("variants")),
    "delete_catalog_variant": ("catalog_variants", "bulk_delete_catalog_variants", _catalog("variant_ids")),
    "create_catalog_category": ("catalog_categories", "bulk_create_catalog_categories", _catalog("categories")),
    "update_catalog_category": ("catalog_categories", "bulk_update_catalog_categories", _catalog("categories")),
    "delete_catalog_category": ("catalog_categories", "bulk_delete_catalog_categories", _catalog("category_ids")),
    "create_coupon_code": (
        "coupons",
        "bulk_create_coupon_codes",
        partial(by_job, records="coupon_codes", most=1_000, marks=each_code),
    ),
}


@cache
def sharing_of(action: str) -> Sharing | None:
    """How the calls of an action travel together; None if they do not."""
    if action not in ROWS:
        return None
    section, carrier, make = ROWS[action]
    actions = import_module(f"tasks.{section}")
    return make(getattr(actions, action).declaration, getattr(actions, carrier).declaration)
