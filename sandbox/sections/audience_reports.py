"""Reports on forms and segments: values and series, all on one page. The figures are made up."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import filters
from sandbox.records import reports
from sandbox.records.store import Store
from sandbox.sections import reporting

_PLACE = "/data/attributes"

Figures = Callable[[str, datetime], Mapping[str, float]]
"""All statistics of a form or segment in the interval that starts at a time."""


def query_form_values(call: Call) -> Reply:
    """One row for each form, or for each version if grouped by version."""
    return _values(call, _forms(call), reports.form_figures)


def query_form_series(call: Call) -> Reply:
    """One row for each form or version, with a figure for each interval."""
    return _series(call, _forms(call), reports.form_figures)


def query_segment_values(call: Call) -> Reply:
    """One row for each segment."""
    return _values(call, _segments(call.store), reports.segment_figures)


def query_segment_series(call: Call) -> Reply:
    """One row for each segment, with a figure for each interval."""
    return _series(call, _segments(call.store), reports.segment_figures)


def _values(call: Call, rows: Iterator[dict[str, str]], figures: Figures) -> Reply:
    wanted = _statistics(call)
    start, _ = reporting.timeframe(call)
    results = []
    for groupings in _selected(call, rows):
        found = figures(_innermost(groupings), start)
        results.append({"groupings": groupings, "statistics": {name: found[name] for name in wanted}})
    return reporting.report(call, {"results": results}, _links(call))


def _series(call: Call, rows: Iterator[dict[str, str]], figures: Figures) -> Reply:
    wanted = _statistics(call)
    edges = reporting.intervals(call)
    results = []
    for groupings in _selected(call, rows):
        found = [figures(_innermost(groupings), edge) for edge in edges]
        series = {name: [one[name] for one in found] for name in wanted}
        results.append({"groupings": groupings, "statistics": series})
    dates = [edge.isoformat() for edge in edges]
    return reporting.report(call, {"results": results, "date_times": dates}, _links(call))


def _forms(call: Call) -> Iterator[dict[str, str]]:
    grouped = call.attributes.get("group_by") or ["form_id"]
    if "form_id" not in grouped:
        raise invalid("Must be form_id, or form_id and form_version_id.", f"{_PLACE}/group_by")
    for form in call.store.all("form"):
        if len(grouped) == 1:
            yield {"form_id": form.id}
            continue
        for version in form.linked("form-versions"):
            yield {"form_id": form.id, "form_version_id": version}


def _segments(store: Store) -> Iterator[dict[str, str]]:
    return ({"segment_id": segment.id} for segment in store.all("segment"))


def _selected(call: Call, rows: Iterator[dict[str, str]]) -> list[dict[str, str]]:
    """The rows that pass the filter."""
    text = call.attributes.get("filter")
    conditions = filters.parse(text, call.operation.filter) if text else []
    return [row for row in rows if filters.matches(conditions, row.get)]


def _statistics(call: Call) -> list[str]:
    wanted: list[str] = call.attributes["statistics"]
    if not wanted:
        raise invalid("At least one statistic is required.", f"{_PLACE}/statistics")
    return wanted


def _innermost(groupings: dict[str, str]) -> str:
    return next(reversed(groupings.values()))


def _links(call: Call) -> dict[str, Any]:
    return {"self": f"{call.base_url}{call.operation.path}", "next": None, "prev": None}
