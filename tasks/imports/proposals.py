"""Propose what to do with a file of which nothing was said: by the table of exports, or else by a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from tasks.imports.cells import tidy_cells
from tasks.imports.exports import NONE, export_named, recognise
from tasks.imports.guesses import guess
from tasks.imports.interpretation import SAMPLE_ROWS
from tasks.imports.kinds import KINDS
from tasks.imports.sources import Source, count_reject_columns


@dataclass(frozen=True, slots=True)
class Proposal:
    """The kind of a file, its mapping, and fields that all of its rows have; ``export``: what it was recognised as."""

    kind: str
    mapping: tuple[str, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    export: str | None = None


def propose(source: Source, said: Sequence[str], export: str | None = None, kind: str | None = None) -> Proposal:
    """Propose what to do with a file, as far as the mapping that was given (``said``) leaves it open.

    Raises:
        ValueError: there is no export of this name.
        SourceError: the source is not what it claims to be.

    """
    names = source.columns and source.columns[count_reject_columns(source.columns) :]
    known = export_named(export) if export not in (None, NONE) else recognise(names or ()) if export is None else None
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
    """Return True if a column's name is a field. An ``id`` is hardly ever one of Klaviyo's ids."""
    fields = KINDS["create_catalog_items" if kind == "items" else kind].fields
    above = name.partition(".")[0]
    group = any(field.startswith(f"{name}.") for field in fields)
    return name != "id" and (name in fields or group or (above in fields and fields[above].open))


def _first(source: Source) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Return the names and cells of the first rows' columns; of mappings, all keys that any of them has."""
    rows = list(islice(chain.from_iterable(batch.rows for batch in source.batches()), SAMPLE_ROWS))
    if source.columns is None:
        records = [row for row in rows if isinstance(row, Mapping)]
        names = list(dict.fromkeys(str(name) for row in records for name in row))
        return names, [[_text(row.get(name)) for row in records] for name in names]
    added = count_reject_columns(source.columns)
    places = range(added, len(source.columns))
    cells = [tidy_cells([str(row[place]) if len(row) > place else "" for row in rows]) for place in places]  # type: ignore[index, arg-type]
    return source.columns[added:], list(cells)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)
