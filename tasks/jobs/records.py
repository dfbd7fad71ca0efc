"""What jobs tell of their records: counters, errors, and which record each error is about. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from tasks.jobs.ledger import Counters
from worker.masking import mask_text

#: What names a record, in a request as in an answer.
NAMES = ("email", "phone_number", "external_id", "unique_code")

_COUNTS = {"total_count": "total", "completed_count": "completed", "failed_count": "failed", "skipped_count": "skipped"}


def counters(attributes: Mapping[str, Any]) -> Counters:
    """The counts that a job's attributes hold; what no count can be is left out."""
    found = {ours: _count(attributes.get(theirs)) for theirs, ours in _COUNTS.items()}
    return {name: count for name, count in found.items() if count is not None}


def _count(value: Any) -> int | None:
    """A number of records; one in quotes, too."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def index(pointer: Any, path: Sequence[str]) -> int | None:
    """The place of the record that a pointer leads into: 17 of ``/data/attributes/profiles/data/17/attributes``."""
    if not path or not isinstance(pointer, str):
        return None
    found = re.match(rf"/{'/'.join(map(re.escape, path))}/([0-9]{{1,9}})(?:/|$)", pointer)
    return int(found[1]) if found else None


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of what should be a list of them."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def told(error: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """What may be told of one error: nothing about it keeps to a schema, and its text may name a person.

    ``index`` is the record's place in the request; ``name`` its own, where the error has only that. ``sent`` is the
    record itself, for an import's report and for nobody else.
    """
    source = error.get("source")
    pointer = source.get("pointer") if isinstance(source, Mapping) else None
    meta = error.get("meta")
    name = meta.get("external_id") or meta.get("unique_code") if isinstance(meta, Mapping) else None
    kept = {
        "index": index(pointer, path),
        "code": error.get("code"),
        "title": mask_text(str(error["title"])) if error.get("title") else None,
        "detail": mask_text(str(error["detail"])) if error.get("detail") else None,
        "pointer": pointer,
        "name": name,
        "sent": error.get("original_payload"),
    }
    return {key: value for key, value in kept.items() if value is not None}


def reason(error: Mapping[str, Any]) -> str:
    """One error as a sentence's end: what Klaviyo said, and of which field."""
    said = str(error.get("detail") or error.get("title") or error.get("code") or "no reason was given").rstrip(".")
    field = str(error.get("pointer") or "").rpartition("/attributes/")[2]
    return f"{said} ({field.replace('/', '.')})" if field and not field.isdigit() and "/data/" not in field else said


def names(resource: Any) -> set[str]:
    """What a record is known by, in a request or in an answer; nothing where it is no record."""
    if not isinstance(resource, Mapping):
        return set()
    attributes = resource.get("attributes")
    given = attributes if isinstance(attributes, Mapping) else {}
    found = {str(given[name]).casefold() for name in NAMES if given.get(name)}
    id = str(resource.get("id") or "")
    # Catalog ids end in the external id; a coupon code's begins with the code.
    return found | ({id.casefold(), id.rpartition(":::")[2].casefold()} if id else set())


def at(document: Any, path: Iterable[str]) -> Any:
    """What stands at a path of a document; None where nothing does."""
    for name in path:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def records(body: bytes | None, path: Sequence[str]) -> list[Any]:
    """The records of a request."""
    return (at(orjson.loads(body), path) if body and path else None) or []
