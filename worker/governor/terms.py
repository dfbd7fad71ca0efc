"""What the governor is asked and what it answers: constants and records, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from worker.pauses import describe, how_to_resume

if TYPE_CHECKING:
    from worker.api.jsonapi import Quota

#: What each of our keys in Redis begins with.
KEY_PREFIX = "klaviyo:"

#: First line of a foreign script that a full server must take, too (see keys.lua). In a cluster every key has a tag.
EVEN_IF_FULL = f"redis.call('DEL', (KEYS[1]:match('^{{[^}}]*}}:') or '') .. '{KEY_PREFIX}none')\n"

#: Instead of a fingerprint: Klaviyo accepts a worker's key, whichever was refused before.
ANY_KEY = "*"

#: Results up to this many bytes are stored even when Redis is full: ending the task frees about as much memory.
SMALL_RESULT_BYTES = 65_536

#: The part of a window that is kept for the lane now, while that is used.
RESERVE_FRACTION = 0.05

#: Milliseconds for which a revocation is remembered; a day if the task waited and was taken out.
REVOKED_MS = 30 * 86_400_000

#: A line's name and its spec (`worker.tiers.Line`), as messages carry them.
LineRef = tuple[str, str]

#: What a call can share a request with, and the request that would carry it (`worker.together.sharing`); empty for a
#: call that goes alone.
Together = tuple[str, str]
ALONE: Together = ("", "")


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where the broker keeps a message that a worker holds."""

    unacked_key: str
    unacked_index_key: str
    tag: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to the claim of a lease, and the attempts that its task has used.

    ``none``: there is no lease. ``unknown``: the action must not be repeated, and an earlier request of this task may
    have been carried out. ``revoked`` (see ``reason``), ``expired``: nobody wants it any more. ``decided``: it has
    traveled with others, and ``reason`` is its outcome, as `Fate.what` says.
    ``roomless``: how often Redis had no room for its result.
    """

    state: Literal["ok", "none", "unknown", "revoked", "expired", "decided"]
    attempts: int
    reason: str = ""
    roomless: int = 0


@dataclass(frozen=True, slots=True)
class RequestEnd:
    """How a request ended, as far as the windows care.

    ``used``: it may have reached Klaviyo and been counted. ``block`` seconds: nothing may be sent before, after a 429
    or, if there is a ``block_reason``, for that. ``forget``: it was certainly not carried out. ``accepted_key``:
    Klaviyo has accepted credentials of this fingerprint, or, by `ANY_KEY`, those of a worker. ``unanswered``: a thread
    has waited for the answer in vain.
    """

    used: bool
    quota: Quota | None = None
    block: float = 0.0
    block_reason: str = ""
    forget: bool = False
    accepted_key: str = ""
    unanswered: bool = False


@dataclass(slots=True)
class TaskEnd:
    """The end of a task whose request has succeeded; without a ``key`` nobody wants its result. ``ttl`` in seconds."""

    task_id: str
    delivery: Delivery
    request_end: RequestEnd
    key: str = ""
    value: str | bytes = b""
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A task that has failed for good, and the bounds within which failures are kept.

    ``followed``: somebody has to be told of its end before its delivery may go. ``about`` says what the ``group`` is
    of, ``record`` what it takes to repeat the task; both are JSON.
    """

    task_id: str
    delivery: Delivery
    followed: bool
    group: str
    about: bytes
    record: bytes
    most: int
    most_bytes: int
    age_ms: int


@dataclass(frozen=True, slots=True)
class Rider:
    """A task that travels with others: the attempts it has used, its lane, what it can share, and its message."""

    task_id: str
    attempts: int
    lane: str
    share: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a task when the request that it traveled with has ended.

    ``done``: it is over, with the result ``value`` under ``key``, if anybody wants one.
    ``decided``: its message goes to a worker, which ends it as ``what`` says. ``wait``: it waits again, with ``what``
    as its share; ``value`` says why.
    """

    task_id: str
    how: Literal["done", "decided", "wait"]
    what: str | bytes = ""
    key: str = ""
    value: str | bytes = b""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a request that carried several tasks ended; ``delay`` (seconds) and ``attempt`` are of those that wait again.

    ``ttl``: seconds for which results are kept.
    """

    request_end: RequestEnd
    fates: Sequence[Fate]
    delay: float = 0.0
    attempt: bool = False
    ttl: int = 0


#: Who pauses an account whose credentials Klaviyo refuses.
A_WORKER = "a worker"


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause, made by somebody or by a worker whose key Klaviyo has refused.

    ``what`` is ``account:eu``, ``action:create_profile``, ``action:eu:create_profile`` or ``tier:klaviyo.xs``.
    ``since`` is in seconds since 1970, ``tried`` the seconds until one task is tried; None: until it is resumed.
    ``key`` is the fingerprint of the credentials that were refused, ``remedy`` what gives the account others.
    """

    what: str
    by: str
    why: str
    since: float
    tried: float | None
    key: str = ""
    remedy: str = ""

    @property
    def cause(self) -> str:
        """Who has paused it, and why, as the rest of a sentence."""
        whose = "automatically" if self.automatic else f"by {self.by}"
        return f"paused {whose}: {self.why.rstrip('.')}"

    @property
    def automatic(self) -> bool:
        """Whether a worker has paused it, as Klaviyo refused the account's credentials, and nobody has on purpose."""
        return self.by == A_WORKER

    @property
    def how_to_resume(self) -> str:
        """The sentence that says how it ends."""
        return how_to_resume(self.what, self.remedy or ("replace its credentials" if self.key else ""))

    def __str__(self) -> str:
        return f"The {describe(self.what)} is {self.cause}. {self.how_to_resume}"


@dataclass(frozen=True, slots=True)
class BucketLook:
    """One bucket at one moment. ``windows`` are (used, limit, length in ms), leases out included in the used.

    ``foreign``: requests of other software that Klaviyo has counted in the minute. ``blocked`` is in seconds from now,
    and so is ``urgent``, until when the lane bulk leaves a part of each window to the lane now. ``back`` tells of each
    window in how many seconds it gives back the first, the second … of equal parts of what is used, where somebody
    waits for it.
    """

    name: str
    windows: tuple[tuple[int, int, int], ...]
    flight: int
    foreign: int
    blocked: float
    urgent: float = 0.0
    back: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """One line at one moment: who waits in it, and the buckets it draws on. Times are in seconds from now.

    ``later``: tasks whose time has not come. ``oldest``: how long the oldest that could go has been wanted, in all and
    in each lane; None where nothing waits, or its publisher was not one of ours. ``together_per_minute``: how many
    tasks a minute travel with others at present; None where none did while more waited. ``block_reason``: why it is
    blocked, if that is not because of a 429.
    """

    line: str
    queue: str
    now: int
    bulk: int
    later: int
    oldest: float | None
    blocked: float
    buckets: tuple[BucketLook, ...]
    together_per_minute: float | None = None
    oldest_now: float | None = None
    oldest_bulk: float | None = None
    block_reason: str = ""
