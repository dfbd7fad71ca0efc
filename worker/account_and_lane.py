"""Where a task belongs, its account and its lane: those that it was given, or those of the task that it follows.

A chain is given an account once, ``chain(…).apply_async(headers={"klaviyo_account": "eu-store"})``. So every message
that is published while a task runs, and every signature inside a message, gets the task's account and lane where it has
none of its own, also on its way through workers that know nothing of us.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, get_args

from celery._state import get_current_worker_task
from celery.signals import before_task_publish

from worker.accounts.credentials import DEFAULT
from worker.errors import InputError
from worker.lane_and_expiry import Lane
from worker.message_headers import ACCOUNT, HEADER, LANE, TOGETHER
from worker.telemetry.traces import carry_context
from worker.tiers import is_line

#: What every task's name begins with.
TASK_PREFIX = "klaviyo."

LANES: tuple[Lane, ...] = get_args(Lane)

#: Celery's priorities on Redis go from 0, the first, to 9; from here on a task is served after everything in ``now``.
FIRST_BULK_PRIORITY = 5


@dataclass(frozen=True, slots=True)
class Place:
    """What a task was told about where it belongs; None where nothing was said."""

    account: str | None = None
    lane: str | None = None

    def inside(self, other: Place) -> Place:
        """The place that has the other's account and lane where it has none of its own."""
        if other is NOWHERE:
            return self
        return Place(self.account or other.account, self.lane or other.lane)

    def options(self) -> dict[str, Any]:
        """As options of a signature, or headers of a message."""
        return {name: value for name, value in ((ACCOUNT, self.account), (LANE, self.lane)) if value}


NOWHERE = Place()


def lane_named(action: str, lane: object) -> Lane:
    """Return the lane with this name.

    Raises:
        InputError: there is none.

    """
    for known in LANES:
        if lane == known:
            return known
    near = difflib.get_close_matches(str(lane).lower(), LANES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it is {' or '.join(map(repr, LANES))}"
    raise InputError(action, [f"there is no lane {str(lane)[:40]!r}: {hint}"])


def checked_id(action: str, id: str) -> str:
    """Return the id of a task or a run if it can be part of Redis's keys and lists, which blanks and bars split.

    Raises:
        InputError: it cannot stand there.

    """
    if len(id) > 1_000 or id.startswith("^") or any(not sign.isprintable() or sign in " |" for sign in id):
        raise InputError(action, ["an id has up to 1,000 characters, no blank and no '|' among them, and no '^' first"])
    return id


def is_ours(wait: object, task_id: object) -> bool:
    """Return True if this is a `HEADER` as we write it, of a task whose id can be part of Redis's keys."""
    if not (isinstance(wait, Mapping) and wait.get("lane") in LANES and is_line(wait.get("line"), wait.get("spec"))):
        return False
    try:
        checked_id("", str(task_id))
    except InputError:
        return False
    return True


def lane_of(request: Any) -> Lane:
    """The lane of a delivery: what its publisher said, else what Celery's priority comes to.

    Raises:
        InputError: there is no such lane.

    """
    name = str(request.get("task")).removeprefix(TASK_PREFIX)
    return lane_named(name, place_of(request).lane or by_priority(_priority(request)) or LANES[0])


def by_priority(priority: Any) -> Lane | None:
    """Return ``bulk`` from `FIRST_BULK_PRIORITY` on; None for the others, since everybody sends 0."""
    return "bulk" if isinstance(priority, int) and priority >= FIRST_BULK_PRIORITY else None


def place_of(request: Any) -> Place:
    """Where a delivery belongs, as its message says."""
    wait = _header(request, HEADER)
    ours = _waits(wait) if isinstance(wait, Mapping) else Place()
    return ours.inside(Place(_header(request, ACCOUNT), _header(request, LANE)))


def together_asked(request: Any) -> bool | None:
    """Whether a delivery's publisher, another application, wants it to share a request; None: it says nothing."""
    asked = _header(request, TOGETHER)
    return asked if isinstance(asked, bool) else None


def _waits(wait: Mapping[str, Any]) -> Place:
    return Place(wait.get("account"), wait.get("lane"))


def place_in(given: Mapping[str, Any]) -> Place:
    """What options or headers say."""
    return Place(given.get(ACCOUNT), given.get(LANE))


def here() -> Place:
    """Where the task belongs that this thread carries out; nowhere, outside of any."""
    task = get_current_worker_task()
    return place_of(task.request) if task else NOWHERE


def taken(options: MutableMapping[str, Any], headers: MutableMapping[str, Any]) -> Place:
    """What a call says about where it belongs, taken out of its options and headers. The options are the part's own.

    The headers may be those of the group or chain that it is a part of: Celery gives them to every part, in place of
    the part's own.
    """
    own, given = (_taken(each) if each else NOWHERE for each in (options, headers))
    return own.inside(given)


def _taken(said: MutableMapping[str, Any]) -> Place:
    return Place(said.pop(ACCOUNT, None), said.pop(LANE, None))


def _header(request: Any, name: str) -> Any:
    value = request.get(name)
    return (request.headers or {}).get(name) if value is None else value


def _priority(request: Any) -> Any:
    return (request.delivery_info or {}).get("priority")


@before_task_publish.connect
def _carry_on(body: Any, headers: dict[str, Any], properties: dict[str, Any], **_: Any) -> None:
    """Give a message, and what follows it, the account and the lane that it has none of, and its trace."""
    carry_context(headers)
    if HEADER in headers and not is_ours(wait := headers[HEADER], headers.get("id")):
        # A signal cannot refuse. Without the header the task is checked in the worker that takes it.
        del headers[HEADER]
        if isinstance(wait, Mapping):
            headers.update(place_in(headers).inside(_waits(wait)).options())
    if HEADER in headers:
        place = _waits(headers[HEADER])
    else:
        headers.update(taken(properties, headers).options())
        place = place_in(headers).inside(here())
    if place.account in (None, DEFAULT) and place.lane in (None, LANES[0]):
        return  # what follows comes to the same by itself
    if HEADER not in headers:
        headers.update(place.options())
    if isinstance(body, tuple) and len(body) == 3:
        embedded = body[2]
        for name in ("callbacks", "errbacks", "chain"):
            if parts := embedded.get(name):
                embedded[name] = [placed(part, place) for part in parts]
        if embedded.get("chord"):
            embedded["chord"] = placed(embedded["chord"], place)


#: Where chains, groups, chords and maps have other signatures.
_INSIDE = ("tasks", "header", "body", "task")


def placed(part: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """A copy of a signature, in which every call of ours that has no account or lane of its own has this one."""
    kwargs, options = dict(part.get("kwargs") or {}), dict(part.get("options") or {})
    for inside, names in ((kwargs, _INSIDE if part.get("subtask_type") else ()), (options, ("link", "link_error"))):
        for name in names:
            if isinstance(inner := inside.get(name), Mapping):
                inside[name] = placed(inner, place)
            elif inner:
                inside[name] = [placed(each, place) for each in inner]
    if str(part.get("task")).startswith(TASK_PREFIX):
        own = place_in(options).inside(place_in(options.get("headers") or {}))
        options.update(own.inside(place).options())
    return {**part, "kwargs": kwargs, "options": options}
