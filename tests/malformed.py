"""Answers that are not what they should be: well-formed ones with a part of their structure changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st

from tests.soak import sized
from worker.api.jsonapi import Envelope, interpret
from worker.errors import KlaviyoError

#: What stands where something else is meant.
OTHERS = st.sampled_from(
    [None, [], {}, [None], [[]], ["x"], {"x": None}, "", "x", "7", "-1", True, False, 0, -1, 1.5, 10**15, 1e300, "\0",
     "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "/data/attributes/profiles/data/99999999999/x"]
)  # fmt: skip

Path = tuple[str | int, ...]

#: Fewer are tried where each is written.
many, several = (settings(max_examples=sized(small, 500)) for small in (30, 12))


def _paths(value: Any, here: Path = ()) -> Iterator[Path]:
    if here:
        yield here
    parts: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from _paths(part, (*here, name))


@st.composite
def malformed(draw: st.DrawFn, document: Any) -> Any:
    """The document with up to three of its parts replaced, left out, doubled or put into a list."""
    made = {"": deepcopy(document)}
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(_paths(made))))
        holder: Any = made
        for name in way:
            holder = holder[name]
        match draw(st.sampled_from(("other", "other", "gone", "twice", "listed"))):
            case "gone" if way:
                del holder[last]
            case "twice" if isinstance(holder, list):
                holder.append(deepcopy(holder[last]))
            case "listed":
                holder[last] = [holder[last]]
            case _:
                holder[last] = deepcopy(draw(OTHERS))
    return made[""]


def answered(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Envelope | None:
    """What becomes of an answer with this body; None where it is refused as we refuse what cannot be read."""
    with read_or_told():
        return interpret("get_profiles", "default", status, headers or {}, orjson.dumps(document), reads=True)
    return None


@contextmanager
def read_or_told() -> Iterator[None]:
    """What happens in here ends well, or in one of our errors, which can be told."""
    try:
        yield
    except KlaviyoError as error:
        if not str(error):
            raise


def page(*resources: Any, included: Sequence[Any] = (), cursor: str | None = "abc") -> dict[str, Any]:
    """A well-formed page."""
    following = f"https://a.klaviyo.com/api/x?page%5Bcursor%5D={cursor}" if cursor else None
    return {"data": list(resources), "included": list(included), "links": {"self": "x", "next": following}}
