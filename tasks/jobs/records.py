"""What Klaviyo says about the records of a job: counters, errors, and which record an error is about. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tasks.jobs.ledger import Counters
from tasks.rules import value_at
from worker.pointers import record_index
from worker.telemetry.masking import mask_text

#: The attributes that identify a record, in requests and answers alike.
NAMES = ("email", "phone_number", "external_id", "unique_code")

_COUNTS = {"total_count": "total", "completed_count": "completed", "failed_count": "failed", "skipped_count": "skipped"}


def counters(attributes: Mapping[str, Any]) -> Counters:
    """Return the counts in a job's attributes, without values that cannot be counts."""
    found = {ours: _count(attributes.get(theirs)) for theirs, ours in _COUNTS.items()}
    return {name: count for name, count in found.items() if count is not None}


def _count(value: Any) -> int | None:
    """Return a count, even if Klaviyo quotes it; None if it is no count."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in what should be a list of objects."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def describe_error(error: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """Return what may be shown of an error: it follows no schema, and its text may name a person.

    ``index`` is the record's index in the request; ``name`` is its identifier, if the error has no index. ``sent``
    is the record itself, for the report of an import only.
    """
    source = error.get("source")
    pointer = source.get("pointer") if isinstance(source, Mapping) else None
    meta = error.get("meta")
    name = meta.get("external_id") or meta.get("unique_code") if isinstance(meta, Mapping) else None
    kept = {
        "index": record_index(pointer, path),
        "code": error.get("code"),
        "title": mask_text(str(error["title"])) if error.get("title") else None,
        "detail": mask_text(str(error["detail"])) if error.get("detail") else None,
        "pointer": pointer,
        "name": name,
        "sent": error.get("original_payload"),
    }
    return {key: value for key, value in kept.items() if value is not None}


def reason(error: Mapping[str, Any]) -> str:
    """Return an error as the end of a sentence: what Klaviyo said, and about which field."""
    said = str(error.get("detail") or error.get("title") or error.get("code") or "no reason was given").rstrip(".")
    field = str(error.get("pointer") or "").rpartition("/attributes/")[2]
    return f"{said} ({field.replace('/', '.')})" if field and not field.isdigit() and "/data/" not in field else said


def names(resource: Any) -> set[str]:
    """Return the identifiers of a record in a request or an answer; none if it is not a record."""
    if not isinstance(resource, Mapping):
        return set()
    attributes = resource.get("attributes")
    given = attributes if isinstance(attributes, Mapping) else {}
    found = {str(given[name]).casefold() for name in NAMES if given.get(name)}
    id = str(resource.get("id") or "")
    # Catalog ids end in the external id; a coupon code's begins with the code.
    return found | ({id.casefold(), id.rpartition(":::")[2].casefold()} if id else set())


def records(body: bytes | None, path: Sequence[str]) -> list[Any]:
    """Return the records of a request."""
    return (value_at(orjson.loads(body), path) if body and path else None) or []
