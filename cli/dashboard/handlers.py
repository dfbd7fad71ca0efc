"""What answers the requests for the Klaviyo pages, behind Flower's login."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

from tornado.escape import xhtml_escape
from tornado.web import HTTPError, RequestHandler, StaticFileHandler, authenticated

from cli.dashboard import accounts, failures, imports, jobs, limits, schedules, syncs, waiting
from cli.dashboard.snapshots import INTERVAL_S, Snapshots, explain_failure
from cli.dashboard.table import Query, Tab, choose, lay_out
from cli.flower.extension import PageHandler, Pages, Route
from cli.flower.tasks import TASKS_PER_END
from cli.metrics.endpoint import Latest, MetricsHandler, collect

_COMMAND = re.compile(r"`([^`]+)`")

#: Names and paths that have no blank, and where they may be broken.
_LONG_NAME, _PARTING = re.compile(r"[\w/]{21,}"), re.compile(r"[_/]")

#: In the order in which they are shown; the first is where the navigation bar leads to.
TABS: Sequence[Tab[Any]] = (
    limits.TAB, failures.TAB, jobs.TAB, imports.TAB, syncs.TAB, schedules.TAB, accounts.TAB,
)  # fmt: skip

#: Nothing but what this very server sends may run, or be shown; a theme's icons are in Flower's style sheets.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def to_html(text: str) -> str:
    """Return a text as HTML: what stands between backticks is to be typed, and long names break between their parts."""
    marked = _COMMAND.sub(r"<code>\1</code>", xhtml_escape(text))
    return _LONG_NAME.sub(lambda found: _PARTING.sub(r"\g<0><wbr>", found[0]), marked)


class KlaviyoHandler(PageHandler):
    """What the pages have in common."""

    def initialize(self, snapshots: Snapshots) -> None:
        """Take what all visitors share."""
        self.snapshots = snapshots

    def set_default_headers(self) -> None:
        """Let no script from elsewhere run, and nothing of what was shown be cached."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Cache-Control", "no-store")

    async def show(self, template: str, **shown: Any) -> None:
        """Answer with a page."""
        troubles = await self.snapshots.troubles(TABS)
        base = self.reverse_url("klaviyo")
        also = elsewhere(troubles, shown["tab"])
        self.render(template, base=base, tabs=TABS, troubles=troubles, also=also, marked=to_html, **shown)


class TabHandler(KlaviyoHandler):
    """One tab; with ``part=table``, its table alone, which the page asks for again and again."""

    @authenticated
    async def get(self, name: str | None = None) -> None:
        """Show a tab."""
        tab = next((each for each in TABS if each.name == (name or TABS[0].name)), None)
        if tab is None:
            raise HTTPError(404)
        query = Query.parse({each: self.get_query_argument(each, "") for each in ("search", "sort", "page")})
        snapshot = await self.snapshots.latest(tab)
        found, failure = snapshot.arranged(tab, query), snapshot.failure
        page = choose(found, len(snapshot.reading.rows), query)
        if tab.refresh and page.rows:
            try:
                rows = await asyncio.get_running_loop().run_in_executor(None, tab.refresh, page.rows)
                page = replace(page, rows=rows)
            except Exception as error:
                failure = explain_failure(error)
        made = f"{datetime.fromtimestamp(snapshot.made).astimezone():%H:%M:%S %Z}" if snapshot.made else None
        await self.show(
            "klaviyo_table.html" if self.get_query_argument("part", "") == "table" else "klaviyo.html",
            tab=tab,
            view=lay_out(tab, page),
            notes=snapshot.reading.notes,
            summary=snapshot.reading.summary,
            failure=failure,
            made=made,
            interval=INTERVAL_S,
        )


class DetailHandler(KlaviyoHandler):
    """One of what a tab has rows of."""

    tab: ClassVar[Tab[Any]]
    #: Reads it by its id; None if there is none.
    read: ClassVar[staticmethod[[str], Any]]
    #: What is said where there is none.
    missing: ClassVar[str]

    @authenticated
    async def get(self, id: str) -> None:
        """Show it."""
        template = f"klaviyo_{self.tab.name.removesuffix('s')}.html"
        try:
            found = await asyncio.get_running_loop().run_in_executor(None, self.read, id)
        except Exception as error:
            self.set_status(503)
            await self.show(template, tab=self.tab, found=None, failure=explain_failure(error))
            return
        if found is None:
            self.set_status(404)
        await self.show(template, tab=self.tab, found=found, failure="" if found else self.missing)


class WaitingHandler(KlaviyoHandler):
    """The tasks that wait for a bucket; with ``part=table``, without what surrounds them, as of a tab."""

    @authenticated
    async def get(self, line: str) -> None:
        """Show a page of a lane."""
        lane = next((each for each in waiting.LANES if each == self.get_query_argument("lane", "now")), None)
        if lane is None:
            raise HTTPError(404)
        page = Query.parse({"page": self.get_query_argument("page", "")}).page
        known = await self.snapshots.latest(limits.TAB)
        limit = next((each for each in known.reading.rows if each.row.name == line), None)
        found, failure = None, known.failure
        if limit is not None:
            try:
                found = await asyncio.get_running_loop().run_in_executor(None, waiting.read_anew, limit, lane, page)
            except Exception as error:
                self.set_status(503)
                failure = explain_failure(error)
        elif not failure:
            self.set_status(404)
            failure = "There is no such bucket: nothing has been asked of it yet."
        await self.show(
            "klaviyo_line.html" if self.get_query_argument("part", "") == "table" else "klaviyo_waiting.html",
            tab=limits.TAB,
            found=found,
            failure=failure,
            linked=TASKS_PER_END,
            interval=INTERVAL_S,
        )


class JobHandler(DetailHandler):
    """One job, with Klaviyo's errors."""

    tab, read = jobs.TAB, staticmethod(jobs.read_job)
    missing = "There is no such job: its id is wrong, or it ended over a week ago."


class ImportHandler(DetailHandler):
    """One import, with the reasons why rows have not landed."""

    tab, read = imports.TAB, staticmethod(imports.read_import)
    missing = "There is no such import: its id is wrong, or it ended over two weeks ago."


class GroupHandler(KlaviyoHandler):
    """One group of failures, which can be repeated and dropped here."""

    @authenticated
    async def get(self, id: str) -> None:
        """Show a group."""
        await self._answer(id)

    @authenticated
    async def post(self, id: str) -> None:
        """Repeat or drop its tasks, for a visitor who was shown the page: a form from elsewhere has no token."""
        deed = self.get_body_argument("deed", "")
        if deed == "replay":
            await self._answer(id, failures.replay_group, id, self.get_body_argument("yes-again", "") == "yes")
        elif deed == "drop":
            await self._answer(id, failures.drop_group, id)
        else:
            raise HTTPError(400)

    async def _answer(self, id: str, do: Callable[..., list[str]] | None = None, *given: Any) -> None:
        """Answer with the page, after doing what was asked for, and what there is to say of that."""
        said: list[str] = []
        try:
            if do:
                said = await self._in_thread(do, *given)
                # Whoever looks at the list next sees what has changed.
                self.snapshots.forget(failures.TAB)
            group = await self._in_thread(failures.read_group, id)
        except Exception as error:
            self.set_status(503)
            await self.show(
                "klaviyo_failures.html", tab=failures.TAB, group=None, said=said, failure=explain_failure(error)
            )
            return
        if group is None and not said:
            self.set_status(404)
        missing = "" if group or said else failures.GONE
        await self.show("klaviyo_failures.html", tab=failures.TAB, group=group, said=said, failure=missing)

    async def _in_thread(self, work: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, work, *given)


class SlashHandler(RequestHandler):
    """An address of ours with a slash at its end, as many people type it."""

    def get(self) -> None:
        """Lead to the page."""
        page, query = self.request.path.rstrip("/"), self.request.query
        self.redirect(f"{page}?{query}" if query else page, permanent=True)


def summarize(troubles: Mapping[str, int]) -> tuple[str, str] | None:
    """Return how many troubles there are, and how many of each tab; None if there are none."""
    counts = [count_in_words(title, count) for title, count in troubles.items() if count]
    return (f"{sum(troubles.values()):,}", ", ".join(counts)) if counts else None


def elsewhere(troubles: Mapping[str, int], tab: Tab[Any]) -> list[tuple[str, str]]:
    """Return how many troubles each other tab has, in words, and its name; none of tabs without any."""
    return [
        (count_in_words(each.title, troubles[each.title]), each.name)
        for each in TABS
        if each.title != tab.title and troubles.get(each.title)
    ]


def count_in_words(title: str, count: int) -> str:
    """Return ``1 job`` or ``3 jobs``, by the title of the tab."""
    return f"{count:,} {title.lower() if count != 1 else title.lower().removesuffix('s')}"


def pages() -> Pages:
    """Return the Klaviyo pages, as Flower is to serve them."""
    here = resources.files(__package__)
    templates = Path(str(here)) / "templates"
    snapshots = Snapshots()
    shared = {"snapshots": snapshots}
    return Pages(
        title="Klaviyo",
        name="klaviyo",
        routes=(
            Route("/klaviyo/static/(.*)", StaticFileHandler, {"path": str(here / "static")}),
            Route("/klaviyo/jobs/([^/]+)", JobHandler, shared),
            Route("/klaviyo/imports/([^/]+)", ImportHandler, shared),
            Route("/klaviyo/failures/([^/]+)", GroupHandler, shared),
            Route("/klaviyo/waiting/([^/]+)", WaitingHandler, shared),
            Route("/klaviyo/metrics", MetricsHandler, {"latest": Latest(collect)}),
            Route("/klaviyo/([a-z]+)", TabHandler, shared),
            Route("/klaviyo", TabHandler, shared, "klaviyo"),
            Route("/klaviyo/(?:.*/)?", SlashHandler, {}),
        ),
        templates={path.name: path.read_text("utf-8") for path in templates.glob("*.html")},
        troubles=lambda: summarize(snapshots.known_troubles(TABS)),
    )
