"""The plan of an import: what is known before its first row is read. Whatever is wrong by then is refused."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from tasks.imports.fields import Field
from tasks.imports.kinds import KINDS, UNSET, Kind
from tasks.imports.layout import Layout
from tasks.imports.mapping import ColumnMap, columns_of
from tasks.imports.options import Options
from tasks.imports.templates import Template, template_of
from tasks.imports.values import Convert, make_converter
from tasks.imports.withheld import WITHHELD, is_secret
from worker.api.wire import put
from worker.errors import InputError

#: Marks the place of the items in a request; JSON writes its NUL as ``\u0000``.
_ITEMS = "\0"
_ITEMS_AS_JSON = b'"\\u0000"'

#: Batches of records differ in their fields; this many layouts are kept for them.
MAX_LAYOUTS = 50

#: A value of each form that passes every check.
_SAMPLES = {"number": 1, "boolean": True, "list": [], "json": {}}


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows become requests.

    header: the columns of a table; None if each row names its own. columns: the fields of columns, by the columns'
    places. fields: these and all others of the kind, by name. fixed, templates: the texts of fields for rows that
    lack them. before, after: the request around its items. export: what the file was recognised as. left_out: columns
    that are not sent although no mapping says so, and why.
    """

    kind: Kind
    options: Options
    zone: tzinfo | None
    mapped: ColumnMap
    fields: Mapping[str, Field]
    header: tuple[str, ...] | None
    columns: Mapping[int, Field]
    fixed: Mapping[str, str]
    templates: Mapping[str, Template]
    before: bytes
    after: bytes
    left_out: Mapping[str, str]
    export: str | None = None
    _layouts: dict[tuple[str, ...], Layout] = field(default_factory=dict, init=False)
    _converters: dict[Field, Convert | None] = field(default_factory=dict, init=False)

    @property
    def all_left_out(self) -> Mapping[str, str]:
        """The columns left out so far, and why; if rows name their own columns, those seen so far."""
        return {**self.left_out, **dict.fromkeys(sorted(self.mapped.withheld), WITHHELD)}

    def layout(self, names: Sequence[str]) -> Layout:
        """Return the layout of items with these fields."""
        key = tuple(sorted(names))
        if key not in self._layouts:
            if len(self._layouts) >= MAX_LAYOUTS:
                self._layouts.clear()
            self._layouts[key] = Layout(self.kind, [self.fields[name] for name in key])
        return self._layouts[key]

    def convert(self, field: Field) -> Convert | None:
        """Return how values of a field are converted; None if they are sent as they are."""
        if field not in self._converters:
            self._converters[field] = _converter(self.kind, field, self.zone, cells=self.header is not None)
        return self._converters[field]


def compile_plan(kind: str, header: Sequence[str] | None, options: Options, say: str = "--map ") -> Plan:
    """Work out how rows with this header become requests; the header is None if each row names its own fields.

    ``say``: what to type before a mapping, for advice in messages.

    Raises:
        InputError: a column has no field or is missing, or an option is wrong. No row has been read.

    """
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        advice = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError("import", [f"there is no kind {kind!r}; the kinds are {', '.join(KINDS)}{advice}"])
    known = KINDS[kind]
    try:
        zone = options.zone()
        options.region()
        mapped = ColumnMap(kind, known.fields, options.mapping, "json" if header is None else "text", say)
        columns = {} if header is None else columns_of(header, mapped)
        templates = _templates(mapped.fields, options.fixed, header)
        given = {name: value for name, value in options.fixed.items() if mapped.fields.get(name) not in templates}
        fixed = _fixed(known, mapped.fields, given, zone)
        if header is not None:
            _refuse_missing(known, {each.name for each in (*columns.values(), *templates)} | set(fixed))
        _refuse_clearing(known, header, columns, options)
        _refuse_channels(known, options, None if header is None else {each.name for each in columns.values()})
    except ValueError as error:
        raise InputError(f"import {kind}", [str(error)]) from None
    fields = {**mapped.fields, **{each.name: each for each in columns.values()}}
    by_name = {field.name: template for field, template in templates.items()}
    before, after = _frame(known, mapped.fields, options.params)
    header = None if header is None else tuple(header)
    left_out = {name: WITHHELD for name in header or () if is_secret(name)}
    return Plan(known, options, zone, mapped, fields, header, columns, fixed, by_name, before, after, left_out)


def _converter(kind: Kind, field: Field, zone: tzinfo | None, *, cells: bool) -> Convert | None:
    identifies = field.name in kind.identifying and field.form in ("text", "list")
    return make_converter(field, zone, cells=cells, each=kind.read.get(field.name), identifies=identifies)


def _templates(
    fields: Mapping[str, Field], given: Mapping[str, Any], header: Sequence[str] | None
) -> dict[Field, Template]:
    """Return the fields whose value for all rows names columns of the table."""
    places = {name: place for place, name in enumerate(header or ())}
    found = {fields[name]: template_of(str(value), places.get) for name, value in given.items() if name in fields}
    return {field: template for field, template in found.items() if template is not None}


def _fixed(kind: Kind, fields: Mapping[str, Field], given: Mapping[str, Any], zone: tzinfo | None) -> dict[str, str]:
    texts = {}
    for name, value in given.items():
        if name not in fields or fields[name].open:
            raise ValueError(f"{name!r} is not a field of {kind.name}, so it cannot be fixed")
        convert = _converter(kind, fields[name], zone, cells=False)
        assert convert is not None
        try:
            texts[fields[name].name] = convert(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return texts


def _refuse_missing(kind: Kind, there: set[str]) -> None:
    if not there.intersection(kind.identifiers):
        raise ValueError(f"there is no column for an identifier, which is one of {', '.join(kind.identifiers)}")
    if missing := [name for name in kind.required if name not in there]:
        advice = f"map one, or set it for all rows, such as {missing[0]}=… or {missing[0]}='… {{Column}} …'"
        raise ValueError(f"there is no column for {', '.join(missing)}, which Klaviyo requires: {advice}")


def _refuse_clearing(kind: Kind, header: Sequence[str] | None, columns: Mapping[int, Field], options: Options) -> None:
    """Refuse to clear anything but profiles' properties, or without a table whose cells can be empty."""
    if not options.clear_empty:
        return
    if UNSET not in kind.fields:
        raise ValueError(
            f"empty cells cannot clear anything of {kind.name}: Klaviyo unsets properties of profiles only"
        )
    if header is None:
        raise ValueError(
            "empty cells can clear properties only where rows have cells: a mapping says patch_properties.unset"
        )
    if any(field.name in (UNSET, "properties") for field in columns.values()):
        raise ValueError(f"both --clear-empty and a column for {UNSET} clear properties: use one of them")


def _refuse_channels(kind: Kind, options: Options, there: set[str] | None) -> None:
    """Refuse consent without channels, and channels without consent."""
    if not kind.consents:
        if options.channels:
            raise ValueError(f"{kind.name} have no channels")
        return
    if there is not None and not options.channels and not any(name.startswith("subscriptions.") for name in there):
        raise ValueError("say for which channels: email, sms or whatsapp")
    if there and "consented_at" in there and not options.historical:
        raise ValueError("the column 'consented_at' needs historical_import: set it, or leave the column out")


def _frame(kind: Kind, fields: Mapping[str, Field], params: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return the request before and after its items.

    Raises:
        InputError: a parameter is wrong.

    """
    declaration = kind.declaration
    row: dict[str, Any] = {}
    for name, each in fields.items():
        if each.required or name in (kind.identifiers[0], *kind.sample):
            put(row, each.keys, kind.sample.get(name) or (each.choices or (_SAMPLES.get(each.form, "x"),))[0])
    bound = declaration.bind({**params, kind.items: [kind.item(row)]}, stamped=False)
    if beside := [name for name in params if name in bound and declaration.parameters[name].place != "body"]:
        raise InputError(f"import {kind.name}", [f"parameter {beside[0]!r} does not belong to an import"])
    body = declaration.request({**bound, kind.items: _ITEMS}).body
    assert body is not None, f"{kind.action} has a body"
    before, after = body.split(_ITEMS_AS_JSON)
    return before + b"[", b"]" + after
