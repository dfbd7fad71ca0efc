"""Bulk jobs that create, update or delete: their size, how many may be in progress, and what fails in them."""

from collections.abc import Callable
from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import ApiError, refusal
from sandbox.reading import documents
from sandbox.records import markers
from sandbox.records.store import Resource
from sandbox.sections import jobs

Item = dict[str, Any]
Check = Callable[[Item, str], list[dict[str, Any]]]
"""Finds what is wrong with an item at a pointer, before the job starts."""
DoItem = Callable[[Item, float], Resource | None]
"""Does one item at a time; returns the resource to link to the job, if any."""


def start(
    call: Call, name: str, check: Check, do_item: DoItem, *, max_items: int, max_jobs: int, key: Callable[[Item], str]
) -> Reply:
    """Start the job for the items under the attribute `name`, if all are well-formed and there is room."""
    type = str(call.operation.type)
    items, errors = [], []
    for pointer, item in call.items(name, max_items):
        errors += check(item, pointer)
        items.append(item)
    if errors:
        raise ApiError(400, errors)
    linked = name in call.store.relations.of(type)

    def do_one(index: int, now: float) -> bool:
        item = items[index]
        if markers.rejected_id(key(item)):
            raise refusal(400, f"{key(item)} was refused.")
        made = do_item(item, now)
        if made and linked:
            call.store.link(job, name, made, now)
        return True

    def on_failed(index: int, cause: dict[str, Any], now: float) -> None:
        job.attributes["errors"].append(_row(cause, f"/data/attributes/{name}/data/{index}", key(items[index])))

    job = jobs.create(
        call, type, total=len(items), do_item=do_one, on_failed=on_failed, shape=jobs.BULK, max_jobs=max_jobs
    )
    return documents.single(call, job)


def _row(cause: dict[str, Any], pointer: str, key: str) -> dict[str, Any]:
    """An error as a real job has had it, with nulls that Klaviyo's own OpenAPI file does not allow."""
    shown = {"id": None, "code": None, "title": None, "detail": cause["detail"]}
    return shown | {"source": {"pointer": pointer}, "meta": {"external_id": key}}
