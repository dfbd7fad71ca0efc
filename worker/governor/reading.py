"""Reads what the script returns of pauses and lines. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from worker.governor.terms import BucketLook, Look, Pause, Rider
from worker.tiers import MINUTE_MS


def read_pause(what: str, value: bytes, moment: int) -> Pause:
    """Return a pause from its field of the hash ``paused``; ``moment`` is now, in ms."""
    probe, _, about = value.split(b"|", 2)
    fields = orjson.loads(about)
    tried = max(0.0, (int(probe) - moment) / 1000) if int(probe) else None
    return Pause(what, fields["by"], fields["why"], fields["since"], tried, fields["key"], fields.get("remedy", ""))


def read_look(line: str, seen: list[Any], moment: float) -> Look:
    """Return a line from what the operation ``look`` returns; ``moment`` is now, in seconds."""
    spec, now, bulk, later, since, blocked, reason, gone, counted, *rest = seen
    queue, parts = _read_spec(spec.decode())
    buckets = []
    for name, lengths in parts:
        flight, adopted, foreign, until, urgent = (int(float(each)) for each in rest[:5])
        uses, rest = rest[5 : 5 + 2 * len(lengths)], rest[5 + 2 * len(lengths) :]
        windows = (
            (int(used), adopted if adopted and length == MINUTE_MS else limit, length)
            for used, (limit, length) in zip(uses[::2], lengths, strict=True)
        )
        buckets.append(
            BucketLook(
                name,
                tuple(windows),
                flight,
                foreign,
                max(0.0, until / 1000 - moment),
                max(0.0, urgent / 1000 - moment),
                tuple(_seconds(back) for back in uses[1::2]),
            )
        )
    ages = [max(0.0, moment - float(each)) if each else None for each in since.split(b"|")]
    return Look(
        line,
        queue,
        now,
        bulk,
        later,
        max((age for age in ages if age is not None), default=None),
        max(0.0, int(float(blocked)) / 1000 - moment),
        tuple(buckets),
        gone * 60_000 / counted if gone else None,
        oldest_now=ages[0],
        oldest_bulk=ages[1],
        block_reason=reason.decode(),
    )


def read_spec(line: str, spec: str, now: int, bulk: int, later: int) -> Look:
    """Return a line of which only the spec and the counts are known, as if nothing of its windows were used."""
    queue, parts = _read_spec(spec)
    buckets = (
        BucketLook(name, tuple((0, limit, length) for limit, length in lengths), 0, 0, 0.0) for name, lengths in parts
    )
    return Look(line, queue, now, bulk, later, None, 0.0, tuple(buckets))


def _read_spec(spec: str) -> tuple[str, list[tuple[str, list[tuple[int, int]]]]]:
    """The queue of a line, and the windows of each of its buckets: how many requests in how many ms."""
    queue, *parts = spec.split(";")
    split = (part.rpartition("=") for part in parts)
    return queue, [(name, [_window(size) for size in sizes.split(",")]) for name, _, sizes in split]


def _window(size: str) -> tuple[int, int]:
    limit, _, length = size.partition(":")
    return int(limit), int(length)


def _seconds(times: bytes) -> tuple[float, ...]:
    """Times in ms, separated by commas."""
    return tuple(float(each) / 1000 for each in times.split(b",")) if times else ()


def read_rider(task_id: bytes, attempts: bytes, stored: bytes) -> Rider:
    """Return a task from what the operation ``board`` returns; ``stored`` is as in the hash ``waiting``."""
    head, _, message = stored.partition(b"\n")
    lane, _, share = head.decode().split("|", 2)
    return Rider(task_id.decode(), int(attempts), lane, share, message)
