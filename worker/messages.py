"""What can be read from a task's message while it lies in Redis (Celery's protocol 2, kombu's Redis transport)."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``wait`` is the header of ours that says in which line it waits; empty where it waits in none."""

    id: str
    task: str
    wait: dict[str, Any]
    stamps: dict[str, Any]
    group: str | None
    group_index: int | None
    kwargs: dict[str, Any]
    chord: dict[str, Any] | None


def read(raw: str | bytes) -> Message:
    """Read a message.

    Raises:
        ValueError, KeyError, TypeError: it is none of Celery's.

    """
    message = json.loads(raw)
    headers, body = message["headers"], message["body"]
    if message.get("properties", {}).get("body_encoding") == "base64":
        body = base64.b64decode(body)
    _, kwargs, embedded = json.loads(body)
    return Message(
        id=headers["id"],
        task=headers["task"],
        wait=headers.get("klaviyo") or {},
        stamps=headers.get("stamps") or {},
        group=headers.get("group"),
        group_index=headers.get("group_index"),
        kwargs=kwargs,
        chord=embedded.get("chord"),
    )
