"""Lays one outline over another: where a declaration refuses what Klaviyo accepts, and where it accepts too much. Pure.

A TypedDict of ours may stand in many places, and for several forms in the file at once. So it must satisfy two rules:
in each place it accepts whatever the file accepts there; and it accepts nothing that the file accepts in none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.revision.outline import Form, Kind, Outline

#: How many of the values that differ are listed.
MAX_VALUES_LISTED = 8
#: Kinds that accept another kind too.
WIDER_KINDS: dict[Kind, Kind] = {"integer": "number"}


@dataclass(frozen=True, slots=True)
class Gap:
    """One difference; ``too_much``: ours accepts what Klaviyo does not, rather than the reverse."""

    what: str
    declared: str
    published: str
    too_much: bool


@dataclass(slots=True)
class _Stood:
    """A TypedDict's first place, and all forms that the file has in its places."""

    form: Form
    action: str
    place: str
    theirs: list[Form] = field(default_factory=list)


@dataclass(slots=True)
class Overlay:
    """Lays the bodies of many actions over the file's, and collects the file's forms wherever a TypedDict stands."""

    stood: dict[Any, _Stood] = field(default_factory=dict)

    def gaps(self, action: str, ours: Outline, theirs: Outline) -> Iterator[Gap]:
        """What differs in the body of one action, except where its TypedDicts accept too much."""
        return self._compared(ours, theirs, "", action)

    def too_much(self) -> Iterator[tuple[str, Gap]]:
        """What TypedDicts accept and the file accepts in none of their places, with the first action that has them."""
        for each in self.stood.values():
            for gap in self._keys(each.form, merged(each.theirs), each.place, None):
                if gap.too_much:
                    yield each.action, gap

    def _compared(self, ours: Outline, theirs: Outline, place: str, action: str | None) -> Iterator[Gap]:
        """``action`` is the action of the body; None to look only at what a TypedDict itself describes."""
        if any(form.kind == "any" for form in ours.forms):
            return
        if ours.null is not None and theirs.null is not None and ours.null != theirs.null:
            yield Gap(f"null at {place}", _null_words(ours.null), _null_words(theirs.null), ours.null)
        yield from _kinds(ours, theirs, place)
        for kind in dict.fromkeys(form.kind for form in theirs.forms):
            mine = [form for form in ours.forms if form.kind in (kind, WIDER_KINDS.get(kind))]
            yours = [form for form in theirs.forms if form.kind == kind]
            if not mine or kind == "any":
                continue
            if kind == "object":
                yield from self._objects(mine, yours, place, action)
            elif kind == "array":
                mine_each, yours_each = merged(mine).items, merged(yours).items
                if mine_each and yours_each:
                    yield from self._compared(mine_each, yours_each, f"{place}[]", action)
            else:
                yield from _values(merged(mine).values, merged(yours).values, place)

    def _objects(self, ours: Sequence[Form], theirs: Sequence[Form], place: str, action: str | None) -> Iterator[Gap]:
        if not all(form.keys for form in (*ours, *theirs)):
            return  # unrestricted: anything may be in it
        counterparts: list[list[Form]] = [[] for _ in ours]
        for each in theirs:
            fitting = _fitting(ours, each)
            if not fitting:
                yield Gap(f"body {place}", "", _name(each) or "there", False)
            for number in fitting:
                counterparts[number].append(each)
        for mine, yours in zip(ours, counterparts, strict=True):
            name = f"<{_name(mine)}>" if len(ours) > 1 else ""
            if not yours:
                yield Gap(f"body {place}{name}", "there", "", True)
            elif mine.type is None:
                yield from self._keys(mine, merged(yours), place + name, action)
            elif action is not None:
                stood = self.stood.setdefault(mine.type, _Stood(mine, action, place + name))
                stood.theirs += yours
                for gap in self._keys(mine, merged(yours), place + name, action):
                    if not gap.too_much:
                        yield gap

    def _keys(self, ours: Form, theirs: Form, place: str, action: str | None) -> Iterator[Gap]:
        for key in sorted({*ours.keys, *theirs.keys}):
            where = f"{place}.{key}" if place else key
            must, may = key in theirs.required, key in ours.implied
            if key not in ours.keys:
                yield Gap(f"body {where}", "", "required" if must else "there", False)
            elif key not in theirs.keys:
                yield Gap(f"body {where}", "there", "", True)
            else:
                if must and key not in ours.required:
                    yield Gap(f"body {where}", "optional", "required", True)
                if key in ours.required and not must and not may:
                    yield Gap(f"body {where}", "required", "optional", False)
                yield from self._compared(ours.keys[key], theirs.keys[key], where, action)


def _kinds(ours: Outline, theirs: Outline, place: str) -> Iterator[Gap]:
    if any(form.kind == "any" for form in theirs.forms):
        return
    mine, yours = (list(dict.fromkeys(form.kind for form in each.forms)) for each in (ours, theirs))
    refused = [kind for kind in yours if kind not in mine and WIDER_KINDS.get(kind) not in mine]
    too_much = [kind for kind in mine if kind not in yours and WIDER_KINDS.get(kind) not in yours]
    if refused or too_much:
        yield Gap(f"body {place}", " or ".join(mine), " or ".join(yours), not refused)


def merged(forms: Sequence[Form]) -> Form:
    """One form that allows what any of these allows."""
    first, *others = forms
    if not others:
        return first
    open_ = any(form.values is None for form in forms)
    keys = {key: [form.keys[key] for form in forms if key in form.keys] for form in forms for key in form.keys}
    items = [form.items for form in forms if form.items]
    return Form(
        first.kind,
        None if open_ else frozenset().union(*(form.values or () for form in forms)),
        {key: _either(each) for key, each in keys.items()},
        frozenset.intersection(*(form.required for form in forms)),
        frozenset.union(*(form.implied for form in forms)),
        _either(items) if len(items) == len(forms) else None,
        first.type,
    )


def _either(outlines: Sequence[Outline]) -> Outline:
    forms = {id(form): form for each in outlines for form in each.forms}
    nulls = [each.null for each in outlines if each.null is not None]
    return Outline(tuple(forms.values()), any(nulls) if nulls else None)


def _fitting(ours: Sequence[Form], theirs: Form) -> list[int]:
    """Which of our forms match theirs: those with the same constants, or else the one that shares most keys."""
    tagged = [number for number, mine in enumerate(ours) if _agree(mine, theirs)]
    fit = [number for number in tagged if _agree(ours[number], theirs) == "kind"] or tagged
    alike = {number: len(set(ours[number].keys) & set(theirs.keys)) for number in fit}
    if len({_name(ours[number]) for number in fit}) == len(fit) and all(_name(ours[number]) for number in fit):
        return fit
    return [max(fit, key=lambda number: alike[number])] if fit else []


def _agree(ours: Form, theirs: Form) -> str:
    """Whether closed sets under shared keys overlap: "kind" if any do, "keys" if there are none, else empty."""
    found = "keys"
    for key in set(ours.keys) & set(theirs.keys):
        mine, yours = _tag(ours, key), _tag(theirs, key)
        if mine and yours:
            if not mine & yours:
                return ""
            found = "kind"
    return found


def _tag(form: Form, key: str) -> frozenset[Any] | None:
    forms = form.keys[key].forms
    return forms[0].values if len(forms) == 1 else None


def _name(form: Form) -> str:
    """The name of a form among alternatives: its constants."""
    tags = [_tag(form, key) for key in form.keys]
    return "/".join(sorted(str(value) for tag in tags if tag and len(tag) == 1 for value in tag))


def _values(ours: frozenset[Any] | None, theirs: frozenset[Any] | None, place: str) -> Iterator[Gap]:
    """Compare closed sets; one that the file gives only in prose is not compared."""
    if theirs is None or theirs == {True, False}:
        return
    if ours is None:
        yield Gap(f"values of {place}", "any", summarize(theirs), True)
    else:
        if ours - theirs:
            yield Gap(f"values of {place}", summarize(ours - theirs), "", True)
        if theirs - ours:
            yield Gap(f"values of {place}", "", summarize(theirs - ours), False)


def summarize(values: frozenset[Any]) -> str:
    """The first of these values, and how many more there are."""
    listed = sorted(str(each) for each in values)
    return ", ".join(listed[:MAX_VALUES_LISTED]) + (
        f" and {len(listed) - MAX_VALUES_LISTED} more" if len(listed) > MAX_VALUES_LISTED else ""
    )


def _null_words(null: bool) -> str:
    return "taken" if null else "refused"
