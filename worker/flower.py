"""Flower, as it reaches Redis wherever the workers do, hears of them whatever becomes of Redis, and ends when told to.

Flower's own client for its broker page forgets the database of a unix socket, and what an address says about TLS, the
protocol and timeouts. It listens for events ever more rarely the longer Redis is away, and for ever on a connection
whose other side is gone without a word. And it does not end before its threads have given up on Redis, one by one.

It knows nothing of waiting lists either: here its broker page counts them, and pages of ours find their place in it.
Whatever depends on the inside of Flower is in this module.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flower.app
import flower.command
import flower.events
import flower.urls
import flower.views
from flower.options import options
from flower.utils.broker import RedisBase
from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from tornado.template import DictLoader
from tornado.web import RequestHandler, url

from worker.flower_tasks import COLUMNS, REST, WAITING, Look, State, make_format, watch
from worker.governor import get_governor
from worker.governor.backlog import read_backlog
from worker.patience import asking_redis_once
from worker.settings import get_settings

logger = logging.getLogger(__name__)

#: Seconds without an event after which the connection counts as dead, since workers tell every two seconds that they
#: live; and until another one is tried.
SILENT, AGAIN = 30.0, 1.0

#: Seconds after which a thread that reads what waits lets the loop go on that has a page to serve; Python's own 5 ms
#: would be waited for at each step of a request.
HAND_OVER_S = 0.0005


class Events(flower.events.Events):  # type: ignore[misc]
    """What Flower hears, and what it reads of the waiting lists."""

    def start(self) -> None:
        """Begin to hear and to read."""
        super().start()
        watch(_look, lambda seen: self.io_loop.add_callback(self.state.show_waiting, seen))

    def run(self) -> None:
        """Listen, on a new connection whenever nothing comes of the one before."""
        while True:
            try:
                self.listen()
            except TimeoutError:
                logger.debug("No worker was heard for %.0f s; the connection is made anew.", SILENT)
            except Exception as error:
                logger.warning("Events cannot be heard (%s); it is tried again.", error)
                time.sleep(AGAIN)

    def listen(self) -> None:
        """Hand on events for as long as there are any."""
        with self.capp.connection() as connection:
            receiver = flower.events.EventReceiver(connection, handlers={"*": self.on_event}, app=self.capp)
            receiver.capture(limit=None, timeout=SILENT, wakeup=True)


class Broker(RedisBase):  # type: ignore[misc]
    """What Flower asks for the lengths of queues."""

    def __init__(self, url: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(url, *args, **kwargs)
        address = get_settings().redis
        patience = {"socket_connect_timeout": self.socket_connect_timeout, "socket_timeout": self.socket_timeout}
        self.redis = redis.Redis.from_url(address.url, **{**patience, **address.keywords}, retry=Retry(NoBackoff(), 0))

    async def queues(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Count the messages of queues: those that a worker can take, and with them those that wait for room."""
        found = await super().queues(names)
        waiting = await asyncio.get_running_loop().run_in_executor(None, _counted.latest)
        return [
            {**each, "messages": each["messages"] + waiting[each["name"]], "messages_ready": each["messages"]}
            for each in found
        ]


class Counted:
    """How many tasks wait for room in each queue, or for their time: counted when asked, and not again too soon."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = 0.0
        self._found: Counter[str] = Counter()
        self._counting = threading.Lock()

    def latest(self) -> Counter[str]:
        """Return what was counted last.

        Raises:
            redis.RedisError: Redis cannot be asked.

        """
        with self._counting:
            began = self._clock()
            if began >= self._due:
                self._found = count_waiting()
                self._due = self._clock() + REST * (self._clock() - began)
            return self._found


@asking_redis_once()
def count_waiting() -> Counter[str]:
    """Count the tasks that wait for room in each queue, or for their time.

    Raises:
        redis.RedisError: Redis cannot be asked.

    """
    found: Counter[str] = Counter()
    for line in read_backlog(get_governor()):
        found[line.queue] += line.total
    return found


_counted, _look = Counted(), Look()


@dataclass(frozen=True, slots=True)
class Route:
    """Which handler answers an address; ``pattern`` is a regular expression, below Flower's own prefix."""

    pattern: str
    handler: type[RequestHandler]
    arguments: Mapping[str, Any]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages beside Flower's own, with an entry in its navigation bar that leads to the route called ``name``.

    ``templates`` may extend and include those of Flower by their file names.
    """

    title: str
    name: str
    routes: Sequence[Route]
    templates: Mapping[str, str]


class PageHandler(flower.views.BaseHandler):  # type: ignore[misc]
    """A page of ours: with Flower's login, and what its templates need."""

    def set_default_headers(self) -> None:
        """Let no other site read it, as Flower allows wherever its API needs no password."""
        super().set_default_headers()
        self.clear_header("Access-Control-Allow-Origin")

    def check_xsrf_cookie(self) -> None:
        """Take no form but our own: Flower looks at the token only where somebody logs in with OAuth."""
        RequestHandler.check_xsrf_cookie(self)


def templates_with(pages: Pages) -> DictLoader:
    """Return Flower's templates and these; its navigation bar has one more entry, after its own."""
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
            {{% if active_tab == '{pages.name}' %}}aria-current="page"{{% end %}}>{pages.title}</a>
        </li>
"""


def install(at_start: Callable[[], None], pages: Callable[[], Pages]) -> None:
    """Let Flower use such a client, show these pages, and call the first function when it starts."""

    class Flower(flower.app.Flower):  # type: ignore[misc]
        """Flower, which has no signal for its start and no place for other pages."""

        def __init__(self, options: Any = None, **settings: Any) -> None:
            ours = pages()
            super().__init__(options=options, template_loader=templates_with(ours), **settings)
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
    # Before Flower reads its options: what its configuration says comes later, and wins.
    options.tasks_columns = COLUMNS
    options.format_task = make_format(lambda: _look.notes)
    flower.views.Broker = Broker
    flower.command.Flower = Flower
