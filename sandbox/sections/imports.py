"""Bulk imports of profiles. Validation refuses the whole request; later failures are errors of the job."""

from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import ApiError, error, invalid
from sandbox.reading import documents
from sandbox.records import markers, profiles
from sandbox.records.store import Resource, Store
from sandbox.sections import jobs

MAX_PROFILES = 10_000


def bulk_import_profiles(call: Call) -> Reply:
    """Start the job that creates or updates the profiles and adds them to the lists."""
    items = _valid(call)
    lists = [call.store.get("list", id) for id in call.linkage("lists")]
    store = call.store

    def do_item(index: int, now: float) -> bool:
        item = {**items[index], "attributes": _not_null(items[index].get("attributes") or {})}
        if markers.rejected_email(item["attributes"].get("email")):
            raise invalid("The email address was refused.", "/data/attributes/email")
        profile, _ = profiles.upsert(store, item, now)
        store.link(job, "profiles", profile, now)
        for target in lists:
            store.link(target, "profiles", profile, now)
        return True

    def on_failed(index: int, cause: dict[str, Any], now: float) -> None:
        _note(store, job, index, items[index], cause, now)

    job = jobs.create(call, "profile-bulk-import-job", total=len(items), do_item=do_item, on_failed=on_failed)
    for target in lists:
        store.link(job, "lists", target, call.now)
    return documents.single(call, job)


def _valid(call: Call) -> list[dict[str, Any]]:
    """The profiles in the request; a 400 points to every bad one."""
    items, errors = [], []
    for pointer, item in call.items("profiles", MAX_PROFILES):
        found = profiles.problems(item, pointer)
        if not found and not profiles.is_identified(item):
            found = [error(400, "One or more identifiers must be provided.", pointer=f"{pointer}/attributes")]
        if not found:
            profiles.check_size(item, pointer)
        errors += found
        items.append(item)
    if errors:
        raise ApiError(400, errors)
    return items


def _not_null(attributes: dict[str, Any]) -> dict[str, Any]:
    """Drop nulls, which imports never write, at the top level and in location and properties."""
    kept = {name: value for name, value in attributes.items() if value is not None}
    for name in ("location", "properties"):
        if name in kept:
            kept[name] = {key: value for key, value in kept[name].items() if value is not None}
    return kept


def _note(store: Store, job: Resource, index: int, item: dict[str, Any], cause: dict[str, Any], now: float) -> None:
    place = cause["source"].get("pointer", "/data").removeprefix("/data")
    row = store.add(
        "import-error",
        {
            "code": cause["code"],
            "title": cause["title"],
            "detail": cause["detail"],
            "source": {"pointer": f"/data/attributes/profiles/data/{index}{place}"},
            "original_payload": item,
        },
    )
    store.link(job, "import-errors", row, now)
