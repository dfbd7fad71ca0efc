"""Request bodies: size, content type, JSON, and what the operation requires of the document."""

from collections.abc import Iterator
from typing import Any

import orjson

from sandbox.errors import ApiError, error, invalid, refusal
from sandbox.operations import Operation

MAX_BYTES = 5 * 1024 * 1024
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
JSON_TYPES = ("application/vnd.api+json", "application/json")


def check_envelope(operation: Operation, content_type: str, length: int) -> None:
    """415 for a content type that the operation does not take, 413 for more than 5 MB."""
    wanted = ("multipart/form-data",) if operation.multipart else JSON_TYPES
    if (operation.body or operation.multipart) and content_type.partition(";")[0].strip().lower() not in wanted:
        raise refusal(415, f"Unsupported media type '{content_type}' in request.")
    if length > MAX_BYTES:
        raise refusal(413, "Request body is larger than 5 MB.")


def document(operation: Operation, raw: bytes, path_id: str) -> Any:
    """The JSON document of a body, checked at its top level."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as fault:
        raise refusal(400, f"JSON parse error - {fault}", code="parse_error", pointer="/") from None
    if not isinstance(body, dict) or "data" not in body:
        raise invalid("A document with primary data is required.", "/data")
    if operation.body_many:
        _check_identifiers(body["data"], operation)
    else:
        _check_resource(body, operation, path_id)
    return body


def each(call_attributes: dict[str, Any], name: str, most: int) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """The resource objects nested under an attribute: index, pointer and object. Refuses more than `most`."""
    pointer = f"/data/attributes/{name}/data"
    items = (call_attributes.get(name) or {}).get("data")
    if not isinstance(items, list) or not items:
        raise invalid("At least one item is required.", pointer)
    if len(items) > most:
        raise invalid(f"At most {most} items are allowed, {len(items)} were given.", pointer)
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise invalid("An object is required.", f"{pointer}/{index}")
        yield index, f"{pointer}/{index}", item


def _check_identifiers(data: Any, operation: Operation) -> None:
    if not isinstance(data, list):
        raise invalid("A list of resource identifiers is required.", "/data")
    errors = [
        error(400, f"A resource identifier of type {operation.body} is required.", pointer=f"/data/{index}")
        for index, one in enumerate(data)
        if not isinstance(one, dict) or one.get("type") != operation.body or not isinstance(one.get("id"), str)
    ]
    if errors:
        raise ApiError(400, errors)


def _check_resource(body: dict[str, Any], operation: Operation, path_id: str) -> None:
    data = body["data"]
    if not isinstance(data, dict):
        raise invalid("A resource object is required.", "/data")
    if operation.body and data.get("type") != operation.body:
        raise invalid(f"Invalid type '{data.get('type')}': '{operation.body}' is required.", "/data/type")
    attributes = data.get("attributes")
    if attributes is not None and not isinstance(attributes, dict):
        raise invalid("An object is required.", "/data/attributes")
    errors = [problem for needed in operation.needs.items() for problem in _lacking(body, *needed)]
    for name, value in (attributes or {}).items():
        errors += _unfit(operation, name, value)
    errors += _bad_links(operation, data.get("relationships") or {})
    if operation.method == "PATCH" and len(operation.segments) == 3 and "id" in data and data["id"] != path_id:
        errors.append(error(400, "The id does not match the id in the address.", pointer="/data/id"))
    if errors:
        raise ApiError(400, errors)


def _lacking(body: Any, pointer: str, kind: str) -> list[dict[str, Any]]:
    """What is wrong at a place where there must be a value."""
    name = ""
    for name in pointer.strip("/").split("/"):
        body = body.get(name) if isinstance(body, dict) else None
    if body is None:
        return [error(400, f"{name} is a required field.", pointer=pointer, code="required")]
    return [] if _is(body, kind) else [error(400, f"{name} must be of type {kind}.", pointer=pointer)]


def _unfit(operation: Operation, name: str, value: Any) -> list[dict[str, Any]]:
    """What is wrong with an attribute that was sent: it is not known, or not of its type."""
    pointer, known = f"/data/attributes/{name}", operation.attributes
    if known is None or pointer in operation.needs:
        return []
    if name not in known:
        detail = f"'{name}' is not a valid field for the resource '{operation.body}'."
        return [error(400, detail, pointer=pointer)]
    fits = value is None or _is(value, known[name])
    return [] if fits else [error(400, f"{name} must be of type {known[name]}.", pointer=pointer)]


def _bad_links(operation: Operation, relationships: Any) -> list[dict[str, Any]]:
    """What is wrong with the relationships that were sent: one is not known, or names no resources."""
    if not isinstance(relationships, dict):
        return [error(400, "An object is required.", pointer="/data/relationships")]
    errors = []
    for name, relationship in relationships.items():
        pointer = f"/data/relationships/{name}"
        if name not in operation.links:
            errors.append(error(400, f"'{name}' is not a relationship of '{operation.body}'.", pointer=pointer))
            continue
        data = relationship.get("data") if isinstance(relationship, dict) else None
        for one in data if isinstance(data, list) else [data] if data is not None else []:
            if not isinstance(one, dict) or not isinstance(one.get("id"), str):
                errors.append(error(400, "A resource identifier is required.", pointer=f"{pointer}/data"))
    return errors


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind in ("boolean", "any")
    return kind == "any" or isinstance(value, _TYPES[kind])
