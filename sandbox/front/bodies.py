"""Request bodies: size, content type, JSON, and the shape that Klaviyo publishes for them."""

from typing import Any

import orjson

from sandbox.errors import ApiError, error, refusal
from sandbox.operations import Operation
from worker.api.body import check_of
from worker.api.body_leaves import Problem

MAX_BYTES = 5 * 1024 * 1024
JSON_TYPES = ("application/vnd.api+json", "application/json")


def check_envelope(operation: Operation, content_type: str, length: int) -> None:
    """415 for a content type that the operation does not accept, 413 for more than 5 MB."""
    wanted = ("multipart/form-data",) if operation.multipart else JSON_TYPES
    if (operation.body or operation.multipart) and content_type.partition(";")[0].strip().lower() not in wanted:
        raise refusal(415, f"Unsupported media type '{content_type}' in request.")
    if length > MAX_BYTES:
        raise refusal(413, "Request body is larger than 5 MB.")


def parse_document(operation: Operation, raw: bytes, path_id: str) -> Any:
    """The JSON document of a body; 400 if it does not have the shape that Klaviyo publishes for it."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as fault:
        raise refusal(400, f"JSON parse error - {fault}", code="parse_error", pointer="/") from None
    check = check_of("tasks", operation.id)
    assert check, f"tasks/bodies.json does not have the body of {operation.id}"
    errors = [_error(problem, operation) for problem in check(body)]
    if not errors and operation.method == "PATCH" and len(operation.segments) == 3:
        errors += _of_another(body["data"], path_id)
    if errors:
        raise ApiError(400, errors)
    return body


def _error(problem: Problem, operation: Operation) -> dict[str, Any]:
    """A problem as an error object, worded as Klaviyo does."""
    name = problem.pointer[-1] if problem.pointer else "The document"
    pointer = "".join(f"/{each}" for each in problem.pointer)
    if problem.kind == "missing":
        return error(400, f"{name} is a required field.", pointer=pointer, code="required")
    if problem.kind == "unknown" and problem.pointer[:-1] == ("data", "attributes"):
        return error(400, f"'{name}' is not a valid field for the resource '{operation.body}'.", pointer=pointer)
    return error(400, f"{name} {problem.message}.", pointer=pointer)


def _of_another(data: Any, path_id: str) -> list[dict[str, Any]]:
    """The error of a body whose id is not the one in the path."""
    if not isinstance(data, dict) or data.get("id", path_id) == path_id:
        return []
    return [error(400, "The id does not match the id in the address.", pointer="/data/id")]
