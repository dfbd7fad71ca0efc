"""What is known of an import before its first row is read; whatever is wrong by then is refused."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from tasks.imports.fields import Field
from tasks.imports.kinds import KINDS, Kind
from tasks.imports.layout import Layout
from tasks.imports.mapping import ColumnMap, columns_of
from tasks.imports.options import Options
from tasks.imports.values import Convert, converter
from worker.api.wire import put
from worker.errors import InputError

#: Stands for the items in a request, to find their place; JSON writes its NUL as ``\u0000``.
_ITEMS = "\0"
_ITEMS_AS_JSON = b'"\\u0000"'

#: Batches of records differ in the fields that they have; how many layouts are kept for them.
MOST_LAYOUTS = 50

#: A value of each form that passes every check.
_SAMPLES = {"number": 1, "boolean": True, "list": [], "json": {}}


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows become requests.

    header: the columns of a CSV; None where each row says its own. columns: the fields of those that lead to one, by
    their places. fields: these and all others of the kind, by name. fixed: the texts of fields that a row may lack.
    before, after: the request around its items.
    """

    kind: Kind
    options: Options
    zone: tzinfo | None
    mapped: ColumnMap
    fields: Mapping[str, Field]
    header: tuple[str, ...] | None
    columns: Mapping[int, Field]
    fixed: Mapping[str, str]
    before: bytes
    after: bytes
    _layouts: dict[tuple[str, ...], Layout] = field(default_factory=dict)
    _converters: dict[Field, Convert | None] = field(default_factory=dict)

    def layout(self, names: Sequence[str]) -> Layout:
        """The order of these fields in an item."""
        key = tuple(sorted(names))
        if key not in self._layouts:
            if len(self._layouts) >= MOST_LAYOUTS:
                self._layouts.clear()
            self._layouts[key] = Layout(self.kind, [self.fields[name] for name in key])
        return self._layouts[key]

    def convert(self, field: Field) -> Convert | None:
        """How values of a field are read; None where they travel as they are."""
        if field not in self._converters:
            self._converters[field] = _converter(self.kind, field, self.zone, cells=self.header is not None)
        return self._converters[field]


def compile_plan(kind: str, header: Sequence[str] | None, options: Options, say: str = "--map ") -> Plan:
    """Find out how rows with this header become requests; None where each row says its own fields.

    ``say``: what stands before a mapping where whoever asks for this says one.

    Raises:
        InputError: a column leads nowhere or is missing, or an option is wrong. Nothing has been read.

    """
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        advice = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError("import", [f"{kind!r} is none of {', '.join(KINDS)}{advice}"])
    known = KINDS[kind]
    try:
        zone = options.zone()
        mapped = ColumnMap(kind, known.fields, options.mapping, "json" if header is None else "text", say)
        columns = {} if header is None else columns_of(header, mapped)
        fixed = _fixed(known, mapped.fields, options.fixed, zone)
        if header is not None:
            _refuse_missing(known, {each.name for each in columns.values()} | set(fixed))
        _refuse_channels(known, options, None if header is None else {each.name for each in columns.values()})
    except ValueError as error:
        raise InputError(f"import {kind}", [str(error)]) from None
    fields = {**mapped.fields, **{each.name: each for each in columns.values()}}
    before, after = _frame(known, mapped.fields, options.params)
    header = None if header is None else tuple(header)
    return Plan(known, options, zone, mapped, fields, header, columns, fixed, before, after)


def _converter(kind: Kind, field: Field, zone: tzinfo | None, *, cells: bool) -> Convert | None:
    identifies = field.name in kind.identifying and field.form in ("text", "list")
    return converter(field, zone, cells=cells, each=kind.read.get(field.name), identifies=identifies)


def _fixed(kind: Kind, fields: Mapping[str, Field], given: Mapping[str, Any], zone: tzinfo | None) -> dict[str, str]:
    texts = {}
    for name, value in given.items():
        if name not in fields or fields[name].open:
            raise ValueError(f"{name!r} is no field of {kind.name}, so it cannot be fixed")
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
        raise ValueError(f"there is no column for {', '.join(missing)}, and Klaviyo takes no row without")


def _refuse_channels(kind: Kind, options: Options, there: set[str] | None) -> None:
    """Consent needs to know to what; what is not about consent does not."""
    if not kind.consents:
        if options.channels:
            raise ValueError(f"{kind.name} have no channels")
        return
    if there is not None and not options.channels and not any(name.startswith("subscriptions.") for name in there):
        raise ValueError("say for which channels: email, sms or whatsapp")
    if there and "consented_at" in there and not options.historical:
        raise ValueError(
            "the column 'consented_at' goes with historical_import only: say that, or leave the column out"
        )


def _frame(kind: Kind, fields: Mapping[str, Field], params: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """The request before and after its items.

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
