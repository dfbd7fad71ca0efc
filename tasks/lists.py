"""Lists: who is on them, and managing them."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field

from tasks.profiles import get_profiles
from tasks.rules import any_of
from tasks.shapes import FlowField, ListField, MemberField, MemberIds, ProfileExtra, TagField, UpTo10, UpTo100
from worker.action import action
from worker.api.declaration import Ask, Resolved
from worker.api.jsonapi import Envelope
from worker.api.paging import attributes, listed
from worker.api.parameters import Params
from worker.api.repeat import SAFE, never
from worker.api.seed_names import Adds
from worker.api.wire import Aside

OptInProcess = Literal["double_opt_in", "single_opt_in"]
#: Email addresses, which are looked up before the request is made.
Addresses = Annotated[list[str], Field(max_length=1000), Aside()]

#: How many addresses one filter takes.
ADDRESSES_PER_LOOKUP = 100


def at_most_1000(params: Params) -> str | None:
    """Refuse too many ids and addresses for one request."""
    count = len(params.get("profile_ids") or ()) + len(params.get("emails") or ())
    return None if count <= 1000 else f"'profile_ids' and 'emails' are {count:,} together; Klaviyo takes 1,000"


def resolve_addresses(params: Params, ask: Ask) -> Resolved:
    """The ids that belong to the addresses; ``not_found`` are the addresses that Klaviyo does not know."""
    emails: list[str] = params.get("emails") or []
    ids = dict.fromkeys(params.get("profile_ids") or ())
    unknown: list[str] = []
    for start in range(0, len(emails), ADDRESSES_PER_LOOKUP):
        some = emails[start : start + ADDRESSES_PER_LOOKUP]
        one_of_them = f"any(email,{json.dumps(some, ensure_ascii=False)})"
        page = ask(get_profiles, filter=one_of_them, fields_profile=["email"], page_size=ADDRESSES_PER_LOOKUP)
        known = listed(get_profiles.declaration, page)
        found = {str(attributes(each).get("email")).casefold(): each["id"] for each in known}
        ids |= {found[email.casefold()]: None for email in some if email.casefold() in found}
        unknown += [email for email in some if email.casefold() not in found]
    rest = {name: value for name, value in params.items() if name != "emails"}
    return Resolved({**rest, "profile_ids": list(ids)} if ids else None, {"not_found": unknown} if emails else {})


@action("GET /api/lists", limits="75/s 750/m", scopes="lists:read", seed={"include_tags": Adds("include", "tags")})
def get_lists(
    *,
    filter: str | None = None,
    sort: Literal["created", "-created", "id", "-id", "name", "-name", "updated", "-updated"] | None = None,
    include: list[Literal["flow-triggers", "tags"]] | None = None,
    fields_flow: list[FlowField] | None = None,
    fields_list: list[ListField] | None = None,
    fields_tag: list[TagField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo10 | None = None,
) -> Envelope:
    """List the account's lists, at most ten a page."""
    ...


@action(
    "GET /api/lists/{id}",
    limits="75/s 750/m",
    scopes="lists:read",
    extra={"additional_fields_list=profile_count": "1/s 15/m"},
)
def get_list(
    *,
    id: str,
    include: list[Literal["flow-triggers", "tags"]] | None = None,
    fields_flow: list[FlowField] | None = None,
    fields_list: list[Literal[ListField, "profile_count"]] | None = None,
    fields_tag: list[TagField] | None = None,
    additional_fields_list: list[Literal["profile_count"]] | None = None,
) -> Envelope:
    """Get a list.

    The number of its profiles costs a second, much smaller budget.
    """
    ...


@action(
    "GET /api/lists/{id}/profiles",
    limits="75/s 750/m",
    scopes="lists:read profiles:read",
    names_2024="get_list_profiles",
    extra={"additional_fields_profile=predictive_analytics": "10/s 150/m"},
)
def get_profiles_for_list(
    *,
    id: str,
    filter: str | None = None,
    sort: Literal["joined_group_at", "-joined_group_at"] | None = None,
    fields_profile: list[MemberField] | None = None,
    additional_fields_profile: list[ProfileExtra] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the profiles on a list by the time they joined.

    A filter on `joined_group_at` finds who came, never who left: for that, read the whole list. Predictive analytics
    draw on a smaller budget, which every action that offers them shares.
    """
    ...


@action(
    "GET /api/lists/{id}/relationships/profiles",
    limits="75/s 750/m",
    scopes="lists:read profiles:read",
    names_2024="get_list_relationships_profiles",
)
def get_profile_ids_for_list(
    *,
    id: str,
    filter: str | None = None,
    sort: Literal["joined_group_at", "-joined_group_at"] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the ids of the profiles on a list by the time they joined."""
    ...


@action("GET /api/lists/{id}/tags", limits="3/s 60/m", scopes="lists:read tags:read", names_2024="get_list_tags")
def get_tags_for_list(*, id: str, fields_tag: list[TagField] | None = None) -> Envelope:
    """List the tags of a list."""
    ...


@action(
    "GET /api/lists/{id}/relationships/tags",
    limits="3/s 60/m",
    scopes="lists:read tags:read",
    names_2024="get_list_relationships_tags",
)
def get_tag_ids_for_list(*, id: str) -> Envelope:
    """List the ids of the tags of a list."""
    ...


@action("GET /api/lists/{id}/flow-triggers", limits="3/s 60/m", scopes="flows:read lists:read")
def get_flows_triggered_by_list(*, id: str, fields_flow: list[FlowField] | None = None) -> Envelope:
    """List the flows that joining a list triggers."""
    ...


@action("GET /api/lists/{id}/relationships/flow-triggers", limits="3/s 60/m", scopes="flows:read lists:read")
def get_ids_for_flows_triggered_by_list(*, id: str) -> Envelope:
    """List the ids of the flows that joining a list triggers."""
    ...


@action(
    "POST /api/lists",
    type="list",
    limits="10/s 150/m 150/d",
    scopes="lists:write",
    repeat=never("the account's lists: one of this name may be there already"),
)
def create_list(
    *,
    name: str,
    opt_in_process: OptInProcess | None = None,
    fields_list: list[ListField] | None = None,
) -> Envelope:
    """Create a list.

    Names are not unique: asking twice makes two lists.
    """
    ...


@action("PATCH /api/lists/{id}", type="list", limits="10/s 150/m", scopes="lists:write", repeat=SAFE)
def update_list(
    *,
    id: str,
    name: str | None = None,
    opt_in_process: OptInProcess | None = None,
    fields_list: list[ListField] | None = None,
) -> Envelope:
    """Rename a list or change how people opt in."""
    ...


@action("DELETE /api/lists/{id}", limits="10/s 150/m", scopes="lists:write", repeat=SAFE)
def delete_list(*, id: str) -> Envelope:
    """Delete a list. Its profiles stay."""
    ...


@action(
    "POST /api/lists/{list_id}/relationships/profiles",
    limits="10/s 150/m",
    scopes="lists:write profiles:write",
    names_2024="create_list_relationships",
    repeat=SAFE,
    checks=(any_of("profile_ids", "emails"), at_most_1000),
    resolve=resolve_addresses,
)
def add_profiles_to_list(
    *,
    list_id: str,
    profile_ids: MemberIds | None = None,
    emails: Addresses | None = None,
) -> Envelope:
    """Add up to 1,000 profiles to a list, by ids or email addresses.

    Gives no consent: that is `bulk_subscribe_profiles`. Addresses are looked up first, a hundred at a time, which takes
    requests of `get_profiles`; those that Klaviyo does not know are listed in the result as `not_found`.
    """
    ...


@action(
    "DELETE /api/lists/{list_id}/relationships/profiles",
    limits="10/s 150/m",
    scopes="lists:write profiles:write",
    names_2024="delete_list_relationships",
    repeat=SAFE,
    checks=(any_of("profile_ids", "emails"), at_most_1000),
    resolve=resolve_addresses,
)
def remove_profiles_from_list(
    *,
    list_id: str,
    profile_ids: MemberIds | None = None,
    emails: Addresses | None = None,
) -> Envelope:
    """Remove up to 1,000 profiles from a list, by ids or email addresses.

    Consent stays as it is. Addresses are looked up first, as in `add_profiles_to_list`.
    """
    ...
