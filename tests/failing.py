"""Tasks that have failed, as a worker leaves them."""

from __future__ import annotations

import json
from base64 import b64decode

from celery.app.task import Context

from worker.app import app
from worker.errors import BadRequest, OutcomeUnknown
from worker.governor import get_governor
from worker.message_headers import DELIVERY, HEADER
from worker.redis.connection import get_redis
from worker.transport import UNACKED, UNACKED_INDEX

ADA = {"email": "ada@example.com"}
LOST = OutcomeUnknown(
    "create_list", "default", "no answer from Klaviyo (it did not come in time)", "the lists of this name"
)


def refused(pointer="/data/attributes/email", detail="'ada@' is not an email address", status=400):
    error = {"title": "Invalid input.", "detail": detail, "source": {"pointer": pointer}}
    return BadRequest("create_profile", "default", status, [error])


def waiting(task_id):
    """The headers and the body of a task that waits."""
    message = json.loads(get_governor().message(task_id))
    return message["headers"], json.loads(b64decode(message["body"]))


def fail(action, params, error, account="default", lane="now", task_id=None, **followers):
    """What a worker does with a task that was published, taken, and has failed; the errbacks aside."""
    options = {"task_id": task_id} if task_id else {}
    task_id = action.on(account, lane=lane).apply_async(kwargs=params, **options).id
    headers, (args, kwargs, embedded) = waiting(task_id)
    get_governor().withdraw(task_id, "elsewhere", "{}", 1)
    get_redis().hset(UNACKED, f"tag of {task_id}", "as it was taken")
    told = {
        "id": task_id, "task": action.name, HEADER: headers[HEADER], "args": args, "kwargs": kwargs, **embedded,
        **followers,
        DELIVERY: (UNACKED, UNACKED_INDEX, f"tag of {task_id}"), "delivery_info": {},
    }  # fmt: skip
    app.backend.mark_as_failure(task_id, error, request=Context(told), call_errbacks=False)
    return task_id
