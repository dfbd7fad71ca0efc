"""The declarations beside an OpenAPI file of Klaviyo's: everything that differs, to adopt a new revision by. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict

from worker.declaration import Declaration, Params
from worker.filter_fields import Filterable, fields_of
from worker.paging import largest
from worker.wire import At, Linkage, Linkages, Resource, Resources, one, unwrap

Schema = Mapping[str, Any]
#: Where a body has values, and the closed sets that they come from.
Places = dict[str, frozenset[str] | None]

#: Grammars of many alternatives: what a condition or a step may say is not compared key by key.
GRAMMARS = "data.attributes.definition"

#: How the file tells of a budget that a parameter's value draws on.
_EXTRA = re.compile(
    r"`(include|additional-fields\[[\w-]+\])=([\w-]+)` parameter in your API request:<br>"
    r"Burst: `([^`]+)`<br>Steady: `([^`]+)`"
)
_WINDOWS = ("burst", "steady", "daily")

#: How many of the values that differ are told.
FEW = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the declaration and the file say differently; empty where one of them does not have it."""

    action: str
    what: str
    declared: str
    published: str


def compare(declarations: Iterable[Declaration], api: Schema) -> list[Difference]:
    """Everything that differs, by action."""
    ours = {each.name: each for each in declarations}
    theirs = dict(_operations(api))
    found = [
        Difference(name, "operation", f"{ours[name].method} {ours[name].path}", "")
        for name in ours
        if name not in theirs
    ]
    shared = {f"{parameter}={value}" for each in theirs.values() for parameter, value, _ in _extras(each)}
    for name, published in theirs.items():
        if name in ours:
            found += _Comparison(ours[name], published, api, shared).differences()
        else:
            found.append(Difference(name, "operation", "", f"{published['method']} {published['path']}"))
    return sorted(found, key=lambda each: each.action)


def _operations(api: Schema) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in api["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, Mapping) and "operationId" in operation:
                parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
                parameters = [_resolved(api, each) for each in parameters]
                told = {"method": method.upper(), "path": path, "parameters": parameters}
                yield operation["operationId"], {**operation, **told}


def _extras(operation: Schema) -> Iterator[tuple[str, str, str]]:
    for parameter, value, burst, steady in _EXTRA.findall(operation.get("description", "")):
        yield parameter, value, f"{burst} {steady}"


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One action beside its operation."""

    ours: Declaration
    theirs: Schema
    api: Schema
    #: Budgets that some operation tells of: all operations that offer the value draw on them.
    shared: set[str]

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
        # What Klaviyo calls a part of a path is its own affair.
        same = re.sub(r"{\w+}", "{}", self.ours.path) == re.sub(r"{\w+}", "{}", self.theirs["path"])
        path = self.ours.path if same else self.theirs["path"]
        yield from self._differ("route", f"{self.ours.method} {self.ours.path}", f"{self.theirs['method']} {path}")

    def _outcomes(self) -> Iterator[Difference]:
        both = {"200", "201"} <= set(self.theirs.get("responses", {}))
        yield from self._differ("answers 200 or 201", _yes(self.ours.upserts), _yes(both))

    def _limits(self) -> Iterator[Difference]:
        limits = self.theirs.get("x-klaviyo-ratelimit") or {}
        told = " ".join(limits[each] for each in _WINDOWS if each in limits)
        yield from self._differ("limits", str(self.ours.limits), told)
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
            schema = _resolved(self.api, published[wire].get("schema", {}))
            closed = _closed(self.api, schema)
            yield from self._values(f"values of {wire}", _values(parameter.annotation), closed)
            # An account knows its company id.
            if wire != "company_id":
                required = bool(published[wire].get("required"))
                yield from self._differ(f"parameter {wire}", _must(parameter.required), _must(required))
            if "maximum" in schema:
                yield from self._differ(f"maximum of {wire}", largest(parameter), schema["maximum"])

    def _values(
        self, what: str, declared: frozenset[str] | None, published: frozenset[str] | None
    ) -> Iterator[Difference]:
        """Closed sets; one that the file tells only in its text is not judged."""
        if published is None or declared == published:
            return
        if declared is None:
            yield from self._differ(what, "any", _few(published))
        else:
            yield from self._differ(what, _few(declared - published), _few(published - declared))

    def _filters(self) -> Iterator[Difference]:
        fields = fields_of(self.ours.package, self.ours.name) or {}
        told = {name: _filterable(each) for name, each in (self.theirs.get("x-klaviyo-filters") or {}).items()}
        for name in [*told, *(each for each in fields if told and each not in told)]:
            ours, theirs = fields.get(name), told.get(name)
            yield from self._differ(f"filter by {name}", _operators(ours), _operators(theirs))
            if ours and theirs:
                yield from self._differ(f"kind of filter by {name}", ours.kind, theirs.kind)
                values = (", ".join(sorted(each.values)) for each in (ours, theirs))
                yield from self._differ(f"values of filter by {name}", *values)

    def _body(self) -> Iterator[Difference]:
        content = (_resolved(self.api, self.theirs.get("requestBody") or {})).get("content") or {}
        schema = next((each.get("schema", {}) for each in content.values()), None)
        if schema is None or not self.ours.has_body:
            yield from self._differ("body", _there(self.ours.has_body), _there(schema is not None))
            return
        declared, published = self._declared(), dict(_published(self.api, schema))
        # One of our parameters may stand for all members of a union of the file's.
        declared = {_within(place, published): values for place, values in declared.items()}
        for place in sorted({*declared, *published}):
            yield from self._differ(f"body {place}", _there(place in declared), _there(place in published))
            if place in declared and place in published:
                yield from self._values(f"values of {place}", declared[place], published[place])
        yield from self._required(schema, published)

    def _declared(self) -> Places:
        found: Places = {
            ".".join(place): frozenset([value]) for place, value in self.ours.constants if "[]" not in place
        }
        for parameter in self.ours.parameters.values():
            if parameter.place == "body":
                found.update(_annotated(parameter.annotation, parameter.wire))
        if self.ours.method == "PATCH" and self.ours.type and "id" in self.ours.parameters:
            found["data.id"] = _values(self.ours.parameters["id"].annotation)
        return found

    def _required(self, schema: Schema, published: Places) -> Iterator[Difference]:
        if any(each.place == "aside" for each in self.ours.parameters.values()):
            return  # what is asked for aside becomes the rest
        filled = self._filled()
        constant = {".".join(place) for place, _ in self.ours.constants} | {"data.id"}
        inner = {place for place in _required(self.api, schema) if place not in constant}
        for parameter in self.ours.parameters.values():
            if parameter.place != "body":
                continue
            place = parameter.wire
            mine = {each for each in inner if each == place or each.startswith((f"{place}.", f"{place}["))}
            inner -= mine
            if mine and not parameter.required and parameter.name not in filled:
                yield from self._differ(f"body {place}", _must(False), _must(True))
            # The file asks for no relationship, even where nothing can be made without it.
            elif parameter.required and ".relationships." not in place and _free(self.api, schema, place.split(".")):
                yield from self._differ(f"body {place}", _must(True), _must(False))
        for place in sorted(inner & set(published)):
            yield from self._differ(f"body {place}", "", _must(True))

    def _filled(self) -> Params:
        """What a call carries without being told."""
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


def _few(values: frozenset[str]) -> str:
    listed = sorted(str(each) for each in values)
    return ", ".join(listed[:FEW]) + (f" and {len(listed) - FEW} more" if len(listed) > FEW else "")


def _filterable(told: Schema) -> Filterable:
    """A field as the file tells it: what takes a list of values to equal takes one of them too."""
    several = [f"{each}[]" for each in told["operators"].get("list", [])]
    single = [each for kind, some in told["operators"].items() if kind != "list" for each in some]
    if "equals[]" in several and "equals" not in single:
        single.append("equals")
    value = told.get("value") or {}
    return Filterable.told(value.get("enum") or value.get("format") or value.get("type"), " ".join([*single, *several]))


def _operators(field: Filterable | None) -> str:
    return " ".join(sorted([*field.single, *(f"{each}[]" for each in field.several)])) if field else ""


def _resolved(api: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        target: Any = api
        for part in schema["$ref"].split("/")[1:]:
            target = target[part]
        schema = target
    return schema


def _closed(api: Schema, schema: Schema) -> frozenset[str] | None:
    closed = schema.get("enum") or _resolved(api, schema.get("items", {})).get("enum")
    return frozenset(closed) if closed else None


def _published(
    api: Schema, schema: Schema, place: str = "", above: tuple[int, ...] = ()
) -> Iterator[tuple[str, frozenset[str] | None]]:
    schema = _resolved(api, schema)
    if id(schema) in above:
        yield place, None
        return
    above = (*above, id(schema))
    if schema.get("properties") and not place.startswith(GRAMMARS):
        for key, each in schema["properties"].items():
            yield from _published(api, each, f"{place}.{key}" if place else key, above)
        return
    items = _resolved(api, schema.get("items", {}))
    if items.get("properties"):
        yield from _published(api, items, f"{place}[]", above)
        return
    yield place, _closed(api, schema)


def _required(api: Schema, schema: Schema, place: str = "") -> Iterator[str]:
    """Where a body must have a value, as far as everything above it must be there too."""
    schema = _resolved(api, schema)
    for key in schema.get("required", []):
        each = _resolved(api, schema.get("properties", {}).get(key, {}))
        where = f"{place}.{key}" if place else key
        if each.get("properties") and not where.startswith(GRAMMARS):
            yield from _required(api, each, where)
        elif key != "type":
            yield where


def _free(api: Schema, schema: Schema, keys: list[str]) -> bool:
    """Whether the file allows to leave out what stands at this place: it, and not what is around it."""
    for key in keys[:-1]:
        schema = _resolved(api, _resolved(api, schema).get("properties", {}).get(key, {}))
    schema = _resolved(api, schema)
    return keys[-1] in schema.get("properties", {}) and keys[-1] not in schema.get("required", [])


def _within(place: str, published: Places) -> str:
    if place in published:
        return place
    return next((each for each in published if place.startswith((f"{each}.", f"{each}[]"))), place)


def _annotated(annotation: Any, place: str) -> Iterator[tuple[str, frozenset[str] | None]]:
    """Where a parameter has values, in the body's own terms."""
    plain, markers = unwrap(annotation)
    several = "[]" if get_origin(plain) is list else ""
    inner = get_args(plain)[0] if several else plain
    linkage = one(markers, Linkage) or one(markers, Linkages)
    resource = one(markers, Resource) or one(markers, Resources)
    if place.startswith(GRAMMARS):
        yield place, None
    elif linkage:
        yield f"{place}{several}.type", frozenset([linkage.type])
        yield f"{place}{several}.id", None
    elif resource:
        yield f"{place}{several}.type", frozenset([resource.type])
        yield from _keys(inner, f"{place}{several}", "attributes.")
    elif is_typeddict(inner):
        yield from _keys(inner, f"{place}{several}", "")
    else:
        yield place, _values(annotation)


def _keys(kind: Any, place: str, attributes: str) -> Iterator[tuple[str, frozenset[str] | None]]:
    for key, annotation in get_type_hints(kind, include_extras=True).items():
        at = one(unwrap(annotation)[1], At)
        where = at.path if at else key if key == "id" else f"{attributes}{key}"
        yield from _annotated(annotation, f"{place}.{where}")
        for type_place, value in at.types if at else ():
            yield f"{place}.{'.'.join(type_place)}", frozenset([value])


def _values(annotation: Any) -> frozenset[str] | None:
    """The closed set that an annotation gives, of the items where it is a list."""
    plain, _ = unwrap(annotation)
    if get_origin(plain) is list:
        plain, _ = unwrap(get_args(plain)[0])
    return frozenset(get_args(plain)) if get_origin(plain) is Literal else None
