"""Data privacy: deleting what Klaviyo knows of a person."""

from __future__ import annotations

from typing import Annotated

from tasks.rules import one_of
from tasks.shapes import Email, PhoneNumber
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.api.repeat import with_key
from worker.api.wire import At


def names_by_address(params: Params) -> str | None:
    """By the time of a repeat, an address may belong to someone else."""
    return None if params.get("profile_id") else "the Deleted Profiles page, and who has the address or number now"


@action(
    "POST /api/data-privacy-deletion-jobs",
    type="data-privacy-deletion-job",
    limits="3/s 60/m",
    scopes="data-privacy:write",
    repeat=with_key("profile_id", unless=names_by_address),
    checks=(one_of("profile_id", "email", "phone_number"),),
)
def request_profile_deletion(
    *,
    profile_id: Annotated[str, At("data.attributes.profile.data.id", type="profile")] | None = None,
    email: Annotated[Email, At("data.attributes.profile.data.attributes.email", type="profile")] | None = None,
    phone_number: Annotated[PhoneNumber, At("data.attributes.profile.data.attributes.phone_number", type="profile")]
    | None = None,
) -> Envelope:
    """Delete a person's profile for good, as privacy laws ask for.

    Name the person by one of the three. By address or number, every profile that has it when Klaviyo gets to it goes;
    the id is the safer name. Klaviyo accepts the request; later the profile is `NotFound`.
    """
    ...
