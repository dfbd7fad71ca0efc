"""Tags, which label campaigns, flows, lists and segments, and groups of tags."""

from __future__ import annotations

from typing import Annotated, Literal

from tasks.shapes import TagField, UpTo25, UpTo50
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE, never
from worker.api.wire import At, Linkage, Linkages

TagGroupField = Literal["default", "exclusive", "id", "name"]
TagSort = Literal["id", "-id", "name", "-name"]

CampaignIds = Annotated[list[str], At("data"), Linkages("campaign")]
FlowIds = Annotated[list[str], At("data"), Linkages("flow")]
ListIds = Annotated[list[str], At("data"), Linkages("list")]
SegmentIds = Annotated[list[str], At("data"), Linkages("segment")]


@action("GET /api/tags", limits="3/s 60/m", scopes="tags:read")
def get_tags(
    *,
    filter: str | None = None,
    sort: TagSort | None = None,
    include: list[Literal["tag-group"]] | None = None,
    fields_tag_group: list[TagGroupField] | None = None,
    fields_tag: list[TagField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo50 | None = None,
) -> Envelope:
    """List the account's tags."""
    ...


@action("GET /api/tags/{id}", limits="3/s 60/m", scopes="tags:read")
def get_tag(
    *,
    id: str,
    include: list[Literal["tag-group"]] | None = None,
    fields_tag_group: list[TagGroupField] | None = None,
    fields_tag: list[TagField] | None = None,
) -> Envelope:
    """Get a tag."""
    ...


@action("GET /api/tags/{id}/tag-group", limits="3/s 60/m", scopes="tags:read", names_2024="get_tag_tag_group")
def get_tag_group_for_tag(*, id: str, fields_tag_group: list[TagGroupField] | None = None) -> Envelope:
    """Get the group that a tag belongs to."""
    ...


@action(
    "GET /api/tags/{id}/relationships/tag-group",
    limits="3/s 60/m",
    scopes="tags:read",
    names_2024="get_tag_relationships_tag_group",
)
def get_tag_group_id_for_tag(*, id: str) -> Envelope:
    """Get the id of the group that a tag belongs to."""
    ...


@action(
    "GET /api/tags/{id}/relationships/campaigns",
    limits="3/s 60/m",
    scopes="campaigns:read tags:read",
    names_2024="get_tag_relationships_campaigns",
)
def get_campaign_ids_for_tag(*, id: str) -> Envelope:
    """List the ids of the campaigns that have a tag."""
    ...


@action(
    "GET /api/tags/{id}/relationships/flows",
    limits="3/s 60/m",
    scopes="flows:read tags:read",
    names_2024="get_tag_relationships_flows",
)
def get_flow_ids_for_tag(*, id: str) -> Envelope:
    """List the ids of the flows that have a tag."""
    ...


@action(
    "GET /api/tags/{id}/relationships/lists",
    limits="3/s 60/m",
    scopes="lists:read tags:read",
    names_2024="get_tag_relationships_lists",
)
def get_list_ids_for_tag(*, id: str) -> Envelope:
    """List the ids of the lists that have a tag."""
    ...


@action(
    "GET /api/tags/{id}/relationships/segments",
    limits="3/s 60/m",
    scopes="segments:read tags:read",
    names_2024="get_tag_relationships_segments",
)
def get_segment_ids_for_tag(*, id: str) -> Envelope:
    """List the ids of the segments that have a tag."""
    ...


@action("GET /api/tag-groups", limits="3/s 60/m", scopes="tags:read")
def get_tag_groups(
    *,
    filter: str | None = None,
    sort: TagSort | None = None,
    fields_tag_group: list[TagGroupField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo25 | None = None,
) -> Envelope:
    """List the account's tag groups, the default group among them."""
    ...


@action("GET /api/tag-groups/{id}", limits="3/s 60/m", scopes="tags:read")
def get_tag_group(*, id: str, fields_tag_group: list[TagGroupField] | None = None) -> Envelope:
    """Get a tag group."""
    ...


@action("GET /api/tag-groups/{id}/tags", limits="3/s 60/m", scopes="tags:read", names_2024="get_tag_group_tags")
def get_tags_for_tag_group(*, id: str, fields_tag: list[TagField] | None = None) -> Envelope:
    """List the tags of a tag group."""
    ...


@action(
    "GET /api/tag-groups/{id}/relationships/tags",
    limits="3/s 60/m",
    scopes="tags:read",
    names_2024="get_tag_group_relationships_tags",
)
def get_tag_ids_for_tag_group(*, id: str) -> Envelope:
    """List the ids of the tags of a tag group."""
    ...


@action(
    "POST /api/tags",
    type="tag",
    limits="3/s 60/m",
    scopes="tags:read tags:write",
    repeat=never("the account's tags: one of this name may be there already"),
)
def create_tag(
    *,
    name: str,
    tag_group_id: Annotated[str, At("data.relationships.tag-group.data"), Linkage("tag-group")] | None = None,
    fields_tag: list[TagField] | None = None,
) -> Envelope:
    """Create a tag, in the default group unless another is named.

    An account has at most 500 tags.
    """
    ...


@action("PATCH /api/tags/{id}", type="tag", limits="3/s 60/m", scopes="tags:read tags:write", repeat=SAFE)
def update_tag(
    *,
    id: str,
    name: str,
) -> Envelope:
    """Rename a tag."""
    ...


@action("DELETE /api/tags/{id}", limits="3/s 60/m", scopes="tags:read tags:write", repeat=SAFE)
def delete_tag(*, id: str) -> Envelope:
    """Delete a tag, and remove it from everything that has it."""
    ...


@action(
    "POST /api/tags/{id}/relationships/campaigns",
    limits="3/s 60/m",
    scopes="campaigns:write tags:write",
    names_2024="create_tag_relationships_campaigns",
    repeat=SAFE,
)
def tag_campaigns(
    *,
    id: str,
    campaign_ids: CampaignIds,
) -> Envelope:
    """Tag campaigns.

    One campaign has at most 100 tags, and one tag of an exclusive group.
    """
    ...


@action(
    "POST /api/tags/{id}/relationships/flows",
    limits="3/s 60/m",
    scopes="flows:write tags:write",
    names_2024="create_tag_relationships_flows",
    repeat=SAFE,
)
def tag_flows(
    *,
    id: str,
    flow_ids: FlowIds,
) -> Envelope:
    """Tag flows.

    One flow has at most 100 tags, and one tag of an exclusive group.
    """
    ...


@action(
    "POST /api/tags/{id}/relationships/lists",
    limits="3/s 60/m",
    scopes="lists:write tags:write",
    names_2024="create_tag_relationships_lists",
    repeat=SAFE,
)
def tag_lists(
    *,
    id: str,
    list_ids: ListIds,
) -> Envelope:
    """Tag lists.

    One list has at most 100 tags, and one tag of an exclusive group.
    """
    ...


@action(
    "POST /api/tags/{id}/relationships/segments",
    limits="3/s 60/m",
    scopes="segments:write tags:write",
    names_2024="create_tag_relationships_segments",
    repeat=SAFE,
)
def tag_segments(
    *,
    id: str,
    segment_ids: SegmentIds,
) -> Envelope:
    """Tag segments.

    One segment has at most 100 tags, and one tag of an exclusive group.
    """
    ...


@action(
    "DELETE /api/tags/{id}/relationships/campaigns",
    limits="3/s 60/m",
    scopes="campaigns:write tags:write",
    names_2024="delete_tag_relationships_campaigns",
    repeat=SAFE,
)
def remove_tag_from_campaigns(*, id: str, campaign_ids: CampaignIds) -> Envelope:
    """Remove a tag from campaigns."""
    ...


@action(
    "DELETE /api/tags/{id}/relationships/flows",
    limits="3/s 60/m",
    scopes="flows:write tags:write",
    names_2024="delete_tag_relationships_flows",
    repeat=SAFE,
)
def remove_tag_from_flows(*, id: str, flow_ids: FlowIds) -> Envelope:
    """Remove a tag from flows."""
    ...


@action(
    "DELETE /api/tags/{id}/relationships/lists",
    limits="3/s 60/m",
    scopes="lists:write tags:write",
    names_2024="delete_tag_relationships_lists",
    repeat=SAFE,
)
def remove_tag_from_lists(*, id: str, list_ids: ListIds) -> Envelope:
    """Remove a tag from lists."""
    ...


@action(
    "DELETE /api/tags/{id}/relationships/segments",
    limits="3/s 60/m",
    scopes="segments:write tags:write",
    names_2024="delete_tag_relationships_segments",
    repeat=SAFE,
)
def remove_tag_from_segments(*, id: str, segment_ids: SegmentIds) -> Envelope:
    """Remove a tag from segments."""
    ...


@action(
    "POST /api/tag-groups",
    type="tag-group",
    limits="3/s 60/m",
    scopes="tags:read tags:write",
    repeat=never("the account's tag groups: one of this name may be there already"),
)
def create_tag_group(
    *,
    name: str,
    exclusive: bool | None = None,
    fields_tag_group: list[TagGroupField] | None = None,
) -> Envelope:
    """Create a tag group.

    Of an exclusive group, one thing can have one tag. An account has at most 50 groups.
    """
    ...


@action("PATCH /api/tag-groups/{id}", type="tag-group", limits="3/s 60/m", scopes="tags:read tags:write", repeat=SAFE)
def update_tag_group(
    *,
    id: str,
    name: str,
    return_fields: list[str] | None = None,
) -> Envelope:
    """Rename a tag group. Whether it is exclusive cannot be changed."""
    ...


@action("DELETE /api/tag-groups/{id}", limits="3/s 60/m", scopes="tags:read tags:write", repeat=SAFE)
def delete_tag_group(*, id: str) -> Envelope:
    """Delete a tag group and all its tags. The default group cannot be deleted."""
    ...
