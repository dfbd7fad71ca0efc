"""Which column becomes which field.

A column with the name of a field maps by itself: ``email``, ``location.city``, ``properties.plan``. Anything else is
given as ``column=field``:

E-Mail=email                      another name
Internal note=                    leave the column out
*=properties.*                    every other column is a property under its own name
total=properties.total:number     what a property holds: text, number, boolean, date, day, list or json

A type can also say how cells are written: a date as `day-first` or `month-first`, a number as `decimal-comma` or
`decimal-point`, and a phone number that begins with the country's code but no ``+`` as `international`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from tasks.imports.fields import Field, Form
from tasks.imports.sources import count_reject_columns
from tasks.imports.withheld import WITHHELD, is_secret

#: The types that a mapping can give a property, with the form and style of its cells.
TYPES: dict[str, tuple[Form, str]] = {
    "text": ("text", ""),
    "number": ("number", ""),
    "decimal-comma": ("number", "decimal-comma"),
    "decimal-point": ("number", "decimal-point"),
    "boolean": ("boolean", ""),
    "date": ("time", ""),
    "day": ("day", ""),
    "day-first": ("time", "day-first"),
    "month-first": ("time", "month-first"),
    "list": ("list", "tags"),
    "json": ("json", ""),
    "international": ("phone", "international"),
}
#: Fields that append to lists or remove from them, which must not be repeated; see `tasks.rules.edits`.
_EDITS = frozenset(product(("patch_properties", "patch_identifiers"), ("append", "unappend")))

#: How alike a field and a mapping's target, or a field and a column's name, must be to be suggested.
MIN_TARGET_LIKENESS, MIN_COLUMN_LIKENESS = 0.6, 0.85
#: The fewest letters of a column's name that identify a field.
MIN_PHRASE_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a column's mapping; an empty name leaves the column out."""

    name: str
    form: Form | None = None
    style: str = ""


class ColumnMap:
    """The fields of a kind by name, the groups that they are in, and the mappings that were given.

    say: what to type before a mapping, for advice in messages. withheld: columns seen so far that are never sent.
    """

    def __init__(
        self, kind: str, fields: Mapping[str, Field], said: Sequence[str], default: Form, say: str = "--map "
    ) -> None:
        self._kind = kind
        self.fields = fields
        self.groups = {name[:end] for name in fields for end, letter in enumerate(name) if letter == "."}
        self._default = default
        self._say = say
        self._rest: Field | None = None
        self.withheld: set[str] = set()
        self.renamed: dict[str, Target] = {}
        for each in said:
            self._add(each)

    def _add(self, said: str) -> None:
        column, equals, target = said.rpartition("=")
        if not equals:
            raise ValueError(f"the mapping {said!r} has no '='; write it like 'E-Mail=email'")
        if column in self.renamed:
            raise ValueError(f"the column {column!r} is mapped twice")
        if column == "*":
            self._rest = self._open(target)
            return
        name, colon, type = target.rpartition(":")
        if colon and type in TYPES:
            self.renamed[column] = Target(name, *TYPES[type])
        else:
            self.renamed[column] = Target(target)

    def _open(self, target: str) -> Field:
        found = self.fields.get(target.removesuffix(".*"))
        if not target.endswith(".*") or found is None or not found.open:
            raise ValueError(f"all other columns can go to 'properties.*', not to {target!r}")
        return found

    def field(self, column: str) -> Field | None:
        """Return the field of a column or a dotted key; None if it is left out.

        Raises:
            ValueError: there is no such field, or it is an edit that must not be repeated.

        """
        found = self._found(column)
        if found and not _EDITS.isdisjoint(pairwise(found.keys)):
            raise ValueError(f"{column!r}: an import may send a row twice and would edit twice; use update_profile")
        return found

    def _found(self, column: str) -> Field | None:
        if (target := self.renamed.get(column)) is not None and not (target.name and is_secret(column)):
            return self._named(target) if target.name else None
        if is_secret(column):
            if target is not None:
                raise ValueError(f"{column!r}: {WITHHELD}; give the column another name if it holds something else")
            self.withheld.add(column)
            return None
        if (found := self._known(column, self._default)) is not None:
            return found
        if self._rest:
            return self._rest.below(column, self._default)
        raise ValueError(f"{column!r} is not a field of {self._kind}; {self._advice(column)}")

    def _named(self, target: Target) -> Field:
        found = self._known(target.name, target.form or self._default, target.style)
        if found is None:
            near = _nearest(target.name, self.fields, MIN_TARGET_LIKENESS)
            raise ValueError(
                f"{target.name!r} is not a field of {self._kind}" + (f"; did you mean {near!r}?" if near else "")
            )
        if target.form and target.form != found.form and (target.form, found.form) != ("time", "day"):
            raise ValueError(f"the field {target.name!r} is always of type {found.form}")
        return replace(found, style=target.style) if target.style else found

    def _known(self, name: str, form: Form, style: str = "") -> Field | None:
        if name in self.fields:
            return self.fields[name]
        above, _, below = name.partition(".")
        while below:
            if (found := self.fields.get(above)) is not None and found.open:
                return found.below(below, form, style)
            further, _, below = below.partition(".")
            above = f"{above}.{further}"
        return None

    def _advice(self, column: str) -> str:
        near = _nearest(column, self.fields, MIN_COLUMN_LIKENESS)
        target = near or f"properties.{column}"
        if near is None and "properties" not in self.fields:
            return f"leave it out with {self._say}{column + '='!r}"
        return f"map it with {self._say}{f'{column}={target}'!r} or leave it out with {self._say}{column + '='!r}"


def _nearest(column: str, fields: Mapping[str, Field], alike: float) -> str | None:
    """Return the field whose name, or its last part, is in the column's name or much like it.

    A wrong suggestion is worse than none: whoever follows it overwrites the field's values.
    """
    plain = {_plain(ending): name for name in reversed(list(fields)) for ending in (name.rpartition(".")[2], name)}
    near = difflib.get_close_matches(_plain(column), plain, n=1, cutoff=alike)
    best = near[:1] or sorted(_phrases(column) & plain.keys(), key=len)[-1:]
    return plain[best[0]] if best else None


def _phrases(column: str) -> set[str]:
    """Return the runs of adjacent words in a column's name that are long enough to mean something."""
    words = re.findall(r"[^\W_]+", column.lower())
    runs = {"".join(words[begin:end]) for begin in range(len(words)) for end in range(begin + 1, len(words) + 1)}
    return {each for each in runs if len(each) >= MIN_PHRASE_LETTERS}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def columns_of(header: Sequence[str], mapped: ColumnMap) -> dict[int, Field]:
    """Return the field of each column that has one, by the column's place.

    Raises:
        ValueError: naming every column without a field, with another column's field, or missing from the header.

    """
    problems = list(_not_there(header, mapped))
    columns: dict[int, Field] = {}
    taken: dict[str, str] = {}
    for place, column in enumerate(header[count_reject_columns(header) :], count_reject_columns(header)):
        try:
            field = mapped.field(column)
        except ValueError as error:
            problems.append(f"column {error}")
            continue
        if field is None:
            continue
        if field.name in taken:
            problems.append(f"columns {taken[field.name]!r} and {column!r} both lead to {field.name!r}")
        columns[place] = field
        taken[field.name] = column
    for field in columns.values():
        if (above := ".".join(field.keys[:-1])) in taken:
            problems.append(
                f"column {taken[above]!r} holds all of {above!r}, but {taken[field.name]!r} holds a part of it"
            )
    if problems:
        raise ValueError("; ".join(problems))
    return columns


def _not_there(header: Sequence[str], mapped: ColumnMap) -> Iterator[str]:
    for column in mapped.renamed:
        if column not in header:
            near = difflib.get_close_matches(column, header, n=1)
            advice = f"; did you mean {near[0]!r}?" if near else ""
            yield f"there is no column {column!r} for its mapping{advice}"
