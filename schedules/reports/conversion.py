"""Which metric's events count as conversions."""

from __future__ import annotations

from sqlalchemy import select

from schedules.store import tables
from schedules.store.connection import reading
from tasks.metrics import get_metrics
from worker.accounts.lookup import account as account_of
from worker.api.paging import attributes
from worker.errors import SettingsError
from worker.settings import get_settings


def conversion_metric(account: str) -> tuple[str, str]:
    """Return the id and the name of the metric whose events are conversions: from the store or, failing that, Klaviyo.

    Of several metrics with this name, the one that was updated last.

    Raises:
        SettingsError: there is none.

    """
    wanted = account_of(get_settings(), account).conversion_metric
    c = tables.metrics.c
    stored = (
        select(c.id, c.name).where(c.account == account, c.deleted_at.is_(None)).order_by(c.updated.desc().nulls_last())
    )
    with reading() as connection:
        known = [(row.id, row.name) for row in connection.execute(stored)]
    if found := _meant(wanted, known):
        return found
    listed = [each for page in get_metrics.on(account, lane="bulk").pages() for each in page["data"]]
    listed.sort(key=lambda each: str(attributes(each).get("updated") or ""), reverse=True)
    if found := _meant(wanted, [(each["id"], str(attributes(each).get("name"))) for each in listed]):
        return found
    variable = account_of(get_settings(), account).variable("CONVERSION_METRIC")
    raise SettingsError(f"account {account!r} has no metric {wanted!r}: set {variable} to a metric's name or id")


def _meant(wanted: str, metrics: list[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the metric with this id or, failing that, the first with this name: several systems may have made one."""
    return next((each for place in (0, 1) for each in metrics if each[place] == wanted), None)
