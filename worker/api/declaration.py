"""What an action is, and the requests that it makes. Pure, no I/O.

A `Declaration` turns keyword arguments in either spelling into plain, valid parameters (`bind`), turns those into an
HTTP request (`request`), and knows which buckets the request draws on (`buckets`). `declare` makes one, and checks its
names, route and limits at import. Annotations are read with the first call: a process that makes calls of a few kinds
need not read hundreds.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, get_origin
from urllib.parse import quote

import orjson
from pydantic import ValidationError

from worker.api.binding import drop_nulls, empty_id_problems, explain, item_size_problems, model_of, validate
from worker.api.body import check_of, node_at
from worker.api.body_leaves import Check, Problem
from worker.api.filter_fields import fields_of
from worker.api.filters import as_text, filter_problems
from worker.api.json_value import NotJson
from worker.api.jsonapi import MEDIA_TYPE, Request, encode_form
from worker.api.kinds import Kinds
from worker.api.parameters import (
    DeclarationError,
    Extra,
    Parameter,
    Params,
    Refuse,
    attribute_paths,
    read_constants,
    read_extras,
    read_parameters,
)
from worker.api.repeat import SAFE, Repeat, never
from worker.api.seed_names import Adds, Seed, Target, dropped_keys, read_aliases, to_plain_names
from worker.api.validation_errors import explain_errors
from worker.api.wire import Path, put, put_missing, unwrap
from worker.errors import InputError
from worker.tiers import Bucket, Limits, Line

#: Klaviyo refuses a body over 5 MB with 413.
MAX_BODY_BYTES = 5_000_000

#: Carries out another action on the same account: ``ask(get_profiles, filter=…)`` returns its envelope.
Ask = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What ``resolve`` made of a call: the parameters to send, or None if there is nothing to send.

    ``extras`` go into the envelope.
    """

    params: Params | None
    extras: dict[str, Any]


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
        refuse = partial(_refusal, self.name)
        read = read_parameters(self.function, self.signature, self.method, self.path, self.type, refuse)
        return {each.name: each for each in read}

    @cached_property
    def constants(self) -> tuple[tuple[Path, str], ...]:
        """What every body has, and nobody has to say: the types of its resources."""
        return tuple(read_constants(self.parameters.values(), self.type))

    @cached_property
    def aliases(self) -> dict[str, Target]:
        """What the names of the seed document stand for."""
        return read_aliases(self.parameters, self.constants, self.method, self.type, self.seed)

    @cached_property
    def extras(self) -> tuple[Extra, ...]:
        """The buckets that values of list parameters draw on."""
        return tuple(read_extras(self.extra, self.parameters))

    @property
    def client_side(self) -> bool:
        """Whether this is one of Klaviyo's public ``/client`` operations: a company id instead of a key."""
        return self.path.startswith("/client/")

    @property
    def reads(self) -> bool:
        """Whether this only reads: every GET, and reports, which are requested by POST."""
        return self.method == "GET" or (bool(self.scopes) and all(each.endswith(":read") for each in self.scopes))

    def bind(self, given: Mapping[str, Any], key: str | None = None, *, stamped: bool = True) -> Params:
        """The valid parameters under their plain names; what was left out stays out.

        Args:
            given: the keyword arguments, in either spelling.
            key: the same each time this call is published or carried out; the ids that it must carry derive from it.
            stamped: whether to add those ids. False for a pattern of several calls, each of which gets its own.

        Raises:
            InputError: naming each parameter that is unknown, missing, given twice or wrong. No value is echoed.

        """
        params = self._kinds.plain(given)
        if params is None:
            params = self._plain_names(given)
        try:
            params = validate(params, self._model)
        except ValidationError as error:
            raise InputError(self.name, list(explain_errors(error.errors(include_input=False), params))) from None
        except NotJson as error:
            raise InputError(self.name, [str(error)]) from None
        if problems := [
            *empty_id_problems(params, self.parameters),
            *filter(None, (check(params) for check in self.checks)),
        ]:
            raise InputError(self.name, problems)
        if self.prepare:
            self.prepare(params)
        if self.stamp and stamped:
            self.stamp(params, key)
        if not self._kinds.fits(params):
            self._check_request(params, stamped)
        return params

    def _plain_names(self, given: Mapping[str, Any]) -> Params:
        """The parameters under their plain names, without those that are as good as left out."""
        params, problems = to_plain_names(given, self.parameters, self.aliases, self._dropped)
        problems += drop_nulls(params, self.parameters, updates=self.method == "PATCH")
        if "filter" in params:
            several = get_origin(unwrap(self.parameters["filter"].annotation)[0]) is list
            problems += filter_problems(params["filter"], fields_of(self.package, self.name), several)
            params["filter"] = as_text(params["filter"])
        if problems:
            raise InputError(self.name, problems)
        return params

    def _check_request(self, params: Params, stamped: bool) -> None:
        """See that Klaviyo would take the request."""
        body = self._body(params)
        content = self._check_body(params, body, stamped)
        if problems := list(item_size_problems(params, self.parameters)):
            raise InputError(self.name, problems)
        if body and len(content) > self.max_body:
            raise InputError(self.name, [f"the request is {len(content):,} bytes; Klaviyo takes {self.max_body:,}"])
        if not (self.multipart or self.sends_id) and (stamped or not self.stamp):
            self._kinds.learn(params, len(content))

    def request(self, params: Params) -> Request:
        """The HTTP request for valid parameters."""
        path = self.path
        query: dict[str, str] = {}
        headers: dict[str, str] = {}
        for name, value in params.items():
            parameter = self.parameters[name]
            if parameter.location == "path":
                path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
            elif parameter.location in ("query", "header") and value is not None:
                (query if parameter.location == "query" else headers)[parameter.wire] = _query_value(value)
        body = self._body(params)
        content, content_type = self._encode(body)
        return Request(self.method, path, query, content if body else None, content_type, headers)

    def _body(self, params: Params) -> dict[str, Any]:
        """The document to send; empty if there is none."""
        body: dict[str, Any] = {}
        for name, value in params.items():
            parameter = self.parameters[name]
            if parameter.location == "body":
                put(body, parameter.path, None if value is None else parameter.codec.render(value))
        if self.has_body:
            for above, defaults in self._defaults:
                put_missing(body, above, defaults)
            if self.sends_id and "id" in params:
                body["data"]["id"] = params["id"]
        return body

    def _encode(self, body: dict[str, Any]) -> tuple[bytes, str]:
        """The bytes of a body and their content type."""
        return encode_form(body) if self.multipart else (orjson.dumps(body), MEDIA_TYPE)

    @property
    def has_body(self) -> bool:
        """Whether a request of this operation carries a body."""
        return bool(self.type) or any(parameter.location == "body" for parameter in self.parameters.values())

    @property
    def sends_id(self) -> bool:
        """Whether the path's id is repeated in the body, as Klaviyo wants of every update."""
        return self.method == "PATCH" and bool(self.type) and "id" in self.parameters

    @property
    def asks_for_something(self) -> bool:
        """Whether a call without any parameters is refused, although none of them is required."""
        required = any(parameter.required for parameter in self.parameters.values())
        return not required and any(check({}) for check in self.checks)

    @cached_property
    def resources(self) -> tuple[Path, ...]:
        """The paths of the resources in the body that have attributes."""
        return attribute_paths(self.parameters.values())

    def repeat_of(self, params: Params) -> Repeat:
        """Whether a request with these parameters may be sent again."""
        look_at = self.repeat.unless(params) if self.repeat.unless else None
        return never(look_at) if look_at else self.repeat

    def buckets(self, params: Mapping[str, Any]) -> tuple[Bucket, ...]:
        """The endpoint's own bucket, and the extra ones that these parameters draw on."""
        return (Bucket(self.name, self.limits), *self._extras_used(params))

    def _extras_used(self, params: Mapping[str, Any]) -> Sequence[Bucket]:
        if not self.extra:
            return ()
        return [extra.bucket for extra in self.extras if extra.value in (params.get(extra.parameter) or ())]

    def line(self, account: str, params: Mapping[str, Any]) -> Line:
        """The waiting list of a call with these parameters."""
        key = account, *(bucket.name for bucket in self._extras_used(params))
        if key not in self._lines:
            self._lines[key] = Line(account, self.buckets(params))
        return self._lines[key]

    @cached_property
    def _defaults(self) -> tuple[tuple[Path, dict[str, Any]], ...]:
        """What every resource has, by its path: each call's body is made with it."""
        found: dict[Path, dict[str, Any]] = {resource: {"attributes": {}} for resource in self.resources}
        for (*above, last), constant in self.constants:
            found.setdefault(tuple(above), {})[last] = constant
        return tuple(found.items())

    @cached_property
    def _kinds(self) -> Kinds:
        at = partial(node_at, self.package, self.name) if self._shape_check else None
        return Kinds(self.parameters, at, self.max_body, self._dropped)

    @cached_property
    def _aside(self) -> frozenset[str]:
        return frozenset(name for name, each in self.parameters.items() if each.location == "aside")

    @cached_property
    def _dropped(self) -> tuple[Path, ...]:
        return dropped_keys(self.aliases)

    @cached_property
    def _model(self) -> Any:
        # Made at the first call: 345 pydantic models at import would cost a second.
        return model_of(self.name, self.parameters)

    def _check_body(self, params: Params, body: dict[str, Any], stamped: bool) -> bytes:
        """The bytes of the body, once it fits Klaviyo's OpenAPI file."""
        content, _ = self._encode(body)
        if problems := self._body_problems(params, body, stamped):
            raise InputError(self.name, list(dict.fromkeys(explain(each, self.parameters) for each in problems)))
        return content

    def _body_problems(self, params: Params, body: dict[str, Any], stamped: bool) -> Sequence[Problem]:
        """Where the body does not fit Klaviyo's OpenAPI file."""
        check = self._shape_check
        if check is None or not self._aside.isdisjoint(params):
            return ()  # `resolve` will turn the parameters that do not travel into others
        problems = check(body)
        if problems and self.stamp and not stamped:
            params = deepcopy(params)
            self.stamp(params, None)
            return check(self._body(params))
        return problems

    @cached_property
    def _shape_check(self) -> Check | None:
        return check_of(self.package, self.name)


def _query_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(str(each) for each in value)
    return str(value)


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
    """Make a declaration from a function and what its decorator says.

    Raises:
        DeclarationError: it contradicts itself.

    """
    name = getattr(function, "__name__", "?")
    method, _, path = route.partition(" ")
    refuse = partial(_refusal, name)

    if method not in ("GET", "POST", "PATCH", "DELETE") or not path.startswith("/"):
        raise refuse(f"{route!r} is not a route; write one like 'GET /api/profiles/{{id}}'")
    doc = inspect.getdoc(function) or ""
    if not doc:
        raise refuse("it has no docstring")
    if not scopes and not path.startswith("/client/"):
        raise refuse("it has no scopes")
    if repeat is None and method != "GET":
        raise refuse("it does not say whether it may be repeated (repeat=SAFE, with_key(…) or never(…))")
    names = _parameter_names(function, refuse)
    if missing := set(re.findall(r"{(\w+)}", path)) - names:
        raise refuse(f"no parameter for {', '.join(sorted(missing))} of its path")
    for rule in extra:
        if rule.partition("=")[0] not in names or not rule.partition("=")[2]:
            raise refuse(f"the bucket rule {rule!r} must name a parameter and a value, like 'include=lists'")
    for seed_name, target in seed.items():
        if isinstance(target, str) and target.partition(".")[0] not in names:
            raise refuse(f"the seed name {seed_name!r} stands for {target!r}, which is not a parameter")
        if isinstance(target, Adds) and target.parameter not in names:
            raise refuse(f"the seed name {seed_name!r} adds to {target.parameter!r}, which is not a parameter")
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


def _parameter_names(function: Callable[..., Any], refuse: Refuse) -> set[str]:
    """The names of a function's parameters, from its code: reading its signature takes fifty times as long."""
    code = function.__code__
    if by_position := code.co_varnames[: code.co_argcount]:
        raise refuse(f"parameter {by_position[0]!r} is not keyword-only")
    return set(code.co_varnames[: code.co_kwonlyargcount])
