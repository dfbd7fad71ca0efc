"""Flower, changed so that it finds Redis as the workers do, hears them however long Redis was away, and ends when told.

Flower's own client for its broker page forgets the database of a unix socket, and what an address says about TLS, the
protocol and timeouts, and it knows no Sentinels. The longer Redis is away, the more rarely Flower tries to listen for
events; and it listens for ever on a connection whose other side has vanished. And it does not end until its threads
have given up on Redis, one after the other.

Nor does it know of waiting lists: here its broker page counts them, and it gets pages of ours. Whatever depends on
Flower's internals is in this module and, for its page of tasks, in `cli.flower.tasks`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections import ChainMap, Counter
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import flower.app
import flower.command
import flower.events
import flower.urls
import flower.views
from flower.options import options
from flower.utils.broker import RedisBase
from tornado.template import DictLoader
from tornado.web import RequestHandler, url

from cli.flower.tasks import COLUMNS, PAUSE_FACTOR, WAITING, State, WaitingLists, make_format, watch
from worker.governor import get_governor
from worker.governor.backlog import read_backlog
from worker.one_per_process import one_per_redis
from worker.redis.absence import without_those_away
from worker.redis.connection import get_redis
from worker.redis.elsewhere import elsewhere
from worker.redis.homes import ask_each, at_each, gathered
from worker.redis.patience import asking_redis_once

logger = logging.getLogger(__name__)

#: Seconds without an event after which a connection counts as dead, since each worker sends a heartbeat every two; and
#: seconds before the next one is made.
SILENCE_S, RETRY_PAUSE_S = 30.0, 1.0

#: Seconds after which a thread that reads what waits lets the loop go on that has a page to serve; Python's own 5 ms
#: would be waited for at each step of a request.
HAND_OVER_S = 0.0005


class Events(flower.events.Events):  # type: ignore[misc]
    """Flower's events, and what it reads of the waiting lists."""

    def start(self) -> None:
        """Start to listen and to read, at every Redis."""
        super().start()
        at_each(self._begin)

    def _begin(self) -> None:
        watch(get_waiting_lists(), lambda seen: self.io_loop.add_callback(self.state.show_waiting, seen))
        if elsewhere():  # this thread's own listens at this process's Redis
            listen = partial(copy_context().run, self.run)
            threading.Thread(target=listen, name=f"events of {elsewhere()}", daemon=True).start()

    def run(self) -> None:
        """Listen, and connect anew whenever a connection fails or falls silent."""
        while True:
            try:
                self.listen()
            except TimeoutError:
                logger.debug("No worker was heard for %.0f s: connecting anew.", SILENCE_S)
            except Exception as error:
                logger.warning("Events cannot be heard (%s); trying again.", error)
                time.sleep(RETRY_PAUSE_S)

    def listen(self) -> None:
        """Pass events on for as long as they come."""
        with self.capp.connection() as connection:
            receiver = flower.events.EventReceiver(connection, handlers={"*": self.on_event}, app=self.capp)
            receiver.capture(limit=None, timeout=SILENCE_S, wakeup=True)


class Broker(RedisBase):  # type: ignore[misc]
    """Tells Flower the lengths of queues."""

    async def queues(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Count the messages of queues: those that a worker can take now, and those that still wait for room."""
        # Not with the client that Flower makes: it knows neither our timeouts nor Sentinels and clusters.
        return await asyncio.get_running_loop().run_in_executor(None, self.count, list(names))

    def count(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Count them with this process's clients."""
        with without_those_away():  # the Klaviyo page says which those are
            found = ask_each(lambda: self._ready(names)).values()
            waiting = _counted.latest()
        ready = sum((Counter(each) for each in found), Counter[str]())
        return [
            {"name": name, "messages": ready[name] + waiting[name], "messages_ready": ready[name]} for name in names
        ]

    @asking_redis_once()
    def _ready(self, names: Sequence[str]) -> dict[str, int]:
        with get_redis().pipeline(transaction=False) as pipe:
            for name in names:
                for priority in self.priority_steps:
                    pipe.llen(self._q_for_pri(name, priority))
            lengths = iter(pipe.execute())
        return {name: sum(next(lengths) for _ in self.priority_steps) for name in names}


class Counted:
    """How many tasks of each queue wait for room or for their time. Counted on demand, but not too often."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = 0.0
        self._found: Counter[str] = Counter()
        self._counting = threading.Lock()

    def latest(self) -> Counter[str]:
        """Return the last count, or a new one if that is due.

        Raises:
            redis.RedisError: Redis cannot be asked.

        """
        with self._counting:
            began = self._clock()
            if began >= self._due:
                self._found = count_waiting()
                self._due = self._clock() + PAUSE_FACTOR * (self._clock() - began)
            return self._found


@asking_redis_once()
def count_waiting() -> Counter[str]:
    """Count the tasks of each queue that wait for room or for their time.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    found: Counter[str] = Counter()
    for line in gathered(lambda: read_backlog(get_governor())):
        found[line.queue] += line.total
    return found


_counted, get_waiting_lists = Counted(), one_per_redis(WaitingLists)


@dataclass(frozen=True, slots=True)
class Route:
    """An address and its handler; ``pattern`` is a regular expression, below Flower's own prefix."""

    pattern: str
    handler: type[RequestHandler]
    arguments: Mapping[str, Any]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages beside Flower's own. An entry in its navigation bar leads to the route called ``name``.

    ``templates`` may extend and include Flower's by their file names. ``troubles`` returns the number that the entry is
    to show, and what it counts; None where there is nothing.
    """

    title: str
    name: str
    routes: Sequence[Route]
    templates: Mapping[str, str]
    troubles: Callable[[], tuple[str, str] | None]


class PageHandler(flower.views.BaseHandler):  # type: ignore[misc]
    """A page of ours, with Flower's login and whatever its templates need."""

    def set_default_headers(self) -> None:
        """Keep other sites from reading it; Flower lets them wherever its API needs no password."""
        super().set_default_headers()
        self.clear_header("Access-Control-Allow-Origin")

    def check_xsrf_cookie(self) -> None:
        """Accept no form but our own: Flower checks the token only if people log in with OAuth."""
        RequestHandler.check_xsrf_cookie(self)


def templates_with(pages: Pages) -> DictLoader:
    """Return Flower's templates and these, with one more entry at the end of its navigation bar."""
    folder = Path(flower.urls.settings["template_path"])
    known = {path.name: path.read_text("utf-8") for path in folder.glob("*.html")}
    before, end, after = known["navbar.html"].partition("</ul>")
    known["navbar.html"] = f"{before}{_entry(pages)}{end}{after}"
    known["tasks.html"] = _with_waiting(known["tasks.html"], pages.name)
    return DictLoader({**known, **pages.templates})


def _with_waiting(tasks: str, name: str) -> str:
    """Return Flower's page of tasks with a filter for those that wait, and room for the reasons."""
    own = '<button class="task-state-filter" type="button" data-task-state="STARTED"'
    ours = own.replace("STARTED", WAITING) + ' aria-pressed="false">Waiting</button>\n    '
    static, begins = f"{{{{ reverse_url('{name}') }}}}/static", "{% block container %}"
    styled = tasks.replace(begins, f'{begins}\n<link rel="stylesheet" href="{static}/tasks.css">')
    script = f'{{% block extra_scripts %}}<script src="{static}/tasks.js"></script>{{% end %}}'
    return f"{styled.replace(own, ours + own)}\n{script}\n"


def _entry(pages: Pages) -> str:
    return f"""
        <li class="nav-item">
          <a class="nav-link{{% if active_tab == '{pages.name}' %}} active{{% end %}}"
            href="{{{{ reverse_url('{pages.name}') }}}}"
            {{% if active_tab == '{pages.name}' %}}aria-current="page"{{% end %}}>{pages.title}
            {{% set counted = handler.application.troubles() %}}
            {{% if counted %}}
            <span class="badge text-bg-danger" title="{{{{ counted[1] }}}}">{{{{ counted[0] }}}}</span>
            {{% end %}}</a>
        </li>
"""


def install(at_start: Callable[[], None], pages: Callable[[], Pages]) -> None:
    """Make Flower use all this, show these pages, and call ``at_start`` when it starts."""

    class Flower(flower.app.Flower):  # type: ignore[misc]
        """Flower, which by itself has no signal for its start and no place for other pages."""

        def __init__(self, options: Any = None, **settings: Any) -> None:
            ours = pages()
            super().__init__(options=options, template_loader=templates_with(ours), **settings)
            self.troubles = ours.troubles
            self.io_loop.add_callback(ours.troubles)  # when it runs, so that the first page has a count
            prefix = (options.url_prefix or "").strip("/") if options else ""
            below = f"/{prefix}" if prefix else ""
            routes = [
                url(f"{below}{each.pattern}", each.handler, dict(each.arguments), each.name) for each in ours.routes
            ]
            self.add_handlers(".*", routes)

        def start(self) -> None:
            sys.setswitchinterval(HAND_OVER_S)
            at_start()
            try:
                super().start()
            except (KeyboardInterrupt, SystemExit):
                self.stop()
                logging.shutdown()
                # Python would wait for the threads, and these for Redis.
                os._exit(0)

    flower.app.Events = Events
    flower.events.EventsState = State
    # Before Flower reads its configuration, which comes later and wins.
    options.tasks_columns = COLUMNS
    options.format_task = make_format(lambda: ChainMap(*(lists.notes for lists in get_waiting_lists.made())))
    flower.views.Broker = Broker
    flower.command.Flower = Flower
