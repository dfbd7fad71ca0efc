"""JSON:API as Klaviyo speaks it: a request to send, and what a response means. Pure, no I/O."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import orjson

from worker.api.document import problem
from worker.errors import BY_STATUS, Refused, Throttled, Unavailable
from worker.telemetry.masking import mask_text

if TYPE_CHECKING:
    from celery.result import AsyncResult

#: The API revision of all declarations. Stable until 2027-07-15, retired on 2028-07-15.
REVISION = "2026-07-15"
MEDIA_TYPE = "application/vnd.api+json"

#: No wait is longer: a day is Klaviyo's longest window.
MAX_RETRY_AFTER_S = 86_400.0

#: Beyond these, a header cannot be about the minute's window.
MAX_LIMIT_PER_MINUTE, MINUTE_S = 1_000_000, 60

_AVAILABLE_IN = re.compile(r"available in (\d+) second")
_TEXTS = ("id", "code", "title", "detail")


class Envelope(dict[str, Any]):
    """The result of an action: ``data``, ``error``, ``successful``, and any of these that apply.

    ``included``, ``links``, ``meta``: as in Klaviyo's document. ``job_id``: of the job that was started. ``created``:
    of an action that creates or updates, whether it created. ``unread``: why the body of a success could not be read.
    """


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, without anything specific to an account."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None
    content_type: str = MEDIA_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)


def encode_form(values: Mapping[str, Any]) -> tuple[bytes, str]:
    """Body and content type of a multipart form; a file is a mapping with ``filename`` and ``content`` in base64."""
    files = {
        name: (value["filename"], base64.b64decode(value["content"]))
        for name, value in values.items()
        if isinstance(value, Mapping)
    }
    fields = {name: value for name, value in values.items() if name not in files and value is not None}
    import httpx  # here, not above: commands that send nothing start without it

    request = httpx.Request("POST", "https://a.klaviyo.com", data=fields, files=files)
    return request.read(), request.headers["content-type"]


@dataclass(frozen=True, slots=True)
class Quota:
    """What the ``RateLimit-*`` headers say of the steady window: requests allowed and left, and seconds to its end."""

    limit: int
    remaining: int
    reset: int


def quota(headers: Mapping[str, str]) -> Quota | None:
    """Read the rate limit headers; None if one is missing, not a number, or implausible for a minute."""
    try:
        limit, remaining, reset = (
            int(headers[name].split(",")[0]) for name in ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
        )
    except (KeyError, ValueError):
        return None
    if not 0 < limit <= MAX_LIMIT_PER_MINUTE or reset > MINUTE_S:
        return None
    return Quota(limit, min(max(remaining, 0), limit), max(reset, 0))


def interpret(
    action: str,
    account: str,
    status: int,
    headers: Mapping[str, str],
    content: bytes,
    *,
    reads: bool,
    upserts: bool = False,
) -> Envelope:
    """The envelope of a successful response.

    What Klaviyo has confirmed has happened, whatever the body: only a request that ``reads`` needs a readable one. The
    envelope of a request that ``upserts`` says whether something was created.

    Raises:
        Throttled: 429.
        Unavailable: 5xx, 408, a Cloudflare challenge, or an unreadable body that is needed or not Klaviyo's.
        Refused: any other status; a subclass by status.

    """
    if status == 429:
        errors = _errors(content)
        raise Throttled(action, account, status, errors, _retry_after(headers, errors))
    if status >= 500 or status == 408:
        raise Unavailable(action, account, _unavailable_reason(status, content))
    if status == 403 and "html" in headers.get("content-type", ""):
        raise Unavailable(action, account, "403 with a Cloudflare challenge instead of an answer", False)
    if status >= 300:
        raise BY_STATUS.get(status, Refused)(action, account, status, _errors(content))
    created = {"created": status == 201} if upserts else {}
    try:
        return Envelope(**_read_document(content, reads), **created)
    except ValueError as unreadable:
        unread = f"{status} with {unreadable}"
    # A proxy or an outage page that answers 200 in Klaviyo's place does not send JSON.
    if reads or "json" not in headers.get("content-type", ""):
        raise Unavailable(action, account, unread)
    return Envelope(data=None, error=None, successful=True, unread=f"Klaviyo answered {unread}", **created)


def _read_document(content: bytes, reads: bool) -> dict[str, Any]:
    """The envelope's content from a body; a ValueError says why it cannot be read."""
    envelope: dict[str, Any] = {"data": None, "error": None, "successful": True}
    if not content.strip():
        if reads:
            raise ValueError("an empty body")
        return envelope
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise ValueError("a body that is not JSON") from None
    if wrong := problem(document):
        raise ValueError(f"a body that is not a JSON:API document: {wrong}")
    data = document.get("data")
    envelope["data"] = data
    envelope |= {name: document[name] for name in ("included", "links", "meta") if document.get(name)}
    if isinstance(data, dict) and str(data.get("type", "")).endswith("-job"):
        envelope["job_id"] = data.get("id")
    return envelope


def _unavailable_reason(status: int, content: bytes) -> str:
    said = next((str(e["detail"]).rstrip(".") for e in _errors(content) if e.get("detail")), None)
    return f"Klaviyo answered {status}" + (f": {said}" if said else "")


def _errors(content: bytes) -> list[dict[str, Any]]:
    """The error objects of a body, reduced to what may be made public. An unreadable body has none."""
    try:
        errors = orjson.loads(content)["errors"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return []
    if not isinstance(errors, list):
        return []
    return [_public_part(error) for error in errors if isinstance(error, dict)]


def _public_part(error: dict[str, Any]) -> dict[str, Any]:
    public: dict[str, Any] = {name: str(error[name]) for name in _TEXTS if error.get(name) is not None}
    for name in ("title", "detail"):
        if name in public:
            public[name] = mask_text(public[name])
    source, meta = error.get("source"), error.get("meta")
    if isinstance(source, dict):
        public["source"] = {name: value for name, value in source.items() if isinstance(value, str)}
    if isinstance(meta, dict) and (ids := {k: v for k, v in meta.items() if k.startswith("duplicate_")}):
        public["meta"] = ids
    return public


def _retry_after(headers: Mapping[str, str], errors: list[dict[str, Any]]) -> float | None:
    """Seconds to wait, from 0 to `MAX_RETRY_AFTER_S`; the header holds a number of them or a date."""
    given = headers.get("retry-after", "")
    if (seconds := _seconds(given)) is None:
        seconds = _until(given, headers.get("date", ""))
    if seconds is None:
        # A captured 429 came without the header and named the time in its text.
        spoken = next((m for e in errors if (m := _AVAILABLE_IN.search(e.get("detail", "")))), None)
        seconds = _seconds(spoken[1]) if spoken else None
    return None if seconds is None else min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _seconds(text: str) -> float | None:
    """A number of seconds; None if the text is not one."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return None if math.isnan(seconds) else seconds


def _until(moment: str, now: str) -> float | None:
    """Seconds from one HTTP date to another; None if either is not one."""
    try:
        return (parsedate_to_datetime(moment) - parsedate_to_datetime(now)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None


def outcome(result: AsyncResult[Any] | Envelope | BaseException) -> Envelope:
    """The envelope of a finished task; that of a failure has ``successful: False`` and the reason in ``error``.

    Takes what `.delay()` returned, or what the task itself returned or raised.

    Raises:
        ValueError: the task has not finished; `.get(propagate=False)` waits until it has.

    """
    if not isinstance(result, dict | BaseException):
        if not result.ready():
            raise ValueError(f"Task {result.id} has not finished: wait for it with .get(propagate=False).")
        result = result.result
    if isinstance(result, BaseException):
        return Envelope(data=None, error=str(result), successful=False)
    return Envelope(result)
