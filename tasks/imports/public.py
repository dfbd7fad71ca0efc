"""The imports as application code calls them: one function each, with its own parameters.

All of them take ``rows`` (a path, ``-`` or mappings), ``mapping`` (see `tasks.imports.mapping`), ``fixed`` (fields of
every row that lacks them), ``account``, ``run`` (to resume a run), ``rejects`` (the file for rows that do not land) and
``progress``; return a `Report`; and raise what `tasks.imports.run.run_import` does.

What a file does not show by itself can be given: its ``format``, ``delimiter`` and ``encoding``; as ``export`` a name
from `exports.toml`, or "none"; the ``time_zone`` of times without one and the ``country`` of phone numbers without one;
``dates`` as "day-first" or "month-first", and ``decimals`` as "decimal-comma" or "decimal-point".
With ``clear_empty``, an empty cell removes its column's property.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from tasks.imports.amounts import DecimalMark
from tasks.imports.dates import DayOrder
from tasks.imports.options import Channel, Options
from tasks.imports.report import Report
from tasks.imports.run import Import, Rows, run_import
from tasks.imports.sources import Format
from tasks.jobs.import_runs import Run
from worker.accounts.lookup import DEFAULT
from worker.governor import Lane
from worker.redis.homes import at_home

Mode = Literal["create", "update", "delete", "upsert"]


class Common(TypedDict, total=False):
    """What every import takes."""

    mapping: Sequence[str]
    fixed: Mapping[str, Any]
    account: str
    lane: Lane
    run: str | None
    rejects: Path | None
    format: Format | None
    delimiter: str | None
    encoding: str | None
    export: str | None
    time_zone: str | None
    country: str | None
    dates: DayOrder | None
    decimals: DecimalMark | None
    clear_empty: bool
    progress: Callable[[Run], None]


def _run(
    kind: str, rows: Rows, given: Common, params: Mapping[str, Any] | None = None, channels: Sequence[Channel] = ()
) -> Report:  # fmt: skip
    options = Options(
        mapping=tuple(given.get("mapping", ())),
        fixed=given.get("fixed", {}),
        params={name: value for name, value in (params or {}).items() if value is not None},
        channels=tuple(channels),
        time_zone=given.get("time_zone"),
        country=given.get("country"),
        export=given.get("export"),
        dates=given.get("dates"),
        decimals=given.get("decimals"),
        clear_empty=given.get("clear_empty", False),
    )
    wanted = Import(
        kind, rows, options, given.get("account", DEFAULT), given.get("lane", "bulk"),
        given.get("format"), given.get("delimiter"), given.get("encoding"),
    )  # fmt: skip
    with at_home(wanted.account):
        return run_import(wanted, given.get("run"), given.get("rejects"), given.get("progress", lambda run: None))


def import_profiles(rows: Rows, *, list_ids: Sequence[str] | None = None, **given: Unpack[Common]) -> Report:
    """Create or update people, and add them to lists. Consent does not change: that is `subscribe`."""
    return _run("profiles", rows, given, {"list_ids": list_ids})


def import_events(rows: Rows, *, metric: str | None = None, **given: Unpack[Common]) -> Report:
    """Record what people did, one event a row; ``metric`` is for rows without one.

    A row without a ``unique_id`` gets one that the same row of the same file gets again, so importing a file twice
    doubles nothing.
    """
    fixed = {**({"metric": metric} if metric else {}), **given.pop("fixed", {})}
    return _run("events", rows, {**given, "fixed": fixed})


def import_catalog_items(rows: Rows, *, mode: Mode = "upsert", **given: Unpack[Common]) -> Report:
    """Create, update or delete items; ``upsert`` reads the catalog and sends what is new or different."""
    return _run(f"{mode}_catalog_items", rows, given)


def import_catalog_variants(rows: Rows, *, mode: Mode = "upsert", **given: Unpack[Common]) -> Report:
    """Create, update or delete variants, as `import_catalog_items` does items."""
    return _run(f"{mode}_catalog_variants", rows, given)


def import_catalog_categories(rows: Rows, *, mode: Mode = "upsert", **given: Unpack[Common]) -> Report:
    """Create, update or delete categories, as `import_catalog_items` does items."""
    return _run(f"{mode}_catalog_categories", rows, given)


def import_coupon_codes(rows: Rows, *, coupon_id: str | None = None, **given: Unpack[Common]) -> Report:
    """Create codes; ``coupon_id`` is for rows without one."""
    fixed = {**({"coupon_id": coupon_id} if coupon_id else {}), **given.pop("fixed", {})}
    return _run("coupon_codes", rows, {**given, "fixed": fixed})


def subscribe(
    rows: Rows,
    *,
    list_id: str | None = None,
    channels: Sequence[Channel] = (),
    custom_source: str | None = None,
    historical_import: bool | None = None,
    **given: Unpack[Common],
) -> Report:
    """Record people's consent, by channel. Klaviyo accepts it and never reports the result.

    This reverses unsubscriptions, so a part whose answer was lost is not sent again: its rows are reported as unknown.
    """
    params = {"list_id": list_id, "custom_source": custom_source, "historical_import": historical_import}
    return _run("subscribe", rows, given, params, channels)


def unsubscribe(
    rows: Rows, *, list_id: str | None = None, channels: Sequence[Channel] = (), **given: Unpack[Common]
) -> Report:  # fmt: skip
    """Withdraw people's consent. Without a list, or for people who are not on it, this ends every subscription."""
    return _run("unsubscribe", rows, given, {"list_id": list_id}, channels)


def suppress(rows: Rows, **given: Unpack[Common]) -> Report:
    """Suppress email marketing to these addresses."""
    return _run("suppress", rows, given)


def unsuppress(rows: Rows, **given: Unpack[Common]) -> Report:
    """Lift the suppression of email marketing to these addresses."""
    return _run("unsuppress", rows, given)
