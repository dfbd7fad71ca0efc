"""Bulk jobs over things that come, change or go: their size, how many may be in progress, what fails in them."""

from collections.abc import Callable
from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import ApiError, refusal
from sandbox.front.bodies import each
from sandbox.reading import documents
from sandbox.records import markers
from sandbox.records.store import Resource
from sandbox.sections import jobs

Item = dict[str, Any]
Check = Callable[[Item, str], list[dict[str, Any]]]
"""What is wrong with an item at a pointer, found before the job starts."""
Work = Callable[[Item, float], Resource | None]
"""Do one item at a time; what it made or changed, if it is there to be linked to the job."""


def start(
    call: Call, name: str, check: Check, work: Work, *, most: int, most_jobs: int, key: Callable[[Item], str]
) -> Reply:
    """Start the job over the items under the attribute `name`, if they are all well-formed and there is room."""
    type = str(call.operation.type)
    items, errors = [], []
    for _, pointer, item in each(call.attributes, name, most):
        errors += check(item, pointer)
        items.append(item)
    if errors:
        raise ApiError(400, errors)
    linked = name in call.store.relations.of(type)

    def step(index: int, now: float) -> bool:
        item = items[index]
        if markers.rejected_id(key(item)):
            raise refusal(400, f"{key(item)} was refused.")
        made = work(item, now)
        if made and linked:
            call.store.link(job, name, made, now)
        return True

    def failed(index: int, cause: dict[str, Any], now: float) -> None:
        job.attributes["errors"].append(_row(cause, f"/data/attributes/{name}/data/{index}", key(items[index])))

    job = jobs.create(call, type, total=len(items), step=step, failed=failed, shape=jobs.BULK, most_jobs=most_jobs)
    return documents.single(call, job)


def _row(cause: dict[str, Any], pointer: str, key: str) -> dict[str, Any]:
    """As a real job was seen to have it, with nulls that Klaviyo's own document does not allow."""
    shown = {"id": None, "code": None, "title": None, "detail": cause["detail"]}
    return shown | {"source": {"pointer": pointer}, "meta": {"external_id": key}}
