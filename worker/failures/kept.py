"""Tasks of actions that have failed for good, as Redis keeps them until somebody replays or drops them.

A failure is stored together with the end of its task (`worker.results`): so none is lost, and no task that goes on has
one. A call's parameters are encrypted if ``KLAVIYO_SECRET_KEY`` is set. The steps of jobs, imports and syncs
are not kept here, as each of these has its own record.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from worker.account_and_lane import LANES, lane_of, place_of
from worker.accounts.encryption import Undecryptable, get_encryption
from worker.accounts.lookup import DEFAULT
from worker.errors import InputError, SettingsError
from worker.failures.groups import Group, group_of
from worker.governor import Delivery, FailedCall, get_governor
from worker.message_headers import delivery_of
from worker.settings import Settings, get_settings
from worker.telemetry.masking import mask_text

#: The most bytes that all failures may take.
MAX_BYTES = 64 * 1024 * 1024

#: Failures that are read from Redis, or dropped, in one round trip.
FAILURES_PER_BATCH = 200

#: How much of an error's sentence is kept.
MAX_SENTENCE_CHARACTERS = 500

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Count:
    """How many failures a group has, and when the first and the last of them happened (Unix times)."""

    group: Group
    failures: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed task. ``at`` is a Unix time; ``call`` is what the task carries, encrypted if a key is set."""

    id: str
    task: str
    account: str
    lane: str
    at: float
    call: str

    @property
    def opened(self) -> dict[str, Any]:
        """What the call carries: the sentence of its ``error``, ``args``, ``kwargs``, and the ``callbacks``,
        ``errbacks`` and ``chain`` that follow it.

        Raises:
            SettingsError: it is encrypted with a key that is not set here.

        """
        found: dict[str, Any] = orjson.loads(_decrypted(self.id, self.call))
        return found


def bounds(settings: Settings) -> tuple[int, int, int]:
    """Return the most failures that are kept, the most bytes of them, and their greatest age in ms."""
    return settings.failures_kept, MAX_BYTES, int(settings.failures_days * _DAY_MS)


def failed_call(task: Any, request: Any, error: BaseException) -> FailedCall | None:
    """Return what is kept of a delivery that has failed; None if it is no call of an action, or if nothing is kept."""
    delivery, settings = delivery_of(request) if request else None, get_settings()
    if delivery is None or not settings.failures_kept or not hasattr(task, "declaration"):
        return None
    group = group_of(task.declaration.name, error)
    followed = request.callbacks or request.errbacks or request.chain or request.chord
    call = {
        "error": mask_text(str(error))[:MAX_SENTENCE_CHARACTERS],
        "args": request.args or (),
        "kwargs": request.kwargs or {},
        **{name: getattr(request, name) for name in ("callbacks", "errbacks", "chain") if getattr(request, name)},
    }
    record = {
        "task": task.name,
        "account": place_of(request).account or DEFAULT,
        "lane": _lane(request),
        "call": _encrypted(request.id, orjson.dumps(call), settings),
    }
    return FailedCall(
        request.id,
        Delivery(*delivery),
        bool(followed),
        group.id,
        orjson.dumps(asdict(group)),
        orjson.dumps(record),
        *bounds(settings),
    )


def _encrypted(task_id: str, call: bytes, settings: Settings) -> str:
    """Encrypt what a call carries, if a key is set."""
    if settings.secret_key is None:
        return call.decode()
    return b64encode(get_encryption().encrypt(call, _of(task_id))).decode()


def _decrypted(task_id: str, call: str) -> str | bytes:
    if call.startswith("{"):  # no key was set then
        return call
    try:
        return get_encryption().decrypt(b64decode(call), _of(task_id))
    except Undecryptable:  # its text names the task, but all of these failures need one reason
        raise SettingsError("the call is encrypted with a key that KLAVIYO_SECRET_KEY does not hold") from None


def _of(task_id: str) -> str:
    """The name to which an encrypted call is bound."""
    return f"failed task {task_id}"


def _lane(request: Any) -> str:
    try:
        return lane_of(request)
    except InputError:  # that is why it failed
        return LANES[0]


def failure_groups() -> list[Count]:
    """Return every group of failures, the largest first."""
    found = [
        Count(Group(**orjson.loads(about)), count, first, last)
        for about, count, first, last in get_governor().failure_groups()
    ]
    return sorted(found, key=lambda each: (-each.failures, each.group.id))


def failures_of(group: str, most: int | None = None) -> Iterator[Failure]:
    """Yield the failures of a group, the oldest first. One that is dropped meanwhile may be left out."""
    governor, read, wanted = get_governor(), 0, most
    ids = governor.failed_ids(group)
    while ids and (wanted is None or read < wanted):
        part, ids = ids[:FAILURES_PER_BATCH], ids[FAILURES_PER_BATCH:]
        for id, at, record in governor.failures(group, part):
            if wanted is None or read < wanted:
                read += 1
                yield Failure(id=id, at=at, **orjson.loads(record))


def failures_of_account(alias: str) -> list[tuple[Group, Failure]]:
    """Return every failure of an account, with its group."""
    groups = [each.group for each in failure_groups()]
    return [(group, failure) for group in groups for failure in failures_of(group.id) if failure.account == alias]


def keep(group: Group, failure: Failure) -> None:
    """Keep a failure of another Redis here, too."""
    record = {name: getattr(failure, name) for name in ("task", "account", "lane", "call")}
    about = orjson.dumps(asdict(group))
    get_governor().keep_failure(failure.id, group.id, about, orjson.dumps(record), failure.at)


def drop_these(ids: Sequence[str]) -> int:
    """Drop failures by the ids of their tasks, and return how many there were."""
    return sum(get_governor().drop_failures(part) for part in _parts(ids))


def drop(group: str) -> int:
    """Drop the failures of a group, and return how many there were."""
    return drop_these(get_governor().failed_ids(group))


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + FAILURES_PER_BATCH] for start in range(0, len(ids), FAILURES_PER_BATCH))


def prune() -> None:
    """Drop failures that are too old or too many. Workers do so now and then, in case nothing fails any more."""
    get_governor().prune_failures(*bounds(get_settings()))
