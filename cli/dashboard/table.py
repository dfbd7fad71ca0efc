"""A tab's table: its columns, and the rows that a visitor searched for, in the wanted order, page by page. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from rich.text import Text

from cli.terminal.times import duration

R = TypeVar("R")

#: Rows of one page.
PAGE_ROWS = 50

#: Bootstrap's class for each colour of the commands.
_TONES = {
    "red": "text-danger",
    "yellow": "text-warning",
    "green": "text-success",
    "cyan": "text-info",
    "dim": "text-body-secondary",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """So much of a limit or of a whole. ``tone`` is a class of Bootstrap's, or empty."""

    value: float
    limit: float
    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell shows. ``link`` leads to another page of ours, by its path below theirs.

    ``whole``: the whole text, where a part of it is left out.
    """

    text: str = ""
    tone: str = ""
    bars: tuple[Bar, ...] = ()
    link: str = ""
    whole: str = ""


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """One column: its title, what a row shows in it, and what rows are sorted by (None comes last).

    ``minor``: it is left out where a window is narrow.
    """

    title: str
    cell: Callable[[R], Cell]
    key: Callable[[R], Any]
    number: bool = False
    minor: bool = False

    @property
    def name(self) -> str:
        """The column's name in an address."""
        return self.title.replace(" ", "-").lower()


@dataclass(frozen=True, slots=True)
class Reading(Generic[R]):
    """A tab's rows at one moment, the most urgent first, the sentences that belong above them, and a summary.

    ``waited_s``: the seconds for which a Redis that is away was waited for in vain.
    """

    rows: Sequence[R]
    notes: Sequence[str] = ()
    summary: Sequence[Cell] = ()
    waited_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Tab(Generic[R]):
    """One tab. ``words`` are what a search looks in, ``empty`` is the sentence that stands for no rows at all.

    ``read`` asks Redis or the store, and may take its time. ``refresh``, if there is one, reads again the few rows that
    are about to be shown. ``everywhere``: it is read at one Redis after the other, where there are several, and
    then the rows of all are sorted by ``order``. ``troubles``: how much of a row needs attention, which the
    tab's title counts, and ``counted`` says what those are. ``legend``: what titles of columns mean.
    """

    title: str
    read: Callable[[], Reading[R]]
    columns: Sequence[Column[R]]
    words: Callable[[R], str]
    empty: str
    refresh: Callable[[Sequence[R]], Sequence[R]] | None = None
    everywhere: bool = False
    order: Callable[[R], Any] | None = None
    troubles: Callable[[R], int] | None = None
    counted: str = ""
    legend: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The tab's name in an address."""
        return self.title.lower()


@dataclass(frozen=True, slots=True)
class Query:
    """What a visitor asked for. ``sort`` is the name of a column, or empty for the order of the reading."""

    search: str = ""
    sort: str = ""
    descending: bool = False
    page: int = 1

    @classmethod
    def parse(cls, arguments: Mapping[str, str]) -> Query:
        """Read an address; whatever makes no sense counts as not given."""
        page = arguments.get("page", "")
        return cls(
            search=arguments.get("search", "").strip(),
            sort=arguments.get("sort", "").removeprefix("-"),
            descending=arguments.get("sort", "").startswith("-"),
            page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 10 else 1,
        )

    def address(self, **changed: Any) -> str:
        """Return the query string of this, or of this with something ``changed``."""
        wanted = replace(self, **changed)
        given = {
            "search": wanted.search,
            "sort": f"{'-' if wanted.descending else ''}{wanted.sort}" if wanted.sort else "",
            "page": str(wanted.page) if wanted.page > 1 else "",
        }
        return "?" + urlencode({name: value for name, value in given.items() if value})


@dataclass(frozen=True, slots=True)
class Header:
    """A column's title; ``order`` is how it is sorted now, as ARIA has it, and ``address`` sorts by it.

    ``minor`` as in `Column`; ``hint`` says what it means, where the title does not.
    """

    title: str
    number: bool
    order: str
    address: str
    minor: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """The rows of one page. ``found`` of ``total`` rows are on ``pages`` pages."""

    query: Query
    rows: Sequence[R]
    found: int
    total: int
    pages: int


@dataclass(frozen=True, slots=True)
class View(Page[Sequence[Cell]]):
    """A page that is ready to be shown."""

    headers: Sequence[Header]


def arrange(tab: Tab[R], rows: Sequence[R], query: Query) -> Sequence[R]:
    """Return the rows that were searched for, in the wanted order."""
    found = _matching(tab, rows, query.search)
    if column := next((each for each in tab.columns if each.name == query.sort), None):
        return _sorted(found, column.key, query.descending)
    return found


def count_pages(rows: int) -> int:
    """Return on how many pages so many rows are; no rows have one, too."""
    return max(1, -(-rows // PAGE_ROWS))


def choose(found: Sequence[R], total: int, query: Query) -> Page[R]:
    """Return the page that was asked for, of so many found of a total; a page beyond the last one is the last."""
    pages = count_pages(len(found))
    query = replace(query, page=min(query.page, pages))
    shown = found[(query.page - 1) * PAGE_ROWS : query.page * PAGE_ROWS]
    return Page(query, shown, len(found), total, pages)


def lay_out(tab: Tab[R], page: Page[R]) -> View:
    """Return a page as it is shown: nothing is made of the rows that are on others."""
    cells = [[each.cell(row) for each in tab.columns] for row in page.rows]
    headers = [replace(_header(each, page.query), hint=tab.legend.get(each.title, "")) for each in tab.columns]
    return View(page.query, cells, page.found, page.total, page.pages, headers)


def _matching(tab: Tab[R], rows: Sequence[R], search: str) -> Sequence[R]:
    wanted = search.casefold().split()
    if not wanted:
        return rows
    texts = (tab.words(row).casefold() for row in rows)
    return [row for row, text in zip(rows, texts, strict=True) if all(word in text for word in wanted)]


def _sorted(rows: Iterable[R], key: Callable[[R], Any], descending: bool) -> list[R]:
    keyed = [(key(row), row) for row in rows]
    known = sorted((each for each in keyed if each[0] is not None), key=lambda each: each[0], reverse=descending)
    return [row for _, row in known] + [row for value, row in keyed if value is None]


def _header(column: Column[Any], query: Query) -> Header:
    chosen = column.name == query.sort
    # Of numbers, the largest are wanted first.
    descending = not query.descending if chosen else column.number
    order = ("descending" if query.descending else "ascending") if chosen else "none"
    address = query.address(sort=column.name, descending=descending, page=1)
    return Header(column.title, column.number, order, address, column.minor)


def text_column(title: str, value: Callable[[R], str]) -> Column[R]:
    """Make a column of plain words."""
    return Column(title, lambda row: Cell(value(row) or "-"), value)


def count_column(
    title: str, value: Callable[[R], int | None], tone: str = "", link: Callable[[R], str] = lambda row: ""
) -> Column[R]:
    """Make a column of whole numbers; zero and None are shown as a dash, another one leads to what was counted."""

    def cell(row: R) -> Cell:
        count = value(row)
        return Cell(f"{count:,}", tone, link=link(row)) if count else Cell("-")

    return Column(title, cell, value, number=True)


def time_column(title: str, value: Callable[[R], float | None]) -> Column[R]:
    """Make a column of Unix times, in the zone that the page names; None is shown as a dash."""
    return Column(title, lambda row: Cell(clock_or_date(value(row)), "text-nowrap"), value)


def clock_or_date(value: float | None) -> str:
    """Return a Unix time as a page shows it: the time of day, after the date where that is not today's."""
    if value is None:
        return "-"
    there, today = datetime.fromtimestamp(value).astimezone(), datetime.now().astimezone().date()
    return f"{there:%H:%M:%S}" if there.date() == today else f"{there:%Y-%m-%d %H:%M}"


def duration_column(title: str, value: Callable[[R], float | None]) -> Column[R]:
    """Make a column of seconds."""
    return Column(title, lambda row: Cell(duration(value(row))), value, number=True)


def styled_column(title: str, value: Callable[[R], Text]) -> Column[R]:
    """Make a column of words in the colours of the commands."""
    return Column(title, lambda row: styled(value(row)), lambda row: value(row).plain)


def styled(text: Text) -> Cell:
    """Return a text in the colours of the commands as a cell."""
    return Cell(text.plain or "-", _TONES.get(str(text.style), ""))


def with_failures(state: Text, failed: int) -> Text:
    """Return a state with how many failed, where it says ``complete`` alone."""
    return Text(f"complete, {failed:,} failed", state.style) if failed and state.plain == "complete" else state


def page_of(tab: str, id: str) -> str:
    """Return where the page of one job, import or group is, whatever signs its id has."""
    return f"{tab}/{quote(id, safe='')}"


def minor(column: Column[R]) -> Column[R]:
    """Return a column that is left out where a window is narrow."""
    return replace(column, minor=True)
