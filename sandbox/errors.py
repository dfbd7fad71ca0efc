"""Errors as Klaviyo words them: JSON:API error objects with an id, a code and a pointer to what is wrong."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

TITLES = {
    400: ("invalid", "Invalid input."),
    401: ("not_authenticated", "Authentication credentials were not provided."),
    403: ("permission_denied", "You do not have permission to perform this action."),
    404: ("not_found", "Not found."),
    405: ("method_not_allowed", "Method not allowed."),
    409: ("conflict", "Conflict."),
    410: ("gone", "Gone."),
    413: ("payload_too_large", "Payload too large."),
    415: ("unsupported_media_type", "Unsupported media type."),
    429: ("throttled", "Throttled."),
    500: ("error", "A server error occurred."),
    503: ("service_unavailable", "Service unavailable."),
}


class ApiError(Exception):
    """An error response: its status, and one error object for each thing that is wrong."""

    def __init__(self, status: int, errors: list[dict[str, Any]], retry_after: int | None = None) -> None:
        super().__init__(status, errors, retry_after)
        self.status = status
        self.errors = errors
        self.retry_after = retry_after

    def document(self) -> dict[str, Any]:
        """The body of the response."""
        return {"errors": self.errors}


def error(
    status: int,
    detail: str,
    *,
    pointer: str | None = None,
    parameter: str | None = None,
    code: str | None = None,
    title: str | None = None,
    meta: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One error object."""
    usual_code, usual_title = TITLES.get(status, ("error", "An error occurred."))
    source = {"parameter": parameter} if parameter else {"pointer": pointer or "/data"}
    return {
        "id": str(uuid4()),
        "status": status,
        "code": code or usual_code,
        "title": title or usual_title,
        "detail": detail,
        "source": source,
        "links": {},
        "meta": dict(meta or {}),
    }


def refusal(status: int, detail: str, *, retry_after: int | None = None, **place: Any) -> ApiError:
    """An error response for one reason; `place` holds the pointer or parameter, and any unusual code or title."""
    return ApiError(status, [error(status, detail, **place)], retry_after)


def invalid(detail: str, pointer: str) -> ApiError:
    """400 for a value in the body."""
    return refusal(400, detail, pointer=pointer)


def invalid_parameter(detail: str, parameter: str) -> ApiError:
    """400 for a value in the query."""
    return refusal(400, detail, parameter=parameter)


@contextmanager
def gathered(errors: list[dict[str, Any]]) -> Iterator[None]:
    """Collect errors in a list, so that the remaining items are checked too."""
    try:
        yield
    except ApiError as refused:
        errors += refused.errors


def not_found(type: str, id: str) -> ApiError:
    """404 for a resource that does not exist."""
    kind = type.replace("-", " ")
    return refusal(404, f"A {kind} with id {id} does not exist.", title=f"{kind.capitalize()} not found.")


def throttled(seconds: int | None) -> ApiError:
    """429, which says when to try again unless `seconds` is None."""
    detail = "Request was throttled."
    if seconds is not None:
        detail += f" Expected available in {seconds} second{'' if seconds == 1 else 's'}."
    return refusal(429, detail, retry_after=seconds)
