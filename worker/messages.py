"""What can be read from a task's message while it lies in Redis (Celery's protocol 2, kombu's Redis transport)."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kombu.compression import decompress

from worker.message_headers import HEADER


@dataclass(frozen=True, slots=True)
class Part:
    """A task as a part of a group or of a chord."""

    id: str
    group: str | None
    group_index: int | None
    chord: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``wait`` is the header of ours that says in which line it waits; empty where it waits in none.

    ``chain`` are the parts that follow it.
    """

    id: str
    task: str
    wait: dict[str, Any]
    stamps: dict[str, Any]
    kwargs: dict[str, Any]
    part: Part
    chain: tuple[Part, ...]


def read(raw: str | bytes) -> Message:
    """Read a message.

    Raises:
        ValueError, LookupError, TypeError, zlib.error: it is none of Celery's, or none that can be read here.

    """
    headers, _, _, kwargs, embedded = unpacked(raw)
    return Message(
        id=headers["id"],
        task=headers["task"],
        wait=headers.get(HEADER) or {},
        stamps=headers.get("stamps") or {},
        kwargs=kwargs,
        part=Part(headers["id"], headers.get("group"), headers.get("group_index"), embedded.get("chord")),
        chain=tuple(parts(embedded.get("chain") or ())),
    )


def unpacked(raw: str | bytes) -> tuple[dict[str, Any], dict[str, Any], Any, Any, dict[str, Any]]:
    """A message's headers and properties, the arguments of its task, and what follows it; raises as `read` does."""
    message = json.loads(raw)
    headers, properties, body = message["headers"], message.get("properties", {}), message["body"]
    if properties.get("body_encoding") == "base64":
        body = base64.b64decode(body)
    if headers.get("compression"):
        body = decompress(body, headers["compression"])
    args, kwargs, embedded = json.loads(body)
    return headers, properties, args, kwargs, embedded or {}


def parts(signatures: Iterable[Mapping[str, Any]]) -> Iterator[Part]:
    """What signatures stand for that has an id: a chord has that of its body."""
    for each in signatures:
        options = each.get("options") or {}
        if options.get("task_id"):
            yield Part(options["task_id"], options.get("group_id"), options.get("group_index"), options.get("chord"))
        if each.get("subtask_type") == "chord" and (body := each["kwargs"].get("body")):
            yield from parts([body])


def readable(raws: Iterable[str | bytes]) -> Iterator[Message]:
    """Those that can be read. A message that a worker would drop keeps nobody from the others."""
    for raw in raws:
        try:
            message = read(raw)
        except (ValueError, LookupError, TypeError, zlib.error):
            continue
        yield message
