"""Who wants marketing, and who does not, by the columns of an export that say so: only the rows of those people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import cast, get_args

from tasks.imports.cells import tidied
from tasks.imports.countries import country_code
from tasks.imports.dates import Order as DateOrder
from tasks.imports.dates import date_or_time
from tasks.imports.exports import Matched
from tasks.imports.orders import Order
from tasks.imports.phones import phone
from tasks.imports.sources import ROWS, Batch, Source
from tasks.imports.values import boolean

#: The kinds of imports that this makes of an export, and what they say; suppressing says nothing of channels.
SAID = {"subscribe": "SUBSCRIBED", "unsubscribe": "UNSUBSCRIBED", "suppress": ""}
#: How the table of exports begins what is said in a column for a kind; the channel follows.
_BEGINNINGS = {"unsubscribe": "not_", "suppress": "suppressed_"}
#: What a column says, for each kind, that says yes in words of its own.
_YES = {
    "subscribe": frozenset(("subscribed", "opted in", "opted-in")),
    "unsubscribe": frozenset(("unsubscribed", "opted out", "opted-out")),
    "suppress": frozenset(("suppressed", "cleaned", "bounced")),
}


def kind_of(said: str) -> str:
    """The kind of import for what a column says, as the table of exports names it."""
    return next((kind for kind, beginning in _BEGINNINGS.items() if said.startswith(beginning)), "subscribe")


def told_by(matched: Matched, file: str) -> Mapping[str, str | None]:
    """What an export says of consent, and in which column: None where the name of the file says it of every row."""
    for beginning, said in matched.export.files.items():
        if file.casefold().startswith(f"{beginning}_"):
            return {said: None}
    return matched.consent


def channels(matched: Matched, kind: str, file: str) -> Mapping[str, str | None]:
    """The channels of an export, each with the column in which a yes means what this kind says.

    That somebody has not said yes is no withdrawal: only a column of those who said no tells of one.
    """
    beginning = _BEGINNINGS.get(kind, "")
    told = told_by(matched, file)
    return {said.removeprefix(beginning): column for said, column in told.items() if kind_of(said) == kind}


def field_of(channel: str) -> str:
    """The field that holds what is said of a channel."""
    return f"subscriptions.{channel}.marketing.consent"


def consents(source: Source, matched: Matched, kind: str, region: str | None) -> Source:
    """The rows of those who say yes to marketing, or no to it, with a column more for each channel.

    ``region``: the country of phone numbers that do not say theirs, in rows that do not say it either.
    """
    assert source.columns is not None
    columns = source.columns
    told = channels(matched, kind, source.name)
    added = tuple(map(field_of, told)) if SAID[kind] else ()
    leads = {target.partition(":")[0]: name for name, _, target in (each.rpartition("=") for each in matched.mapping)}
    places = {target: columns.index(name) for target, name in leads.items() if name in columns}
    international = any(each.endswith("=phone_number:international") for each in matched.mapping)

    def rows() -> Iterator[Order]:
        for batch in source.batches():
            for number, row in enumerate(cast(Sequence[Sequence[str]], batch.rows), batch.first):
                cells = [*tidied([*row[: len(columns)], *[""] * (len(columns) - len(row))])]
                _read_phone(cells, places, region, international)
                has = {"email": _cell(cells, places, "email"), "sms": _cell(cells, places, "phone_number")}
                says = [
                    bool(has.get(channel)) and (column is None or _says(cells[columns.index(column)], kind))
                    for channel, column in told.items()
                ]
                if any(says):
                    said = [SAID[kind] if each else "" for each in says] if added else []
                    yield Order([*cells, *said, *row[len(columns) :]], [row], number)

    def batches() -> Iterator[Batch]:
        first, found = 1, rows()
        while block := list(islice(found, ROWS)):
            yield Batch(first, block)
            first += len(block)

    return replace(source, columns=(*columns, *added), batches=batches)


def _says(cell: str, kind: str) -> bool:
    """Whether a cell says yes, or since when somebody is not to be written to; anything else does not."""
    said = cell.strip().casefold()
    with suppress(ValueError):
        return said in _YES[kind] or boolean(said)
    return kind != "subscribe" and any(_is_date(said, order) for order in get_args(DateOrder))


def _is_date(said: str, order: DateOrder) -> bool:
    with suppress(ValueError):
        return bool(said and date_or_time(said, order))
    return False


def _cell(cells: Sequence[str], places: Mapping[str, int], field: str) -> str:
    return cells[places[field]].strip() if field in places else ""


def _read_phone(cells: list[str], places: Mapping[str, int], region: str | None, international: bool) -> None:
    """Read the phone number as of the row's own country, which the import of consent does not know."""
    if "phone_number" in places:
        country = country_code(_cell(cells, places, "location.country")) or region
        with suppress(ValueError):  # what cannot be read is turned down later, with the reason
            cells[places["phone_number"]] = phone(cells[places["phone_number"]], country, international)
