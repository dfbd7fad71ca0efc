"""What an action is: read from a function's signature. Pure, no I/O.

Names, route and limits are checked at import. Annotations are read with the first call: a process that makes calls of
few kinds need not read hundreds.

A `Declaration` turns keyword arguments in either spelling into plain, valid parameters (`bind`), those into an HTTP
request (`request`), and says which buckets the request draws on (`buckets`).
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal, get_origin
from urllib.parse import quote

import orjson
from pydantic import ConfigDict, Field, ValidationError, create_model
from typing_extensions import get_type_hints

from worker.api.body import check_of
from worker.api.body_leaves import Check, Problem
from worker.api.filter_fields import fields_of
from worker.api.filters import plain, refused
from worker.api.json_value import NotJson, json_value
from worker.api.jsonapi import MEDIA_TYPE, Request, form
from worker.api.wire import (
    Aside,
    At,
    Header,
    Linkage,
    Linkages,
    NotNull,
    Path,
    Place,
    Query,
    Resource,
    Resources,
    Shape,
    flat_name,
    inside,
    one,
    put,
    query_name,
    shape_of,
    unwrap,
)
from worker.errors import InputError
from worker.tiers import Bucket, Limits, Line

Params = dict[str, Any]
Part = Literal["path", "query", "header", "body", "aside"]

#: Klaviyo refuses a body over 5 MB with 413.
MAX_BODY = 5_000_000


#: Marks of parameters for which Klaviyo takes no null.
_NOT_NULL = (NotNull, Linkage, Linkages, Resource, Resources)


@dataclass(frozen=True, slots=True)
class Repeat:
    """Whether a request may be sent again when nobody knows whether it was carried out."""

    kind: Literal["safe", "key", "never"]
    note: str = ""
    unless: Callable[[Params], str | None] | None = None

    @property
    def blindly(self) -> bool:
        """Whether a repeat does no harm."""
        return self.kind != "never"


SAFE = Repeat("safe")


def safe(*, unless: Callable[[Params], str | None]) -> Repeat:
    """A repeat does no harm, unless the parameters make it: then ``unless`` tells what to look at."""
    return Repeat("safe", unless=unless)


def with_key(key: str, *, unless: Callable[[Params], str | None] | None = None) -> Repeat:
    """Repeating converges because the request carries this key; ``unless`` as in `safe`."""
    return Repeat("key", key, unless)


def never(look_at: str) -> Repeat:
    """A repeat would do harm: the task ends as `OutcomeUnknown`, which tells where to look."""
    return Repeat("never", look_at)


@dataclass(frozen=True, slots=True)
class Adds:
    """A yes-or-no parameter of the seed document that stands for one value of a list parameter."""

    parameter: str
    value: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A parameter of the seed document that the pinned revision no longer has; accepted, and left out."""

    why: str


#: A parameter of the seed document that the pinned revision says in another way: puts its value where it belongs now.
#: Runs when all other parameters have found their place; a ValueError tells what is wrong.
Translate = Callable[[Params, Any], None]

#: What a seed name stands for: a dotted path of plain names, or one of the above. A name that is itself a dotted
#: path, ``profile.anonymous_id``, stands for that key of a parameter.
Seed = str | Adds | Dropped | Translate


#: Carries out another action on the same account: ``ask(get_profiles, filter=…)`` returns its envelope.
Ask = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What ``resolve`` made of a call: the parameters to send, None where there is nothing to ask for.

    ``told`` goes into the envelope.
    """

    params: Params | None
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter with its place on the wire."""

    name: str
    annotation: Any
    required: bool
    default: Any
    place: Part
    path: Path
    shape: Shape
    item_bytes: int | None

    @property
    def nullable(self) -> bool:
        """Whether None travels as null. It is no relationship and no resource: those are left out."""
        return self.place == "body" and not any(isinstance(each, _NOT_NULL) for each in unwrap(self.annotation)[1])

    @property
    def wire(self) -> str:
        """The wire path as people write it: ``data.attributes.email``, ``page[size]``."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Alias:
    """Where a flat name leads: a parameter and the keys inside it; or a constant that is checked and dropped."""

    keys: Path
    constant: str | None = None


@dataclass(frozen=True, slots=True)
class Extra:
    """An account-wide bucket that one value of a list parameter draws on."""

    parameter: str
    value: str
    bucket: Bucket


class DeclarationError(TypeError):
    """A declaration that contradicts itself; raised at import."""


@dataclass
class Declaration:
    """One Klaviyo operation: what it takes, where each part goes, what it costs and whether it may be repeated."""

    name: str
    package: str
    section: str
    method: str
    path: str
    type: str | None
    limits: Limits
    scopes: tuple[str, ...]
    repeat: Repeat
    doc: str
    names_2024: tuple[str, ...]
    function: Callable[..., Any] = field(repr=False)
    extra: Mapping[str, str]
    seed: Mapping[str, Seed]
    checks: tuple[Callable[[Params], str | None], ...]
    prepare: Callable[[Params], None] | None
    stamp: Callable[[Params, str | None], None] | None
    resolve: Callable[[Params, Ask], Resolved] | None
    max_body: int
    multipart: bool
    upserts: bool
    _model: Any = field(default=None, repr=False)
    _lines: dict[tuple[str, ...], Line] = field(default_factory=dict, repr=False)

    @cached_property
    def signature(self) -> inspect.Signature:
        """The function's, which is what editors show."""
        return inspect.signature(self.function)

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """What a call may have, by name.

        Raises:
            DeclarationError: an annotation contradicts the route.

        """
        return {each.name: each for each in _parameters(self)}

    @cached_property
    def constants(self) -> tuple[tuple[Path, str], ...]:
        """What every body has, and nobody has to say: the types of its resources."""
        return tuple(_constants(self.parameters.values(), self.type))

    @cached_property
    def aliases(self) -> dict[str, Alias | Adds | Dropped | Translate]:
        """What the names of the seed document stand for."""
        return _aliases(self)

    @cached_property
    def extras(self) -> tuple[Extra, ...]:
        """The buckets that values of list parameters draw on."""
        return tuple(_extras(self))

    @property
    def client_side(self) -> bool:
        """Whether this is one of Klaviyo's public ``/client`` operations: a company id instead of a key."""
        return self.path.startswith("/client/")

    @property
    def reads(self) -> bool:
        """Whether this only asks for something, as the reports that are asked for by POST do too."""
        return self.method == "GET" or (bool(self.scopes) and all(each.endswith(":read") for each in self.scopes))

    def bind(self, given: Mapping[str, Any], key: str | None = None, *, stamped: bool = True) -> Params:
        """The valid parameters under their plain names; what was left out stays out.

        ``key`` is the same each time this call is published or carried out: ids that it has to carry are made from it.
        Not ``stamped``: a pattern for calls, each of which gets its own.

        Raises:
            InputError: naming each parameter that is unknown, missing, given twice or wrong. No value is echoed.

        """
        params, problems = self._plain(given)
        problems += self._without_null(params)
        if "filter" in params:
            several = get_origin(unwrap(self.parameters["filter"].annotation)[0]) is list
            problems += refused(params["filter"], fields_of(self.package, self.name), several)
            params["filter"] = plain(params["filter"])
        if problems:
            raise InputError(self.name, problems)
        try:
            params = self._validated(params)
        except ValidationError as error:
            raise InputError(self.name, list(_sentences(error.errors(include_input=False), params))) from None
        except NotJson as error:
            raise InputError(self.name, [str(error)]) from None
        if problems := [*self._leading_elsewhere(params), *filter(None, (check(params) for check in self.checks))]:
            raise InputError(self.name, problems)
        if self.prepare:
            self.prepare(params)
        if self.stamp and stamped:
            self.stamp(params, key)
        body = self._body(params)
        content = self._checked(params, body, stamped)
        self._check_items(params)
        if body and len(content) > self.max_body:
            raise InputError(self.name, [f"the request is {len(content):,} bytes; Klaviyo takes {self.max_body:,}"])
        return params

    def request(self, params: Params) -> Request:
        """The HTTP request for valid parameters."""
        path = self.path
        query: dict[str, str] = {}
        headers: dict[str, str] = {}
        for name, value in params.items():
            parameter = self.parameters[name]
            if parameter.place == "path":
                path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
            elif parameter.place in ("query", "header") and value is not None:
                (query if parameter.place == "query" else headers)[parameter.wire] = _query_value(value)
        body = self._body(params)
        content, content_type = self._written(body)
        return Request(self.method, path, query, content if body else None, content_type, headers)

    def _body(self, params: Params) -> dict[str, Any]:
        """The document that travels; empty where none does."""
        body: dict[str, Any] = {}
        for name, value in params.items():
            parameter = self.parameters[name]
            if parameter.place == "body":
                put(body, parameter.path, None if value is None else parameter.shape.render(value))
        if self.has_body:
            for resource in self.resources:
                put_missing(body, (*resource, "attributes"), {})
            for constant_path, constant in self.constants:
                put_missing(body, constant_path, constant)
            if self.sends_id and "id" in params:
                body["data"]["id"] = params["id"]
        return body

    def _written(self, body: dict[str, Any]) -> tuple[bytes, str]:
        """The bytes of a body and their content type."""
        return form(body) if self.multipart else (orjson.dumps(body), MEDIA_TYPE)

    @property
    def has_body(self) -> bool:
        """Whether a request of this operation carries a body."""
        return bool(self.type) or any(parameter.place == "body" for parameter in self.parameters.values())

    @property
    def sends_id(self) -> bool:
        """Whether the id of the path stands in the body, too: Klaviyo wants that of every update."""
        return self.method == "PATCH" and bool(self.type) and "id" in self.parameters

    @property
    def asks_for_something(self) -> bool:
        """Whether a call without any parameter is refused though none of them has to be given."""
        required = any(parameter.required for parameter in self.parameters.values())
        return not required and any(check({}) for check in self.checks)

    @cached_property
    def resources(self) -> tuple[Path, ...]:
        """Where in the body resources with attributes stand: Klaviyo insists on the key, even if it is empty."""
        found: dict[Path, None] = {}
        for parameter in self.parameters.values():
            if parameter.place == "body":
                for below, _ in parameter.shape.leaves:
                    path = (*parameter.path, *below)
                    found |= {path[:depth]: None for depth, name in enumerate(path) if name == "attributes"}
        return tuple(found)

    def repeat_of(self, params: Params) -> Repeat:
        """Whether a request with these parameters may be sent again."""
        look_at = self.repeat.unless(params) if self.repeat.unless else None
        return never(look_at) if look_at else self.repeat

    def buckets(self, params: Mapping[str, Any]) -> tuple[Bucket, ...]:
        """The endpoint's own bucket and the extra ones that these parameters draw on."""
        used = [extra.bucket for extra in self.extras if extra.value in (params.get(extra.parameter) or ())]
        return (Bucket(self.name, self.limits), *used)

    def line(self, account: str, params: Mapping[str, Any]) -> Line:
        """The waiting list of a call with these parameters."""
        buckets = self.buckets(params)
        key = account, *(bucket.name for bucket in buckets)
        if key not in self._lines:
            self._lines[key] = Line(account, buckets)
        return self._lines[key]

    def _plain(self, given: Mapping[str, Any]) -> tuple[Params, list[str]]:
        """The parameters under their plain names, whichever spelling they came in, and what is wrong with them."""
        params: Params = {name: value for name, value in given.items() if name in self.parameters}
        plain = set(params)
        came_as: dict[Path, str] = {}
        translated: list[tuple[str, Translate, Any]] = []
        problems: list[str] = []
        for name, value in given.items():
            if name in plain:
                continue
            match self.aliases.get(name):
                case None:
                    problems.append(self._unknown(name))
                case Dropped():
                    pass
                case Adds(parameter, extra):
                    if value:
                        params[parameter] = [*(params.get(parameter) or []), extra]
                case Alias((), constant):
                    if value != constant:
                        problems.append(f"parameter {name!r} is always {constant!r}: leave it out")
                case Alias(("id",)) if params.get("id") == value:
                    pass  # the seed document has both `id` and `data__id` on every update
                case Alias(keys) if other := _taken(keys, plain, came_as):
                    problems.append(f"parameter {keys[0]!r} is given twice, as {other!r} and as {name!r}")
                case Alias(keys):
                    came_as[keys] = name
                    put(params, keys, value)
                case translate:
                    translated.append((name, translate, value))
        problems += [problem for each in translated if (problem := _translated(params, *each))]
        return self._parsed(params), problems

    def _parsed(self, params: Params) -> Params:
        """Rendered values taken apart, and without the keys that Klaviyo no longer has."""
        params = {name: self.parameters[name].shape.parse(value) for name, value in params.items()}
        for *above, name in self._dropped:
            # What was around it stays: it is what the call gave.
            inside(params, above).pop(name, None)
        return params

    @cached_property
    def _dropped(self) -> tuple[Path, ...]:
        """Keys inside parameters that Klaviyo no longer has."""
        return tuple(
            tuple(name.split(".")) for name, each in self.aliases.items() if "." in name and isinstance(each, Dropped)
        )

    def _without_null(self, params: Params) -> Iterator[str]:
        """Leave out what is None where Klaviyo takes no null, as its declared default does.

        In an update that could be taken for clearing it, which nothing does.
        """
        for name in [name for name, value in params.items() if value is None]:
            parameter = self.parameters[name]
            if parameter.place != "body" or parameter.required or parameter.nullable:
                continue
            if self.method == "PATCH":
                yield f"parameter {name!r} is None, and Klaviyo cannot clear it; leave it out to keep what is there"
            else:
                del params[name]

    def _leading_elsewhere(self, params: Params) -> Iterator[str]:
        """What would make another address of this one: without its id, that of a record is that of all of them."""
        for name, value in params.items():
            if self.parameters[name].place == "path" and str(value).strip() in ("", ".", ".."):
                yield f"parameter {name!r} is empty, or dots: it has to be an id"

    def _unknown(self, name: str) -> str:
        leading = [alias for alias, target in self.aliases.items() if _leads(target)]
        near = difflib.get_close_matches(name, [*self.parameters, *leading], n=1)
        return f"parameter {name!r} is not known" + (f"; did you mean {near[0]!r}?" if near else "")

    def _validated(self, params: Params) -> Params:
        if self._model is None:
            # Made at the first call: 345 pydantic models at import would cost a second.
            self._model = create_model(
                self.name,
                __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True),
                **{
                    f"p_{name}": (each.annotation, Field(... if each.required else None, alias=name))
                    for name, each in self.parameters.items()
                },  # type: ignore[call-overload]
            )
        # Not `model_dump`: it warns, with the value, where a validator has let through more than its annotation says.
        valid = self._model.model_validate(params).__dict__
        plain: Params = json_value({name: valid[f"p_{name}"] for name in params})
        return plain

    def _check_items(self, params: Params) -> None:
        for name, value in params.items():
            allowed = self.parameters[name].item_bytes
            if allowed is None or not isinstance(value, list):
                continue
            render = self.parameters[name].shape.render
            sizes = [len(orjson.dumps(item)) for item in render(value)]
            if wrong := [str(place) for place, size in enumerate(sizes) if size > allowed]:
                raise InputError(self.name, [f"items {', '.join(wrong[:5])} of {name!r} are over {allowed:,} bytes"])

    def _checked(self, params: Params, body: dict[str, Any], stamped: bool) -> bytes:
        """The bytes of a body that Klaviyo's file has nothing to say against."""
        content, _ = self._written(body)
        if problems := self._misshapen(params, body, stamped):
            raise InputError(self.name, list(dict.fromkeys(map(self._told, problems))))
        return content

    def _misshapen(self, params: Params, body: dict[str, Any], stamped: bool) -> Sequence[Problem]:
        """What Klaviyo's file says against a body."""
        check = self._shape_check
        if check is None or any(self.parameters[name].place == "aside" for name in params):
            return ()  # what is asked for aside becomes the rest
        problems = check(body)
        if problems and self.stamp and not stamped:
            params = deepcopy(params)
            self.stamp(params, None)
            return check(self._body(params))
        return problems

    @cached_property
    def _shape_check(self) -> Check | None:
        return check_of(self.package, self.name)

    def _told(self, problem: Problem) -> str:
        return f"parameter {'.'.join(map(str, self._plain_place(problem.place)))!r} {problem.said}"

    def _plain_place(self, place: Place) -> Place:
        """How the caller gets to a place of the body."""
        found = [each for each in self.parameters.values() if each.place == "body"]
        for each in found:
            if place[: len(each.path)] == each.path:
                return (each.name, *each.shape.plain(place[len(each.path) :]))
        # Nothing is where some parameter would have put something.
        return next(((each.name,) for each in found if each.path[: len(place)] == place), place)


def _leads(target: Alias | Adds | Dropped | Translate) -> bool:
    """Whether a name stands for something that can be given."""
    return not isinstance(target, Dropped) and not (isinstance(target, Alias) and target.constant is not None)


def _taken(keys: Path, plain: set[str], came_as: Mapping[Path, str]) -> str | None:
    """The spelling in which this, or a part or the whole of it, was given already."""
    if keys[0] in plain:
        return keys[0]
    return next((name for path, name in came_as.items() if path[: len(keys)] == keys[: len(path)]), None)


def _translated(params: Params, name: str, translate: Translate, value: Any) -> str | None:
    try:
        translate(params, value)
    except ValueError as error:
        return f"parameter {name!r}: {error}"
    return None


def put_missing(body: dict[str, Any], path: Path, value: Any) -> None:
    """Set what every resource has, such as ``data.type``, but only where the resource is there."""
    *above, last = path
    for depth, name in enumerate(above):
        if name not in body:
            if depth:
                return
            body[name] = {}
        if not isinstance(body[name], dict):
            return
        body = body[name]
    body.setdefault(last, {} if value == {} else value)


def _query_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(str(each) for each in value)
    return str(value)


def _within(loc: Place, value: Any) -> Iterator[str | int]:
    """The keys on the way to what is wrong, without the names of the alternatives that pydantic has tried."""
    for number, part in enumerate(loc, 1):
        there = isinstance(value, Mapping) and part in value
        if there or (isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)):
            value = value[part]
            yield part
        elif isinstance(value, Mapping) and number == len(loc):
            yield part


def _sentences(errors: Sequence[Any], params: Params) -> Iterator[str]:
    """What is wrong at each place, once; where there are alternatives, all that could be there."""
    said: dict[str, dict[str, None]] = {}
    for error in errors:
        place, wrong = _said(error, params)
        said.setdefault(place, {})[wrong] = None
    for place, wrongs in said.items():
        facts = [each for each in wrongs if each.startswith(("is ", "has "))]
        yield from (f"parameter {place!r} {each}" for each in facts)
        if others := [each for each in wrongs if each not in facts]:
            yield f"parameter {place!r}: {', or '.join(others)}"


def _said(error: Any, params: Params) -> tuple[str, str]:
    """The place of one of pydantic's errors, and what it says there."""
    loc, context = error["loc"], error.get("ctx", {})
    if loc[-1:] == ("[key]",):
        return _place(loc[:-2], params), "has a key that is no text; JSON's keys are text"
    place = _place(loc, params)
    if error["type"] == "missing":
        return place, "is missing"
    if error["type"] == "union_tag_not_found":
        return ".".join((place, context["discriminator"].strip("'"))), "is missing"
    if error["type"] == "union_tag_invalid":
        return place, f"its {context['discriminator']} is none of {context['expected_tags']}"
    if error["type"] == "extra_forbidden":
        return place, "is not known"
    text = error["msg"].removeprefix("Value error, ")
    if error["type"] == "literal_error":
        text = f"input should be {_shortened(context['expected'])}"
    return place, f"{text[0].lower()}{text[1:]}"


def _place(loc: Place, params: Params) -> str:
    return ".".join(map(str, _within(loc, params))) or "the call"


def _shortened(expected: str) -> str:
    values = re.split(r", | or ", expected)
    return expected if len(values) <= 15 else f"{', '.join(values[:15])} and {len(values) - 15} more"


def declare(
    function: Callable[..., Any],
    route: str,
    *,
    limits: str,
    scopes: str,
    type: str | None,
    repeat: Repeat | None,
    names_2024: str,
    extra: Mapping[str, str],
    seed: Mapping[str, Seed],
    checks: tuple[Callable[[Params], str | None], ...],
    prepare: Callable[[Params], None] | None = None,
    stamp: Callable[[Params, str | None], None] | None = None,
    resolve: Callable[[Params, Ask], Resolved] | None = None,
    max_body: int,
    multipart: bool,
    upserts: bool = False,
) -> Declaration:
    """Make a declaration.

    Raises:
        DeclarationError: where it contradicts itself.

    """
    name = getattr(function, "__name__", "?")
    method, _, path = route.partition(" ")
    refuse = partial(_refusal, name)

    if method not in ("GET", "POST", "PATCH", "DELETE") or not path.startswith("/"):
        raise refuse(f"{route!r} is not a route; write it like 'GET /api/profiles/{{id}}'")
    doc = inspect.getdoc(function) or ""
    if not doc:
        raise refuse("it has no docstring")
    if not scopes and not path.startswith("/client/"):
        raise refuse("it has no scopes")
    if repeat is None and method != "GET":
        raise refuse("it does not say whether it may be repeated (repeat=SAFE, with_key(…) or never(…))")
    names = _names(function, refuse)
    if missing := set(re.findall(r"{(\w+)}", path)) - names:
        raise refuse(f"no parameter for {', '.join(sorted(missing))} of its path")
    for rule in extra:
        if rule.partition("=")[0] not in names or not rule.partition("=")[2]:
            raise refuse(f"the bucket rule {rule!r} names no parameter and value, as in 'include=lists'")
    for told, target in seed.items():
        if isinstance(target, str) and target.partition(".")[0] not in names:
            raise refuse(f"the seed name {told!r} leads to {target!r}, which is no parameter")
        if isinstance(target, Adds) and target.parameter not in names:
            raise refuse(f"the seed name {told!r} adds to {target.parameter!r}, which is no parameter")
    return Declaration(
        name=name,
        package=function.__module__.partition(".")[0],
        section=function.__module__.rpartition(".")[2],
        method=method,
        path=path,
        type=type,
        limits=Limits.parse(limits),
        scopes=tuple(scopes.split()),
        repeat=repeat or SAFE,
        doc=doc,
        names_2024=tuple(names_2024.split()),
        function=function,
        extra=extra,
        seed=seed,
        checks=checks,
        prepare=prepare,
        stamp=stamp,
        resolve=resolve,
        max_body=max_body,
        multipart=multipart,
        upserts=upserts,
    )


def _refusal(name: str, why: str) -> DeclarationError:
    return DeclarationError(f"action {name}: {why}")


def _names(function: Callable[..., Any], refuse: Callable[[str], DeclarationError]) -> set[str]:
    """The names of a function's parameters, from its code: to read its signature takes fifty times as long."""
    code = function.__code__
    if by_position := code.co_varnames[: code.co_argcount]:
        raise refuse(f"parameter {by_position[0]!r} is not keyword-only")
    return set(code.co_varnames[: code.co_kwonlyargcount])


def _parameters(declaration: Declaration) -> Iterator[Parameter]:
    method, path, type = declaration.method, declaration.path, declaration.type
    hints = get_type_hints(declaration.function, include_extras=True)
    for name, each in declaration.signature.parameters.items():
        markers = unwrap(hints[name])[1]
        at, query, header = one(markers, At), one(markers, Query), one(markers, Header)
        place: Part
        if f"{{{name}}}" in path:
            place, where = "path", name
        elif one(markers, Aside):
            place, where = "aside", name
        elif header:
            place, where = "header", header.name
        elif at:
            place, where = "body", at.path
        elif query or method in ("GET", "DELETE") or not type or _is_query(name, path):
            place, where = "query", query.name if query else query_name(name)
        else:
            place, where = "body", f"data.attributes.{name}"
        if place == "body" and method == "GET":
            raise _refusal(declaration.name, f"parameter {name!r} has a place in the body, but GET has none")
        resources = one(markers, Resources)
        yield Parameter(
            name=name,
            annotation=hints[name],
            required=each.default is inspect.Parameter.empty,
            default=None if each.default is inspect.Parameter.empty else each.default,
            place=place,
            path=tuple(where.split(".")) if place == "body" else (where,),
            shape=shape_of(hints[name]),
            item_bytes=resources.max_bytes if resources else None,
        )


def _is_query(name: str, path: str) -> bool:
    return name.startswith(("fields_", "additional_fields_")) or (name == "company_id" and path.startswith("/client/"))


def _constants(parameters: Any, type: str | None) -> Iterator[tuple[Path, str]]:
    if type:
        yield ("data", "type"), type
    for parameter in parameters:
        if parameter.place == "body":
            for below, value in parameter.shape.constants:
                yield (*parameter.path, *below), value
            if marker := one(unwrap(parameter.annotation)[1], At):
                for place, value in marker.types:
                    yield place, value


def _aliases(declaration: Declaration) -> dict[str, Alias | Adds | Dropped | Translate]:
    parameters = declaration.parameters
    aliases: dict[str, Alias | Adds | Dropped | Translate] = {}
    for parameter in parameters.values():
        aliases[flat_name(".".join(parameter.path))] = Alias((parameter.name,))
        for below, keys in parameter.shape.leaves if parameter.place == "body" else ():
            aliases[flat_name(".".join((*parameter.path, *below)))] = Alias((parameter.name, *keys))
    for path, value in declaration.constants:
        aliases[flat_name(".".join(path))] = Alias((), value)
    if declaration.method == "PATCH" and declaration.type:
        aliases["data__id"] = Alias(("id",))
    for name, target in declaration.seed.items():
        aliases[name] = Alias(tuple(target.split("."))) if isinstance(target, str) else target
    return {name: target for name, target in aliases.items() if name not in parameters}


def _extras(declaration: Declaration) -> Iterator[Extra]:
    for rule, limits in declaration.extra.items():
        parameter, _, value = rule.partition("=")
        wire = declaration.parameters[parameter].wire
        yield Extra(parameter, value, Bucket(f"{wire}={value}", Limits.parse(limits)))
