"""What to do with a file of which nobody has said it: by the table of exports, or else by a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from tasks.imports.cells import tidied
from tasks.imports.exports import NONE, export_named, recognised
from tasks.imports.guesses import guess
from tasks.imports.kinds import KINDS
from tasks.imports.sources import Source, added_columns
from tasks.imports.understanding import SAMPLE


@dataclass(frozen=True, slots=True)
class Proposal:
    """The kind of a file, where its columns lead, and what all of its rows have; ``export``: what it was known as."""

    kind: str
    mapping: tuple[str, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    export: str | None = None


def proposed(source: Source, said: Sequence[str], export: str | None = None, kind: str | None = None) -> Proposal:
    """What to do with a file whose columns lead where the mapping ``said`` tells, as far as that goes.

    Raises:
        ValueError: there is no export of this name.
        SourceError: the source is not what it claims to be.

    """
    names = source.columns and source.columns[added_columns(source.columns) :]
    known = export_named(export) if export not in (None, NONE) else recognised(names or ()) if export is None else None
    if known is not None and kind in (None, known.kind):
        return Proposal(known.kind, tuple(said), export=known.name)
    header, columns = _first(source)
    found = guess(header, columns, kind, _is_field)
    own = {each.rpartition("=")[0]: each.rpartition("=")[2] for each in said}
    guessed = [
        each
        for each in found.mapping
        for name, _, target in [each.rpartition("=")]
        if name not in own and target not in own.values() and not ("*" in own and "." in target)
    ]
    return Proposal(found.kind, (*guessed, *said), found.fixed)


def _is_field(kind: str, name: str) -> bool:
    """Whether a column leads somewhere by its own name. An ``id`` is hardly ever one that Klaviyo has given."""
    fields = KINDS["create_catalog_items" if kind == "items" else kind].fields
    above = name.partition(".")[0]
    group = any(field.startswith(f"{name}.") for field in fields)
    return name != "id" and (name in fields or group or (above in fields and fields[above].open))


def _first(source: Source) -> tuple[Sequence[str], list[Sequence[str]]]:
    """The columns of the first rows, by name; of mappings, those that any of them has."""
    rows = list(islice(chain.from_iterable(batch.rows for batch in source.batches()), SAMPLE))
    if source.columns is None:
        records = [row for row in rows if isinstance(row, Mapping)]
        names = list(dict.fromkeys(str(name) for row in records for name in row))
        return names, [[_text(row.get(name)) for row in records] for name in names]
    added = added_columns(source.columns)
    places = range(added, len(source.columns))
    cells = [tidied([str(row[place]) if len(row) > place else "" for row in rows]) for place in places]  # type: ignore[index, arg-type]
    return source.columns[added:], list(cells)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)
