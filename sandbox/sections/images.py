"""Images from a URL, a data URI or an uploaded file. Their content is not kept."""

import re
from base64 import b64decode
from pathlib import PurePosixPath
from urllib.parse import urlsplit
from zlib import crc32

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import documents
from sandbox.records.store import Store
from sandbox.times import to_iso

FORMATS = {"jpeg": "jpeg", "jpg": "jpeg", "png": "png", "gif": "gif"}
MAX_IMAGE_BYTES = 5 * 1024 * 1024
_URL = "/data/attributes/import_from_url"
_DATA = re.compile(r"data:image/([a-z]+);base64,(.*)", re.DOTALL)


def upload_image_from_url(call: Call) -> Reply:
    """Nothing is fetched: the format comes from the URL, and the size is made up."""
    sent, address = call.attributes, call.attributes["import_from_url"]
    data = _DATA.fullmatch(address)
    if data:
        filename, format, size = "image", data[1], _size(data[2])
    else:
        path = _path(address)
        filename, format, size = path.stem, path.suffix[1:].lower() or "png", 1000 + crc32(address.encode()) % 90_000
    return _stored(call, sent.get("name") or filename, format, size, bool(sent.get("hidden")), _URL)


def upload_image_from_file(call: Call) -> Reply:
    """Take the part `file` of the form, and `name` and `hidden` if given."""
    file = call.body.get("file")
    if not isinstance(file, dict):
        raise invalid("file is a required field.", "/data/file")
    name = call.body.get("name") or PurePosixPath(file["name"]).stem
    format = file["type"].removeprefix("image/")
    if format not in FORMATS:
        format = PurePosixPath(file["name"]).suffix[1:].lower()
    hidden = str(call.body.get("hidden", "")).lower() == "true"
    return _stored(call, name, format, file["size"], hidden, "/data/file")


def update_image(call: Call) -> Reply:
    """Rename it, hide it or show it."""
    image = call.store.get("image", call.path_id)
    sent = {name: value for name, value in call.attributes.items() if value is not None}
    if sent.get("name", image.attributes["name"]) != image.attributes["name"]:
        sent["name"] = _free_name(call.store, sent["name"])
    image.attributes |= sent
    call.store.touch(image, call.now)
    return documents.single(call, image)


def _stored(call: Call, name: str, format: str, size: int, hidden: bool, pointer: str) -> Reply:
    if format not in FORMATS:
        raise invalid(f"The format must be one of {', '.join(sorted(set(FORMATS.values())))}.", pointer)
    if size > MAX_IMAGE_BYTES:
        raise invalid("An image can have at most 5 MB.", pointer)
    id = call.store.new_id("image")
    attributes = {
        "name": _free_name(call.store, name),
        "image_url": f"{call.base_url}/images/{id}.{FORMATS[format]}",
        "format": FORMATS[format],
        "size": size,
        "hidden": hidden,
        "updated_at": to_iso(call.now),
    }
    return documents.single(call, call.store.add("image", attributes, id))


def _free_name(store: Store, name: str) -> str:
    """The name, with a number appended if an image has it already."""
    taken = {image.attributes["name"] for image in store.all("image")}
    found, number = name, 1
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _path(address: str) -> PurePosixPath:
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https"):
        raise invalid("An http or https address or a data URI is required.", _URL)
    return PurePosixPath(parts.path)


def _size(text: str) -> int:
    try:
        return len(b64decode(text, validate=True))
    except ValueError:  # not in its alphabet, or not even ASCII
        raise invalid("The data URI is not in base64.", _URL) from None
