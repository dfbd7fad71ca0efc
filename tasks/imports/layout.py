"""Items as JSON, made from templates: one for each set of fields that rows have.

JSON:API nesting is defined by the declarations alone: a template is an item with marks in it, rendered once by the
parameter's `Codec`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tasks.imports.cells import ascii_bytes
from tasks.imports.fields import TEXTS, Field
from tasks.imports.kinds import Kind
from worker.api.wire import put

#: A mark cannot be mistaken for a name; JSON writes its NULs as ``\u0000``.
_MARK = re.compile(r'"\\u0000(\d+)\\u0000"')
#: Bytes that JSON escapes.
_ESCAPED = bytes([*range(32), ord('"'), ord("\\")])
#: If every row has other fields there would be countless templates; after this many they are dropped.
MAX_TEMPLATES = 5_000

#: For the fields that some rows lack: 1 if a row has it, else 0. Bytes, since the garbage collector ignores them.
Mask = bytes


class Layout:
    """The fields of some rows in the order of an item."""

    def __init__(self, kind: Kind, fields: Sequence[Field]) -> None:
        self._kind = kind
        self._render = kind.parameter.codec.render
        marked = _MARK.findall(self._marked(fields))
        self.fields = [fields[int(place)] for place in marked]
        self._gaps: list[int] = []
        self._templates: dict[Mask, list[str]] = {}

    def _marked(self, fields: Sequence[Field]) -> str:
        row: dict[str, Any] = {}
        for place, field in enumerate(fields):
            put(row, field.keys, f"\0{place}\0")
        return orjson.dumps(self._render([self._kind.item(row)])[0]).decode()

    def _template(self, mask: Mask) -> list[str]:
        """Return an item in pieces: before each field its text and a slot, in turn, then the text after the last.

        An absent field has both pieces, empty, so that the slot of a field is always in the same place.
        """
        absent = {place for place, given in zip(self._gaps, mask, strict=True) if not given}
        there = [field for place, field in enumerate(self.fields) if place not in absent]
        marked = iter(_MARK.split(self._marked(there)))
        text = next(marked)
        pieces = []
        for place, field in enumerate(self.fields):
            if place in absent:
                pieces += ["", ""]
                continue
            assert field is there[int(next(marked))], "the order of an item's fields depends on which of them it has"
            quote = '"' if field.form in TEXTS else ""
            pieces += [text + quote, ""]
            text = quote + next(marked)
        return [*pieces, f"{text}\n"]

    def lines(self, columns: Mapping[str, Sequence[str]], length: int, verbatim: bool = False) -> bytes:
        """Return the items of rows as JSON, one a line: JSON never contains a bare newline.

        ``verbatim``: it is known that no text needs escaping.
        """
        values: list[Sequence[str]] = [columns[field.name] for field in self.fields]
        if not verbatim:
            values = _escaped(self.fields, values)
        gaps = [place for place, each in enumerate(values) if place in self._gaps or not all(each)]
        if gaps != self._gaps or len(self._templates) > MAX_TEMPLATES:
            self._gaps, self._templates = gaps, {}
        given = zip(*(map(bool, values[place]) for place in gaps), strict=True)
        masks: list[Mask] = list(map(bytes, given)) or [b""] * length
        for mask in set(masks).difference(self._templates):
            self._templates[mask] = self._template(mask)
        # Filling a column by a stride takes half the time of formatting row by row.
        pieces = self._pieces(masks)
        for place, column in enumerate(values):
            pieces[2 * place + 1 :: 2 * len(values) + 1] = column
        return "".join(pieces).encode()[:-1]

    def _pieces(self, masks: list[Mask]) -> list[str]:
        """Return the pieces of all items: copies of the most frequent template, with the others put over them."""
        usual = max(set(masks), key=masks.count)
        template = self._templates[usual]
        pieces, size = template * len(masks), len(template)
        for row, mask in enumerate(masks):
            if mask != usual:
                pieces[row * size : (row + 1) * size] = self._templates[mask]
        return pieces


def _escaped(fields: Sequence[Field], values: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Return the columns with their texts escaped for JSON; mostly they need no escaping."""
    texts = ascii_bytes(
        "".join(["".join(column) for field, column in zip(fields, values, strict=True) if field.form in TEXTS])
    )
    if len(texts.translate(None, _ESCAPED)) == len(texts):
        return list(values)
    escape = json.encoder.encode_basestring
    return [
        [escape(value)[1:-1] for value in column] if field.form in TEXTS else column
        for field, column in zip(fields, values, strict=True)
    ]
