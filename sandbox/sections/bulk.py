"""Bulk jobs over things that come, change or go: their size, how many may be in progress, what fails in them.

A thing whose external id or unique code contains "reject" passes validation and fails in its job.
"""

from collections.abc import Callable
from typing import Any

from sandbox import documents
from sandbox.bodies import each
from sandbox.call import Call, Reply
from sandbox.errors import ApiError, error, refusal
from sandbox.sections import jobs
from sandbox.store import Resource

Item = dict[str, Any]
Check = Callable[[Item, str], list[dict[str, Any]]]
"""What is wrong with an item at a pointer, found before the job starts."""
Work = Callable[[Item, float], Resource | None]
"""Do one item at a time; what it made or changed, if it is there to be linked to the job."""

REJECTED = "reject"
_IN_PROGRESS = ("queued", "processing")


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
    in_progress = sum(1 for job in call.store.all(type) if job.attributes["status"] in _IN_PROGRESS)
    if in_progress >= most_jobs:
        detail = f"Too many jobs in progress: at most {most_jobs} are allowed at one time."
        raise refusal(400, detail, code="too_many_jobs")
    linked = name in call.store.relations.of(type)

    def step(index: int, now: float) -> bool:
        item = items[index]
        try:
            if REJECTED in key(item):
                raise ApiError(400, [error(400, f"{key(item)} was refused.")])
            made = work(item, now)
        except ApiError as failure:
            job.attributes["errors"].append(_row(failure, f"/data/attributes/{name}/data/{index}", key(item)))
            return False
        if made and linked:
            call.store.link(job, name, made, now)
        return True

    job = jobs.create(call, type, total=len(items), step=step, shape=jobs.BULK)
    return documents.single(call, job)


def _row(failure: ApiError, pointer: str, key: str) -> dict[str, Any]:
    """As a real job was seen to have it, with nulls that Klaviyo's own document does not allow."""
    detail = failure.errors[0]["detail"]
    source = {"pointer": pointer}
    return {"id": None, "code": None, "title": None, "detail": detail, "source": source, "meta": {"external_id": key}}
