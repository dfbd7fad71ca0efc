"""Images: the pictures that messages and templates use."""

import base64
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import PlainValidator
from typing_extensions import TypedDict

from tasks.shapes import UpTo100
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE, never
from worker.api.wire import At, NotNull

ImageField = Literal["format", "hidden", "id", "image_url", "name", "size", "updated_at"]
ImageSort = Literal["format", "-format", "id", "-id", "name", "-name", "size", "-size", "updated_at", "-updated_at"]


class ImageFile(TypedDict):
    """A file on its way to Klaviyo: its name, and its content in base64, so that any worker can send it."""

    filename: str
    content: str


def read_file(given: Any) -> Any:
    """A path or bytes as an `ImageFile`. A string is not a path: no message may make a worker read its disk."""
    if isinstance(given, Path):
        return {"filename": given.name, "content": base64.b64encode(given.read_bytes()).decode()}
    if isinstance(given, bytes):
        return {"filename": "image", "content": base64.b64encode(given).decode()}
    if isinstance(given, dict) and all(isinstance(given.get(key), str) for key in ("filename", "content")):
        try:
            base64.b64decode(given["content"], validate=True)
        except (ValueError, TypeError):
            raise ValueError("the content is not in base64") from None
        return given
    raise ValueError("give a pathlib.Path, bytes, or the file's name and its content in base64")


@action("GET /api/images", limits="10/s 150/m", scopes="images:read")
def get_images(
    *,
    filter: str | None = None,
    sort: ImageSort | None = None,
    fields_image: list[ImageField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the images of the account."""
    ...


@action("GET /api/images/{id}", limits="10/s 150/m", scopes="images:read")
def get_image(*, id: str, fields_image: list[ImageField] | None = None) -> Envelope:
    """Get an image."""
    ...


@action(
    "POST /api/images",
    type="image",
    limits="3/s 100/m 100/d",
    scopes="images:write",
    repeat=never("the images changed since the call, by their name"),
)
def upload_image_from_url(
    *,
    import_from_url: str,
    name: str | None = None,
    hidden: bool | None = None,
    fields_image: list[ImageField] | None = None,
) -> Envelope:
    """Upload an image that Klaviyo fetches from a URL.

    JPEG, PNG and GIF up to 5 MB; a data URI does, too. Each call stores another image and counts against the day's
    limit.
    """
    ...


@action(
    "POST /api/image-upload",
    multipart=True,
    limits="3/s 100/m 500/d",
    scopes="images:write",
    repeat=never("the images changed since the call, by their name"),
)
def upload_image_from_file(
    *,
    file: Annotated[Path | bytes | ImageFile, At("file"), PlainValidator(read_file)],
    name: Annotated[str | None, At("name"), NotNull()] = None,
    hidden: Annotated[bool | None, At("hidden"), NotNull()] = None,
    fields_image: list[ImageField] | None = None,
) -> Envelope:
    """Upload an image from a file.

    JPEG, PNG and GIF up to 5 MB. The file is read at the call and travels with the task. Each call stores another
    image and counts against the day's limit. Without a name, the image has the file's.
    """
    ...


@action("PATCH /api/images/{id}", type="image", limits="10/s 150/m", scopes="images:write", repeat=SAFE)
def update_image(
    *, id: str, name: str | None = None, hidden: bool | None = None, fields_image: list[ImageField] | None = None
) -> Envelope:
    """Rename an image, or hide it from the library."""
    ...
