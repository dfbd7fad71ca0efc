"""The query string: filter, sort, page, include, fields and additional fields, checked for an operation."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from sandbox.errors import ApiError, error, invalid_parameter
from sandbox.operations import Operation, Operations
from sandbox.reading.filters import Condition, parse


@dataclass(slots=True)
class Query:
    """A checked query. `fields` are the sparse fields by type; `additional` the additional fields by type."""

    raw: dict[str, str]
    conditions: list[Condition] = field(default_factory=list)
    sort: str | None = None
    descending: bool = False
    size: int | None = None
    cursor: str | None = None
    include: list[str] = field(default_factory=list)
    fields: dict[str, frozenset[str]] = field(default_factory=dict)
    additional: dict[str, list[str]] = field(default_factory=dict)

    @property
    def listing(self) -> str:
        """Identifies the listing that pages belong to."""
        return f"{self.raw.get('filter', '')} {self.raw.get('sort', '')}"

    def at(self, cursor: str | None) -> str:
        """The same query with another cursor."""
        raw = {name: value for name, value in self.raw.items() if name != "page[cursor]"}
        return urlencode(raw | ({"page[cursor]": cursor} if cursor else {}))


def split_query(query_string: bytes) -> dict[str, str]:
    """The parameters as they were sent. One given several times counts as one comma-separated list."""
    if not query_string:
        return {}
    given = parse_qs(query_string.decode("latin-1"), keep_blank_values=True)
    return {name: ",".join(values) for name, values in given.items()}


def split_list(raw: dict[str, str], name: str) -> list[str]:
    """The values of a comma-separated parameter."""
    return [value for value in raw.get(name, "").split(",") if value]


def parse_query(raw: dict[str, str], operation: Operation, operations: Operations) -> Query:
    """The query; a 400 names the parameter that the operation does not accept."""
    query = Query(raw, size=(operation.page or (None, None))[0] or operation.fixed_page)
    if not raw and not operation.filter_required:
        return query
    _read_filter(query, operation)
    _read_page(query, operation)
    query.sort = raw.get("sort", "").lstrip("-") or None
    query.descending = raw.get("sort", "").startswith("-")
    if query.sort and query.sort not in operation.sort:
        raise _not_allowed("sort", query.sort, operation.sort)
    query.include = split_list(raw, "include")
    for name in query.include:
        if name not in operation.include:
            raise _not_allowed("include", name, operation.include)
    for name in raw:
        kind, _, type = name.rstrip("]").partition("[")
        if kind == "fields":
            query.fields[type] = frozenset(_known_values(raw, name, operations.fields.get(type, frozenset())))
        elif kind == "additional-fields":
            extra = {bucket.partition("=")[2] for bucket in operation.extra if bucket.startswith(name)}
            query.additional[type] = _known_values(raw, name, extra.union(operation.additional.get(type, ())))
    return query


def _read_filter(query: Query, operation: Operation) -> None:
    text = query.raw.get("filter", "").strip()
    if text and not operation.filter:
        raise invalid_parameter("This endpoint takes no filter.", "filter")
    if text:
        query.conditions = parse(text, operation.filter)
    elif operation.filter_required:
        raise invalid_parameter(f"A filter is required. Filterable: {', '.join(operation.filter)}.", "filter")


def _read_page(query: Query, operation: Operation) -> None:
    query.cursor = query.raw.get("page[cursor]") or None
    text = query.raw.get("page[size]")
    if text is None or operation.page is None:
        return
    maximum = operation.page[1]
    if not text.isdecimal() or not 1 <= int(text) <= maximum:
        raise invalid_parameter(f"Page size must be an integer between 1 and {maximum}.", "page[size]")
    query.size = int(text)


def _known_values(raw: dict[str, str], name: str, allowed: frozenset[str] | set[str]) -> list[str]:
    values = split_list(raw, name)
    unknown = [value for value in values if value not in allowed]
    if unknown:
        raise ApiError(400, [error(400, f"'{value}' is not a valid field.", parameter=name) for value in unknown])
    return values


def _not_allowed(parameter: str, value: str, allowed: frozenset[str]) -> ApiError:
    choice = ", ".join(sorted(allowed)) or "nothing"
    return invalid_parameter(f"'{value}' is not a valid {parameter} value. Allowed: {choice}.", parameter)
