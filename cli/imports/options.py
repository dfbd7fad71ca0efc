"""What is typed after `klaviyo import`, as the import that it asks for."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from tasks.imports.kinds import KINDS
from tasks.imports.options import Channel, Options
from tasks.imports.public import Mode
from tasks.lists import get_lists
from worker.api.paging import attributes
from worker.errors import Forbidden, InputError

#: The kinds as they are typed, where creating, updating and deleting are one.
WORDS = tuple(dict.fromkeys(kind.exported.replace("_", "-") for kind in KINDS.values()))

#: The options that belong to some kinds only.
OWN: Mapping[str, tuple[str, ...]] = {
    "profiles": ("--list",),
    "events": ("--metric",),
    "items": ("--mode",),
    "variants": ("--mode",),
    "categories": ("--mode",),
    "coupon-codes": ("--coupon",),
    "subscribe": ("--list", "--channel", "--historical", "--custom-source"),
    "unsubscribe": ("--list", "--channel"),
}

#: How JSON begins; ``{Handle}`` is the value of a column.
_LIKE_JSON = re.compile(r"\[|\{\s*[\"}]")

#: What Klaviyo's ids of lists look like.
_LIST_ID = re.compile(r"[A-Za-z0-9]{6}")


@dataclass(frozen=True, slots=True)
class Own:
    """The options of `OWN` as they were typed."""

    list_name: str | None = None
    metric: str | None = None
    mode: Mode | None = None
    coupon: str | None = None
    channel: Sequence[str] = ()
    historical: bool = False
    custom_source: str | None = None

    def given(self) -> list[str]:
        """Those that were typed, as they are typed."""
        typed = {
            "--list": self.list_name,
            "--metric": self.metric,
            "--mode": self.mode,
            "--coupon": self.coupon,
            "--channel": self.channel,
            "--historical": self.historical,
            "--custom-source": self.custom_source,
        }
        return [option for option, value in typed.items() if value]


def checked_kind(text: str) -> str:
    """Return a kind as it was typed.

    Raises:
        InputError: there is none of this name.

    """
    if text in WORDS:
        return text
    near = difflib.get_close_matches(text, WORDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(WORDS)}"
    raise InputError("import", [f"there is no kind {text!r}; {hint}"])


def check(kind: str, own: Own) -> None:
    """Check that the options belong to the kind, and that the channels exist.

    Raises:
        InputError: something is not so.

    """
    for option in own.given():
        if option not in OWN.get(kind, ()):
            kinds = ", ".join(each for each, options in OWN.items() if option in options)
            raise InputError(f"import {kind}", [f"it takes no {option}, which belongs to {kinds}"])
    for channel in own.channel:
        if channel not in get_args(Channel):
            raise InputError(f"import {kind}", [f"there is no channel {channel!r}: it is email, sms or whatsapp"])


def task_kind(kind: str, mode: Mode | None) -> str:
    """Return the kind's name in `tasks.imports`."""
    if kind in ("items", "variants", "categories"):
        return f"{mode or 'upsert'}_catalog_{kind}"
    return kind.replace("-", "_")


def options(
    kind: str, own: Own, mapping: Sequence[str], fixed: Sequence[str], time_zone: str | None, account: str
) -> Options:  # fmt: skip
    """Return the import's options. A list's name is looked up at Klaviyo.

    Raises:
        InputError: there is no such list, or ``--set`` is malformed.

    """
    named = {"metric": own.metric, "coupon_id": own.coupon}
    params: dict[str, Any] = {"custom_source": own.custom_source, "historical_import": own.historical or None}
    if own.list_name:
        id = list_id(kind, own.list_name, account)
        params |= {"list_ids": [id]} if kind == "profiles" else {"list_id": id}
    return Options(
        mapping=tuple(mapping),
        fixed={**{name: value for name, value in named.items() if value}, **_fixed(kind, fixed)},
        params={name: value for name, value in params.items() if value is not None},
        channels=cast(tuple[Channel, ...], tuple(own.channel)),
        time_zone=time_zone,
    )


def _fixed(kind: str, given: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise InputError(f"import {kind}", [f"--set {each!r} has no '='; write it like --set value_currency=EUR"])
        found[name] = _json(kind, name, value) if _LIKE_JSON.match(value) else value
    return found


def _json(kind: str, name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise InputError(f"import {kind}", [f"the value of --set {name}=… begins like JSON and is none"]) from None


def list_id(kind: str, given: str, account: str) -> str:
    """Return the id of a list, given by its id or its name."""
    try:
        pages = get_lists.on(account).pages(fields_list=["name"])
        known = [(each["id"], str(attributes(each).get("name"))) for page in pages for each in page["data"]]
    except Forbidden:
        # A key that may not read lists may still fill them; Klaviyo will say whether the list exists.
        if _LIST_ID.fullmatch(given):
            return given
        raise
    return named(kind, given, known)


def named(kind: str, given: str, known: Iterable[tuple[str, str]]) -> str:
    """The id of the list that has this id or this name, in any case.

    Raises:
        InputError: none has, or several.

    """
    by_name: dict[str, list[tuple[str, str]]] = {}
    for id, name in known:
        if id == given:
            return id
        by_name.setdefault(name.casefold(), []).append((id, name))
    found = by_name.get(given.casefold(), [])
    exact = [(id, name) for id, name in found if name == given] or found
    if len(exact) == 1:
        return exact[0][0]
    if exact:
        names = ", ".join(f"{name!r} ({id})" for id, name in exact)
        raise InputError(f"import {kind}", [f"several lists are called {given!r}: give the id of one, {names}"])
    near = [by_name[each][0][1] for each in difflib.get_close_matches(given.casefold(), by_name, n=3)]
    hint = (
        f"did you mean {' or '.join(map(repr, near))}?"
        if near
        else f"the account has {sum(map(len, by_name.values()))} lists"
    )
    raise InputError(f"import {kind}", [f"there is no list {given!r}; {hint}"])
