"""Compares the declarations with an OpenAPI file of Klaviyo's, to adopt a new revision by what differs. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from cli.revision.body_change import changes
from cli.revision.body_table import table
from cli.revision.outline import Schema, declared, published, resolve_reference
from cli.revision.overlay import Overlay, summarize
from worker.api.body import table_of
from worker.api.declaration import Declaration
from worker.api.filter_fields import Filterable, fields_of
from worker.api.paging import largest
from worker.api.parameters import Params
from worker.api.wire import unwrap

#: How the file describes the extra limits of a parameter's value.
_EXTRA = re.compile(
    r"`(include|additional-fields\[[\w-]+\])=([\w-]+)` parameter in your API request:<br>"
    r"Burst: `([^`]+)`<br>Steady: `([^`]+)`"
)
_WINDOWS = ("burst", "steady", "daily")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the declaration and the file state differently; empty where one of them does not have it."""

    action: str
    what: str
    declared: str
    published: str


def compare(declarations: Iterable[Declaration], api: Schema) -> list[Difference]:
    """Everything that differs, sorted by action."""
    ours = {each.name: each for each in declarations}
    theirs = dict(_operations(api))
    found = [
        Difference(name, "operation", f"{ours[name].method} {ours[name].path}", "")
        for name in ours
        if name not in theirs
    ]
    shared = {f"{parameter}={value}" for each in theirs.values() for parameter, value, _ in _extras(each)}
    overlay = Overlay()
    for name, operation in theirs.items():
        if name in ours:
            found += _Comparison(ours[name], operation, api, shared, overlay).differences()
        else:
            found.append(Difference(name, "operation", "", f"{operation['method']} {operation['path']}"))
    found += [Difference(name, gap.what, gap.declared, gap.published) for name, gap in overlay.too_much()]
    if "components" in api:
        found += _shapes(ours.values(), api, {(each.action, _plain_place(each.what)) for each in found})
    return sorted(found, key=lambda each: each.action)


def _shapes(ours: Iterable[Declaration], api: Schema, reported: Collection[tuple[str, str]]) -> Iterator[Difference]:
    """Where the tables for checking bodies differ from the file, apart from what was reported already."""
    theirs, tables = table(api), {}
    for each in ours:
        if each.package not in tables:
            tables[each.package] = table_of(each.package) or theirs
        for change in changes(tables[each.package], theirs, each.name):
            if (each.name, change.place) not in reported:
                yield Difference(each.name, f"shape of {change.place}", change.before, change.after)


def _plain_place(what: str) -> str:
    """The place in a difference's text, without the names of alternatives."""
    return re.sub(r"<.*?>", "", what.rpartition(" ")[2])


def _operations(api: Schema) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in api["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, Mapping) and "operationId" in operation:
                parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
                parameters = [resolve_reference(api, each) for each in parameters]
                added = {"method": method.upper(), "path": path, "parameters": parameters}
                yield operation["operationId"], {**operation, **added}


def _extras(operation: Schema) -> Iterator[tuple[str, str, str]]:
    for parameter, value, burst, steady in _EXTRA.findall(operation.get("description", "")):
        yield parameter, value, f"{burst} {steady}"


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One action and its operation in the file."""

    ours: Declaration
    theirs: Schema
    api: Schema
    #: Extra limits that any operation describes: all operations that offer the value draw on them.
    shared: set[str]
    #: Shared by all actions, since a TypedDict may stand in several bodies.
    overlay: Overlay

    def differences(self) -> Iterator[Difference]:
        yield from self._route()
        yield from self._outcomes()
        yield from self._limits()
        yield from self._query()
        yield from self._filters()
        yield from self._body()

    def _differ(self, what: str, declared: Any, published: Any) -> Iterator[Difference]:
        if declared != published:
            yield Difference(self.ours.name, what, _text(declared), _text(published))

    def _route(self) -> Iterator[Difference]:
        # The names of path parameters may differ.
        same = re.sub(r"{\w+}", "{}", self.ours.path) == re.sub(r"{\w+}", "{}", self.theirs["path"])
        path = self.ours.path if same else self.theirs["path"]
        yield from self._differ("route", f"{self.ours.method} {self.ours.path}", f"{self.theirs['method']} {path}")

    def _outcomes(self) -> Iterator[Difference]:
        both = {"200", "201"} <= set(self.theirs.get("responses", {}))
        yield from self._differ("answers 200 or 201", _yes(self.ours.upserts), _yes(both))

    def _limits(self) -> Iterator[Difference]:
        limits = self.theirs.get("x-klaviyo-ratelimit") or {}
        published = " ".join(limits[each] for each in _WINDOWS if each in limits)
        yield from self._differ("limits", str(self.ours.limits), published)
        scopes = self.theirs.get("x-klaviyo-scopes") or []
        yield from self._differ("scopes", " ".join(sorted(self.ours.scopes)), " ".join(sorted(scopes)))
        ours = {each.bucket.name: str(each.bucket.limits) for each in self.ours.extras}
        for parameter, value, windows in _extras(self.theirs):
            if not any(each["name"] == parameter for each in self.theirs["parameters"]):
                continue  # copied text: the operation has no such parameter
            # The text says `list` where the parameter takes `lists`.
            name = next((each for each in (f"{parameter}={value}s", f"{parameter}={value}") if each in ours), None)
            yield from self._differ(f"limits with {name or f'{parameter}={value}'}", ours.pop(name or "", ""), windows)
        for name, windows in ours.items():
            if name not in self.shared:
                yield from self._differ(f"limits with {name}", windows, "")

    def _query(self) -> Iterator[Difference]:
        places = ("query", "header")
        published = {each["name"]: each for each in self.theirs["parameters"] if each["in"] in places}
        published.pop("revision", None)
        declared = {each.wire: each for each in self.ours.parameters.values() if each.place in places}
        for wire in sorted({*declared, *published}):
            yield from self._differ(f"parameter {wire}", _there(wire in declared), _there(wire in published))
        for wire, parameter in declared.items():
            if wire not in published:
                continue
            schema = resolve_reference(self.api, published[wire].get("schema", {}))
            closed = _closed(self.api, schema)
            yield from self._values(f"values of {wire}", _values(parameter.annotation), closed)
            # The worker fills in the account's company id.
            if wire != "company_id":
                required = bool(published[wire].get("required"))
                yield from self._differ(f"parameter {wire}", _must(parameter.required), _must(required))
            if "maximum" in schema:
                yield from self._differ(f"maximum of {wire}", largest(parameter), schema["maximum"])

    def _values(
        self, what: str, declared: frozenset[str] | None, published: frozenset[str] | None
    ) -> Iterator[Difference]:
        """Compare closed sets; one that the file gives only in prose is not compared."""
        if published is None or declared == published:
            return
        if declared is None:
            yield from self._differ(what, "any", summarize(published))
        else:
            yield from self._differ(what, summarize(declared - published), summarize(published - declared))

    def _filters(self) -> Iterator[Difference]:
        fields = fields_of(self.ours.package, self.ours.name) or {}
        published = {name: _filterable(each) for name, each in (self.theirs.get("x-klaviyo-filters") or {}).items()}
        for name in [*published, *(each for each in fields if published and each not in published)]:
            ours, theirs = fields.get(name), published.get(name)
            yield from self._differ(f"filter by {name}", _operators(ours), _operators(theirs))
            if ours and theirs:
                yield from self._differ(f"kind of filter by {name}", ours.kind, theirs.kind)
                values = (", ".join(sorted(each.values)) for each in (ours, theirs))
                yield from self._differ(f"values of filter by {name}", *values)

    def _body(self) -> Iterator[Difference]:
        content = (resolve_reference(self.api, self.theirs.get("requestBody") or {})).get("content") or {}
        schema = next((each.get("schema", {}) for each in content.values()), None)
        if schema is None or not self.ours.has_body:
            yield from self._differ("body", _there(self.ours.has_body), _there(schema is not None))
            return
        ours, theirs = declared(self.ours, self._filled()), published(self.api, schema)
        for gap in self.overlay.gaps(self.ours.name, ours, theirs):
            yield Difference(self.ours.name, gap.what, gap.declared, gap.published)

    def _filled(self) -> Params:
        """The parameters that a call gets without being given any."""
        params: Params = {}
        with suppress(KeyError):
            if self.ours.prepare:
                self.ours.prepare(params)
            if self.ours.stamp:
                self.ours.stamp(params, "")
        return params


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _there(is_there: bool) -> str:
    return "there" if is_there else ""


def _yes(is_so: bool) -> str:
    return "yes" if is_so else ""


def _must(required: bool) -> str:
    return "required" if required else "optional"


def _filterable(field: Schema) -> Filterable:
    """A filter field from the file: if ``equals`` takes a list, it takes a single value too."""
    several = [f"{each}[]" for each in field["operators"].get("list", [])]
    single = [each for kind, some in field["operators"].items() if kind != "list" for each in some]
    if "equals[]" in several and "equals" not in single:
        single.append("equals")
    value = field.get("value") or {}
    return Filterable.parse(
        value.get("enum") or value.get("format") or value.get("type"), " ".join([*single, *several])
    )


def _operators(field: Filterable | None) -> str:
    return " ".join(sorted([*field.single, *(f"{each}[]" for each in field.several)])) if field else ""


def _closed(api: Schema, schema: Schema) -> frozenset[str] | None:
    closed = schema.get("enum") or resolve_reference(api, schema.get("items", {})).get("enum")
    return frozenset(closed) if closed else None


def _values(annotation: Any) -> frozenset[str] | None:
    """The closed set of an annotation, or of its items if it is a list."""
    plain, _ = unwrap(annotation)
    if get_origin(plain) is list:
        plain, _ = unwrap(get_args(plain)[0])
    return frozenset(get_args(plain)) if get_origin(plain) is Literal else None
