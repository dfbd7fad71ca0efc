"""How a JSON:API resource becomes a row of the store. Pure.

Everything is taken as it comes: a value that is not what its column holds is left out there, and stays in `attributes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

Resource = Mapping[str, Any]
Take = Callable[[Resource], Any]


def text(path: str) -> Take:
    """An attribute as text; ``integration.name`` is one inside of another."""
    return lambda resource: None if (value := _at(resource, path)) is None else str(value)


def flag(path: str) -> Take:
    """An attribute that is true or false."""
    return lambda resource: value if isinstance(value := _at(resource, path), bool) else None


def count(path: str) -> Take:
    """An attribute that is a whole number."""
    return lambda resource: int(value) if _is_number(value := _at(resource, path)) else None


def figure(path: str) -> Take:
    """An attribute that is a number."""
    return lambda resource: float(value) if _is_number(value := _at(resource, path)) else None


def moment(path: str) -> Take:
    """An attribute that is a point in time; Klaviyo's times without an offset are in UTC."""
    return lambda resource: _moment(_at(resource, path))


def day(path: str) -> Take:
    """The day of a point in time, in UTC."""
    return lambda resource: _day(_at(resource, path))


def linked(name: str) -> Take:
    """The id of the one resource that a relationship names."""
    return lambda resource: _linkage(resource).get(name)


def texts(*names: str) -> dict[str, Take]:
    """Columns of text that are called as their attributes."""
    return {name: text(name) for name in names}


def flags(*names: str) -> dict[str, Take]:
    """Columns of true or false that are called as their attributes."""
    return {name: flag(name) for name in names}


def counts(*names: str) -> dict[str, Take]:
    """Columns of whole numbers that are called as their attributes."""
    return {name: count(name) for name in names}


def figures(*names: str) -> dict[str, Take]:
    """Columns of numbers that are called as their attributes."""
    return {name: figure(name) for name in names}


def moments(*names: str) -> dict[str, Take]:
    """Columns of times that are called as their attributes."""
    return {name: moment(name) for name in names}


def attributes(resource: Resource) -> Any:
    """All attributes, as they came."""
    return resource.get("attributes") or {}


def relationships(resource: Resource) -> dict[str, Any] | None:
    """The ids of related resources: one, or a list, by relationship. Only what the page told is there."""
    return _linkage(resource) or None


def related(resource: Resource, name: str) -> list[tuple[str, str]]:
    """The types and ids of the resources that a relationship names, as they stand among what a page includes."""
    data = ((resource.get("relationships") or {}).get(name) or {}).get("data") or []
    return [(each["type"], each["id"]) for each in (data if isinstance(data, list) else [data])]


def _linkage(resource: Resource) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, relationship in (resource.get("relationships") or {}).items():
        match (relationship or {}).get("data"):
            case list(many):
                found[name] = [each["id"] for each in many]
            case dict(one):
                found[name] = one["id"]
    return found


def _at(resource: Resource, path: str) -> Any:
    value: Any = resource.get("attributes")
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _moment(value: Any) -> datetime | None:
    try:
        read = datetime.fromisoformat(value)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _day(value: Any) -> date | None:
    read = _moment(value)
    return read.date() if read else None
