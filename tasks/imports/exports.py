"""The exports of other systems: recognised by their headers, with the meaning of each column, from `exports.toml`."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

from tasks.imports.headers import INVISIBLE
from tasks.imports.mapping import TYPES

#: Means that a file is no known export: columns are mapped by their names alone.
NONE = "none"

_DOUBLED = re.compile(r" \([0-9]+\)$")
_CONSENT = "it says who wants marketing; an import of profiles changes nobody's consent (see --consent)"
_ITEM = "it goes into the list of items"
_TIME_OF_DAY = "it goes into the time"
#: Fields that a second column fills where the first is empty. Of addresses, it would mix parts of two.
_FILLED_BY_SECOND = frozenset(("phone_number", "profile.phone_number", "profile.email", "description"))


@dataclass(frozen=True, slots=True)
class Catalog:
    """How rows of products become items and variants; `exports.toml` explains each of these."""

    item: Sequence[str]
    variant: Sequence[str]
    variant_item: Sequence[str] = ()
    variant_rows: str = ""
    item_rows: str = ""
    of_item: Sequence[str] = ()
    images: Sequence[str] = ()
    variants: Mapping[str, str] = field(default_factory=dict)
    shared: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Packed:
    """Which columns hold the items of an order, packed, and how a name in them looks; see `exports.toml`."""

    columns: str
    name: str


@dataclass(frozen=True, slots=True)
class Export:
    """One kind of file that another system writes; `exports.toml` explains each of these."""

    name: str
    title: str
    kind: str
    known_by: tuple[str, ...]
    columns: Mapping[str, str]
    consent: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    metric: str | None = None
    order: str | None = None
    items: Mapping[str, str] = field(default_factory=dict)
    packed: Packed | None = None
    time_of_day: str | None = None
    no_order: Mapping[str, Sequence[str]] = field(default_factory=dict)
    one_by: str | None = None
    time_zone: str | None = None
    catalog: Catalog | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """An export's columns as one file names them.

    mapping: as in ``--map``. left_out: columns that are not sent, and why. order: the column with the order's id.
    items: the keys of an order's item, each with its column and type. packed: the columns that hold items as texts;
    the columns of ``items`` are then those that unpacking adds. time_of_day: the column that adds to the order's time.
    no_order: by column, what says that no order was placed. consent: the columns of consent, by channel. seconds: by
    field, the column that fills it where its own is empty.
    """

    export: Export
    mapping: tuple[str, ...]
    left_out: Mapping[str, str]
    order: str | None
    items: Mapping[str, tuple[str, str]]
    consent: Mapping[str, str] = field(default_factory=dict)
    packed: Sequence[str] = ()
    time_of_day: str | None = None
    no_order: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seconds: Mapping[str, str] = field(default_factory=dict)


@cache
def exports() -> Mapping[str, Export]:
    """Return the table of known exports, by name."""
    table = tomllib.loads(files("tasks.imports").joinpath("exports.toml").read_text(encoding="utf-8"))
    return {name: _export(name, each) for name, each in table.items()}


def _export(name: str, fields: Mapping[str, Any]) -> Export:
    catalog, packed = fields.get("catalog"), fields.get("packed")
    made = {"catalog": catalog and Catalog(**catalog), "packed": packed and Packed(**packed)}
    return Export(name, **{**fields, "known_by": tuple(fields["known_by"]), **made})


def export_named(name: str) -> Export:
    """Return the export of this name.

    Raises:
        ValueError: there is none.

    """
    if (found := exports().get(name)) is not None:
        return found
    near = difflib.get_close_matches(name, exports(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(exports())}"
    raise ValueError(f"there is no export {name!r}; {hint}")


def recognise(header: Sequence[str]) -> Export | None:
    """Return the export that a header belongs to: of those that fit, the one that knows the most of its columns."""
    there = {plain_name(name) for name in header}

    def fits(export: Export) -> bool:
        return all(any(plain_name(name) in there for name in each.split("|")) for each in export.known_by)

    def known(export: Export) -> int:
        return len(there & set(map(plain_name, (*export.columns, *export.consent.values(), *export.known_by))))

    return max(filter(fits, exports().values()), key=known, default=None)


def match_columns(
    export: Export, header: Sequence[str], said: Sequence[str] = (), columns: Mapping[str, str] | None = None
) -> Matched:
    """Match an export's columns, or some ``columns`` of it, with a file's. The given mapping (``said``) goes first."""
    own = {each.rpartition("=")[0] for each in said}
    taken = {_field(each) for each in said}
    names: dict[str, str] = {}
    for each in header:
        names.setdefault(plain_name(each), each)
    mapping: list[str] = []
    left_out: dict[str, str] = {}
    seconds: dict[str, str] = {}
    for column, target in (export.columns if columns is None else columns).items():
        name, field = names.get(plain_name(column)), _field(f"={target}")
        if name is None or name in own:
            continue
        if field in taken:
            if field in _FILLED_BY_SECOND and field not in map(_field, said):
                seconds.setdefault(field, name)
            continue
        taken |= {field} - {""}
        mapping.append(f"{name}={target}")
        if not target:
            left_out[name] = "Klaviyo has no use for it"
    packed = tuple(_packed_columns(export, names))
    typed = {key: _typed(each) for key, each in export.items.items()}
    if packed:
        items = {key: (key, type) for key, (_, type) in typed.items()}
    else:
        items = {
            key: (names[plain_name(each)], type) for key, (each, type) in typed.items() if plain_name(each) in names
        }
    of_items = packed or [each for each, _ in items.values()]
    of_times = [export.time_of_day] if export.time_of_day else []
    for why, unsent in ((_CONSENT, export.consent.values()), (_ITEM, of_items), (_TIME_OF_DAY, of_times)):
        left_out |= {found: why for each in unsent if (found := names.get(plain_name(each))) and found not in own}
    doubled = {name: base for name in header if (base := _DOUBLED.sub("", name)) != name and base in left_out}
    left_out |= {name: left_out[base] for name, base in doubled.items()}
    mapping += [f"{name}=" for name in left_out if f"{name}=" not in mapping and name not in own]
    order = names.get(plain_name(export.order)) if export.order else None
    consent = {
        channel: names[plain_name(each)] for channel, each in export.consent.items() if plain_name(each) in names
    }
    time_of_day = names.get(plain_name(export.time_of_day)) if export.time_of_day else None
    no_order = {
        name: words for each, words in export.no_order.items() if (name := names.get(plain_name(each))) is not None
    }
    return Matched(export, tuple(mapping), left_out, order, items, consent, packed, time_of_day, no_order, seconds)


def _packed_columns(export: Export, names: Mapping[str, str]) -> Iterator[str]:
    """Yield the columns that hold packed items, given all columns by their plain names."""
    if export.packed:
        yield from (name for plain, name in names.items() if fnmatchcase(plain, plain_name(export.packed.columns)))


def _field(mapping: str) -> str:
    """Return the field that a mapping leads to, without its type."""
    target = mapping.rpartition("=")[2]
    return _typed(target)[0]


def _typed(target: str) -> tuple[str, str]:
    name, colon, type = target.rpartition(":")
    return (name, type) if colon and type in TYPES else (target, "text")


def plain_name(name: str) -> str:
    """Return a column's name without case, invisible characters and repeated blanks."""
    return " ".join(name.strip(INVISIBLE).split()).casefold()
