"""What worker, beat and Flower log: one line an event, for people or as JSON, and nobody's data in it.

The loggers are those of the standard library, so that the lines of Celery, kombu, Tornado and our own modules all end
here: structlog gives each line its fields and writes it. The fields come from the task that the thread carries out,
from the error that is being handled, and from the call's own ``extra=``. A line below the level costs nothing, since
all of this happens after the level was checked.
"""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Collection
from typing import Any

import orjson
import structlog
from celery._state import get_current_task
from celery.app import log
from structlog.contextvars import merge_contextvars
from structlog.processors import JSONRenderer, TimeStamper, format_exc_info
from structlog.typing import EventDict

from worker.account_and_lane import LANES, TASK_PREFIX, place_of
from worker.accounts.lookup import DEFAULT
from worker.errors import KlaviyoError
from worker.message_headers import ATTEMPT
from worker.settings import get_settings
from worker.telemetry.masking import mask_field, mask_line
from worker.telemetry.result_summary import current_summary

#: The names of this machine and of this worker's host: what follows the @ in a worker's name.
HOSTS = {socket.gethostname(), "localhost"}

#: Fields whose values are never anybody's data; now and then an id looks like a phone number.
OURS = frozenset({"timestamp", "level", "logger", "task_id", "account", "action", "lane", "klaviyo_error_id"})

#: What `extra=` may hold, in the order of a line's fields.
EXTRAS = ("account", "action", "task_id", "lane", "attempt", "status", "klaviyo_error_id")

#: Celery's loggers that name the workers of other machines, and nothing else.
NODES = frozenset({"celery.worker.consumer.gossip", "celery.worker.consumer.mingle"})


class Logging(log.Logging):  # type: ignore[misc,unused-ignore]
    """Celery's, with our formatter in every handler. Celery's options for level and file keep their meaning."""

    def setup(self, *args: Any, **options: Any) -> Any:
        """Set up logging for a process; ``hostname`` is the worker's name, which is no email address."""
        if hostname := options.get("hostname"):
            HOSTS.add(hostname.partition("@")[2])
        return super().setup(*args, **options)

    def setup_handlers(
        self, logger: logging.Logger, logfile: Any, format: str, colorize: bool, formatter: Any = None, **_: Any
    ) -> logging.Logger:
        """Give a logger a handler, unless it has one."""
        if not self._is_configured(logger):  # type: ignore[attr-defined]
            handler = self._detect_handler(logfile)  # type: ignore[attr-defined]
            handler.setFormatter(make_formatter(get_settings().log_format, colorize))
            logger.addHandler(handler)
        return logger


def reformat_root() -> None:
    """Give the handlers that Flower has set up our formatter."""
    for handler in logging.getLogger().handlers:
        colours = bool(getattr(handler, "stream", None) and handler.stream.isatty())  # type: ignore[attr-defined]
        handler.setFormatter(make_formatter(get_settings().log_format, colours))


def make_formatter(style: str, colours: bool = False) -> logging.Formatter:
    """Return a formatter that writes each record as one line; a traceback follows it, or is a field of its JSON."""
    render: Any = JSONRenderer(_as_json) if style == "json" else Console(colours)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[add_origin, _TIME, merge_contextvars, add_task, add_error, add_extras],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, format_exc_info, mask, render],
    )


_TIME = TimeStamper(fmt="iso", utc=True)


def add_origin(_: Any, __: str, event: EventDict) -> EventDict:
    """Add level and logger."""
    record = event["_record"]
    event["level"], event["logger"] = record.levelname.lower(), record.name
    return event


def add_task(_: Any, __: str, event: EventDict) -> EventDict:
    """Add the task that a line is about: the one that Celery names, else the one that this thread carries out."""
    data = getattr(event["_record"], "data", None)
    if isinstance(data, dict) and "id" in data:
        event["action"], event["task_id"] = str(data.get("name")).removeprefix(TASK_PREFIX), data["id"]
        if "return_value" in data and (summary := current_summary()):
            event["event"] = f"Task {data['name']}[{data['id']}] succeeded in {data['runtime']:.3f} s: {summary}"
    task = get_current_task()
    if task is not None and task.request.id:
        request = task.request
        place = place_of(request)
        about = {
            "account": place.account or DEFAULT,
            "action": str(task.name).removeprefix(TASK_PREFIX),
            "task_id": request.id,
            "lane": place.lane if place.lane != LANES[0] else None,
            "attempt": request.get(ATTEMPT),
        }
        event.update({name: value for name, value in about.items() if value})
    return event


def add_error(_: Any, __: str, event: EventDict) -> EventDict:
    """Add what the error that is being handled, if it is one of ours, says of the failed request."""
    error = sys.exc_info()[1]
    if isinstance(error, KlaviyoError):
        for field, name in (("account", "account"), ("action", "action"), ("status", "status")):
            if value := getattr(error, name, None):
                event[field] = value
        if found := getattr(error, "error_id", None):
            event["klaviyo_error_id"] = found
    return event


def add_extras(_: Any, __: str, event: EventDict) -> EventDict:
    """Add the fields of the call's ``extra=``."""
    said = vars(event["_record"])
    for name in EXTRAS:
        if name in said:
            event[name] = said[name]
    return event


def mask(_: Any, __: str, event: EventDict) -> EventDict:
    """Mask people's data and keys in every field, whoever has logged them."""
    hosts: Collection[str] = HOSTS
    if event.get("logger") in NODES:
        hosts = {part.partition("@")[2].strip(".,") for part in str(event["event"]).split() if "@" in part}
    for name, value in event.items():
        if name not in OURS:
            event[name] = mask_line(value, hosts) if type(value) is str else mask_field(name, value, hosts)
    return event


#: The colour of a level, as terminals have it.
_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "31;1"}


class Console:
    """Writes a line for people: the sentence, then the fields that it does not mention."""

    def __init__(self, colours: bool) -> None:
        self._colours = colours

    def __call__(self, _: Any, __: str, event: EventDict) -> str:
        """Return the line; a traceback follows it."""
        time, level, sentence = event.pop("timestamp"), event.pop("level"), str(event.pop("event"))
        event.pop("logger", None)
        trace = "".join(f"\n{event.pop(name)}" for name in ("stack", "exception") if event.get(name))
        named = " ".join(
            f"{name}={value}" for name, value in event.items() if not (isinstance(value, str) and value in sentence)
        )
        shown = f"{level:<8}"
        if self._colours:
            shown, named = f"\033[{_COLOURS.get(level, '0')}m{shown}\033[0m", f"\033[2m{named}\033[0m" if named else ""
        return f"{time} {shown} {sentence}{'  ' if named else ''}{named}{trace}"


def _as_json(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
