"""Which column becomes which field.

A column that is named like a field maps by itself: ``email``, ``location.city``, ``properties.plan``. What else there
is to say, each as ``column=field``:

E-Mail=email                      another name
Internal note=                    leave the column out
*=properties.*                    every other column is a property under its own name
total=properties.total:number     what a property holds: text, number, boolean, date or json
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from tasks.imports.fields import Field, Form
from tasks.imports.sources import added_columns

_TYPES: dict[str, Form] = {"text": "text", "number": "number", "boolean": "boolean", "date": "time", "json": "json"}
#: Where a field adds to lists or takes from them, which is not the same twice; see `tasks.rules.edits`.
_EDITS = frozenset(product(("patch_properties", "patch_identifiers"), ("append", "unappend")))

#: How much a field has to resemble what was given for one, and a column's own name, to be what was meant.
MISSPELLED, ALIKE = 0.6, 0.85
#: The fewest letters of a column's name that tell a field.
TELLING = 4


@dataclass(frozen=True, slots=True)
class Target:
    """Where a column leads, as it was said; an empty name leaves the column out."""

    name: str
    form: Form | None = None


class ColumnMap:
    """The fields of a kind by name, the groups that they lie in, and what was said about columns.

    ``say``: what stands before a mapping where it is said, for advice on what else to say.
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
        if colon and type in _TYPES:
            self.renamed[column] = Target(name, _TYPES[type])
        else:
            self.renamed[column] = Target(target)

    def _open(self, target: str) -> Field:
        found = self.fields.get(target.removesuffix(".*"))
        if not target.endswith(".*") or found is None or not found.open:
            raise ValueError(f"all other columns can go to 'properties.*', not to {target!r}")
        return found

    def field(self, column: str) -> Field | None:
        """The field that a column or a dotted key leads to; None where it is left out.

        Raises:
            ValueError: it leads nowhere, or to an edit that is not safe to repeat.

        """
        found = self._found(column)
        if found and not _EDITS.isdisjoint(pairwise(found.keys)):
            raise ValueError(f"{column!r}: an import may repeat a part; edit properties with update_profile")
        return found

    def _found(self, column: str) -> Field | None:
        if (target := self.renamed.get(column)) is not None:
            return self._named(target) if target.name else None
        if (found := self._known(column, self._default)) is not None:
            return found
        if self._rest:
            return self._rest.below(column, self._default)
        raise ValueError(f"{column!r} is no field of {self._kind}; {self._advice(column)}")

    def _named(self, target: Target) -> Field:
        found = self._known(target.name, target.form or self._default)
        if found is None:
            near = _nearest(target.name, self.fields, MISSPELLED)
            raise ValueError(
                f"{target.name!r} is no field of {self._kind}" + (f"; did you mean {near!r}?" if near else "")
            )
        if target.form and target.form != found.form:
            raise ValueError(f"the field {target.name!r} is of type {found.form}, and nothing else")
        return found

    def _known(self, name: str, form: Form) -> Field | None:
        if name in self.fields:
            return self.fields[name]
        above, _, below = name.partition(".")
        while below:
            if (found := self.fields.get(above)) is not None and found.open:
                return found.below(below, form)
            further, _, below = below.partition(".")
            above = f"{above}.{further}"
        return None

    def _advice(self, column: str) -> str:
        near = _nearest(column, self.fields, ALIKE)
        target = near or f"properties.{column}"
        if near is None and "properties" not in self.fields:
            return f"leave it out with {self._say}{column + '='!r}"
        return f"map it with {self._say}{f'{column}={target}'!r} or leave it out with {self._say}{column + '='!r}"


def _nearest(column: str, fields: Mapping[str, Field], alike: float) -> str | None:
    """The field whose name, or the end of it, is in the column's, or looks much like it.

    A field that is not what was meant is worse than none: whoever follows the advice writes over what is in it.
    """
    plain = {_plain(ending): name for name in reversed(list(fields)) for ending in (name.rpartition(".")[2], name)}
    near = difflib.get_close_matches(_plain(column), plain, n=1, cutoff=alike)
    said = near[:1] or sorted(_telling(column) & plain.keys(), key=len)[-1:]
    return plain[said[0]] if said else None


def _telling(column: str) -> set[str]:
    """What the column's name says in words that stand side by side, as far as it is long enough to mean something."""
    words = re.findall(r"[^\W_]+", column.lower())
    told = {"".join(words[begin:end]) for begin in range(len(words)) for end in range(begin + 1, len(words) + 1)}
    return {each for each in told if len(each) >= TELLING}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def columns_of(header: Sequence[str], mapped: ColumnMap) -> dict[int, Field]:
    """The field of each column that has one, by the column's place.

    Raises:
        ValueError: with every column that leads nowhere, leads where another does, or is missing.

    """
    problems = list(_not_there(header, mapped))
    columns: dict[int, Field] = {}
    taken: dict[str, str] = {}
    for place, column in enumerate(header[added_columns(header) :], added_columns(header)):
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
            problems.append(f"column {taken[above]!r} is all of {above!r}, and {taken[field.name]!r} is a part of it")
    if problems:
        raise ValueError("; ".join(problems))
    return columns


def _not_there(header: Sequence[str], mapped: ColumnMap) -> Iterator[str]:
    for column in mapped.renamed:
        if column not in header:
            near = difflib.get_close_matches(column, header, n=1)
            advice = f"; did you mean {near[0]!r}?" if near else ""
            yield f"the mapping speaks of a column {column!r}, which is not there{advice}"
