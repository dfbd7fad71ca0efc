"""Who wants marketing, and who does not, by the columns of an export that say so: only the rows of those people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import cast

from tasks.imports.cells import tidied
from tasks.imports.countries import country_code
from tasks.imports.exports import Matched
from tasks.imports.orders import Order
from tasks.imports.phones import phone
from tasks.imports.sources import ROWS, Batch, Source
from tasks.imports.values import boolean

#: The kinds of imports that this makes of an export, and what they say.
SAID = {"subscribe": "SUBSCRIBED", "unsubscribe": "UNSUBSCRIBED"}
#: What a column says that says yes in words of its own.
_YES = frozenset(("subscribed", "opted in", "opted-in"))


def channels(matched: Matched, kind: str) -> Mapping[str, str]:
    """The channels of an export, each with the column in which a yes means what this kind says.

    That somebody has not said yes is no withdrawal: only a column of those who said no tells of one.
    """
    wanted = {each: each.startswith("not_") for each in matched.consent}
    return {
        each.removeprefix("not_"): matched.consent[each]
        for each, is_withdrawal in wanted.items()
        if is_withdrawal is (kind == "unsubscribe")
    }


def field_of(channel: str) -> str:
    """The field that holds what is said of a channel."""
    return f"subscriptions.{channel}.marketing.consent"


def consents(source: Source, matched: Matched, kind: str, region: str | None) -> Source:
    """The rows of those who say yes to marketing, or no to it, with a column more for each channel.

    ``region``: the country of phone numbers that do not say theirs, in rows that do not say it either.
    """
    assert source.columns is not None
    columns = source.columns
    told = channels(matched, kind)
    leads = {target.partition(":")[0]: name for name, _, target in (each.rpartition("=") for each in matched.mapping)}
    places = {target: columns.index(name) for target, name in leads.items() if name in columns}
    international = any(each.endswith("=phone_number:international") for each in matched.mapping)

    def rows() -> Iterator[Order]:
        for batch in source.batches():
            for number, row in enumerate(cast(Sequence[Sequence[str]], batch.rows), batch.first):
                cells = [*tidied([*row[: len(columns)], *[""] * (len(columns) - len(row))])]
                _read_phone(cells, places, region, international)
                has = {"email": _cell(cells, places, "email"), "sms": _cell(cells, places, "phone_number")}
                said = [
                    SAID[kind] if has.get(channel) and _says(cells[columns.index(column)]) else ""
                    for channel, column in told.items()
                ]
                if any(said):
                    yield Order([*cells, *said, *row[len(columns) :]], [row], number)

    def batches() -> Iterator[Batch]:
        first, found = 1, rows()
        while block := list(islice(found, ROWS)):
            yield Batch(first, block)
            first += len(block)

    return replace(source, columns=(*columns, *map(field_of, told)), batches=batches)


def _says(cell: str) -> bool:
    """Whether a cell says yes; what is neither yes nor no does not."""
    said = cell.strip().casefold()
    with suppress(ValueError):
        return said in _YES or boolean(said)
    return False


def _cell(cells: Sequence[str], places: Mapping[str, int], field: str) -> str:
    return cells[places[field]].strip() if field in places else ""


def _read_phone(cells: list[str], places: Mapping[str, int], region: str | None, international: bool) -> None:
    """Read the phone number as of the row's own country, which the import of consent does not know."""
    if "phone_number" in places:
        country = country_code(_cell(cells, places, "location.country")) or region
        with suppress(ValueError):  # what cannot be read is turned down later, with the reason
            cells[places["phone_number"]] = phone(cells[places["phone_number"]], country, international)
