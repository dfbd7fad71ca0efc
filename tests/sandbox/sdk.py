"""Documents for Klaviyo's own SDK, and ways to read its answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from klaviyo_api import KlaviyoAPI

#: How long the sandbox takes for a job.
JOB_SECONDS = 0.05


def resource(
    type: str, id: str | None = None, links: dict[str, Any] | None = None, **attributes: Any
) -> dict[str, Any]:
    """A document of one resource."""
    given = {"id": id, "attributes": attributes, "relationships": links}
    return {"data": {"type": type} | {name: value for name, value in given.items() if value}}


def identifiers(type: str, *ids: str) -> dict[str, Any]:
    """A document of resource identifiers."""
    return {"data": [{"type": type, "id": id} for id in ids]}


def bulk_job(type: str, name: str, *rows: dict[str, Any], links: dict[str, Any] | None = None) -> dict[str, Any]:
    """The document that starts a bulk job over the data of these documents."""
    return resource(type, links=links, **{name: {"data": [row["data"] for row in rows]}})


def ids(answer: Any) -> list[str]:
    return [row.id for row in answer.data]


def next_cursor(answer: Any) -> str:
    """The SDK itself finds a cursor only in an address that begins with https://."""
    return parse_qs(urlsplit(answer.links.next).query)["page[cursor]"][0]


def wait_until_complete(read: Callable[..., Any], id: str, **options: Any) -> Any:
    """The job, once it is complete."""
    for _ in range(100):
        answer = read(id, **options)
        if answer.data.attributes.status == "complete":
            return answer
        time.sleep(JOB_SECONDS)
    raise AssertionError(f"{answer.data} does not end")


def new_profile(sdk: KlaviyoAPI, name: str) -> str:
    return str(sdk.Profiles.create_profile(resource("profile", email=f"{name}@example.com")).data.id)


def new_list(sdk: KlaviyoAPI, name: str = "VIP") -> str:
    return str(sdk.Lists.create_list(resource("list", name=name)).data.id)


def new_image(sdk: KlaviyoAPI) -> Any:
    return sdk.Images.upload_image_from_url(
        resource("image", import_from_url="https://shop.example/mug.png", name="Mug")
    )
