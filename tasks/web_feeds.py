"""Web feeds: data that Klaviyo fetches when it renders a template."""

from typing import Literal

from tasks.shapes import UpTo20
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE, never

WebFeedField = Literal["content_type", "created", "id", "name", "request_method", "status", "updated", "url"]
WebFeedSort = Literal["created", "-created", "name", "-name", "updated", "-updated"]


@action("GET /api/web-feeds", limits="1/s 15/m", scopes="web-feeds:read")
def get_web_feeds(
    *,
    filter: str | None = None,
    sort: WebFeedSort | None = None,
    fields_web_feed: list[WebFeedField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo20 | None = None,
) -> Envelope:
    """List the web feeds of the account."""
    ...


@action("GET /api/web-feeds/{id}", limits="1/s 15/m", scopes="web-feeds:read")
def get_web_feed(*, id: str, fields_web_feed: list[WebFeedField] | None = None) -> Envelope:
    """Get a web feed."""
    ...


@action(
    "POST /api/web-feeds",
    type="web-feed",
    limits="1/s 15/m",
    scopes="web-feeds:write",
    repeat=never("`get_web_feeds`, by name"),
)
def create_web_feed(
    *,
    name: str,
    url: str,
    request_method: Literal["get", "post"],
    content_type: Literal["json", "xml"],
    fields_web_feed: list[WebFeedField] | None = None,
) -> Envelope:
    """Create a web feed.

    Templates find it by its name.
    """
    ...


@action("PATCH /api/web-feeds/{id}", type="web-feed", limits="1/s 15/m", scopes="web-feeds:write", repeat=SAFE)
def update_web_feed(
    *,
    id: str,
    name: str | None = None,
    url: str | None = None,
    request_method: Literal["get", "post"] | None = None,
    content_type: Literal["json", "xml"] | None = None,
    fields_web_feed: list[WebFeedField] | None = None,
) -> Envelope:
    """Update a web feed."""
    ...


@action("DELETE /api/web-feeds/{id}", limits="1/s 15/m", scopes="web-feeds:write", repeat=SAFE)
def delete_web_feed(*, id: str) -> Envelope:
    """Delete a web feed."""
    ...
