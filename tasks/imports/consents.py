"""Imports of consent: the rows of an export whose columns say who wants marketing and who does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast, get_args

from tasks.imports.cells import tidy_cells
from tasks.imports.countries import country_code
from tasks.imports.dates import DayOrder, parse_date_or_time
from tasks.imports.exports import Matched
from tasks.imports.orders import Order, batches_of
from tasks.imports.phones import parse_phone
from tasks.imports.sources import Source
from tasks.imports.values import parse_boolean

#: The kinds of imports that are made of an export, each with the consent that it records; suppressing has none.
CONSENT_BY_KIND = {"subscribe": "SUBSCRIBED", "unsubscribe": "UNSUBSCRIBED", "suppress": ""}
#: The prefixes of consent columns in the table of exports, by kind; the channel follows.
_BEGINNINGS = {"unsubscribe": "not_", "suppress": "suppressed_"}
#: Words that mean yes for each kind.
_YES = {
    "subscribe": frozenset(("subscribed", "opted in", "opted-in")),
    "unsubscribe": frozenset(("unsubscribed", "opted out", "opted-out")),
    "suppress": frozenset(("suppressed", "cleaned", "bounced")),
}


def kind_of(said: str) -> str:
    """Return the kind of import for a consent column of the table of exports."""
    return next((kind for kind, beginning in _BEGINNINGS.items() if said.startswith(beginning)), "subscribe")


def consent_columns(matched: Matched, file: str) -> Mapping[str, str | None]:
    """Return the consent columns of an export; None as the column if the file's name says it for every row."""
    for beginning, said in matched.export.files.items():
        if file.casefold().startswith(f"{beginning}_"):
            return {said: None}
    return matched.consent


def channels(matched: Matched, kind: str, file: str) -> Mapping[str, str | None]:
    """Return the channels of an export, each with the column in which a yes means this kind of consent.

    Not having said yes is no withdrawal: only a column of those who said no records one.
    """
    beginning = _BEGINNINGS.get(kind, "")
    columns = consent_columns(matched, file)
    return {name.removeprefix(beginning): column for name, column in columns.items() if kind_of(name) == kind}


def consent_field(channel: str) -> str:
    """Return the field that holds the consent to a channel."""
    return f"subscriptions.{channel}.marketing.consent"


def consent_rows(source: Source, matched: Matched, kind: str, region: str | None) -> Source:
    """Return the rows of those who said yes to marketing, or no, with one more column for each channel.

    ``region``: the country of phone numbers without one, in rows without one.
    """
    assert source.columns is not None
    columns = source.columns
    asked = channels(matched, kind, source.name)
    added = tuple(map(consent_field, asked)) if CONSENT_BY_KIND[kind] else ()
    leads = {target.partition(":")[0]: name for name, _, target in (each.rpartition("=") for each in matched.mapping)}
    places = {target: columns.index(name) for target, name in leads.items() if name in columns}
    international = any(each.endswith("=phone_number:international") for each in matched.mapping)

    def rows() -> Iterator[Order]:
        for batch in source.batches():
            for number, row in enumerate(cast(Sequence[Sequence[str]], batch.rows), batch.first):
                cells = [*tidy_cells([*row[: len(columns)], *[""] * (len(columns) - len(row))])]
                _read_phone(cells, places, region, international)
                has = {"email": _cell(cells, places, "email"), "sms": _cell(cells, places, "phone_number")}
                says = [
                    bool(has.get(channel)) and (column is None or _is_yes(cells[columns.index(column)], kind))
                    for channel, column in asked.items()
                ]
                if any(says):
                    said = [CONSENT_BY_KIND[kind] if each else "" for each in says] if added else []
                    yield Order([*cells, *said, *row[len(columns) :]], [row], number)

    return replace(source, columns=(*columns, *added), batches=lambda: batches_of(rows()))


def _is_yes(cell: str, kind: str) -> bool:
    """Return True if a cell says yes, or gives the date of an unsubscription or suppression."""
    said = cell.strip().casefold()
    with suppress(ValueError):
        return said in _YES[kind] or parse_boolean(said)
    return kind != "subscribe" and any(_is_date(said, order) for order in get_args(DayOrder))


def _is_date(said: str, order: DayOrder) -> bool:
    with suppress(ValueError):
        return bool(said and parse_date_or_time(said, order))
    return False


def _cell(cells: Sequence[str], places: Mapping[str, int], field: str) -> str:
    return cells[places[field]].strip() if field in places else ""


def _read_phone(cells: list[str], places: Mapping[str, int], region: str | None, international: bool) -> None:
    """Read the phone number with the row's own country, which an import of consent does not carry."""
    if "phone_number" in places:
        country = country_code(_cell(cells, places, "location.country")) or region
        with suppress(ValueError):  # what cannot be read is rejected later, with the reason
            cells[places["phone_number"]] = parse_phone(cells[places["phone_number"]], country, international)
