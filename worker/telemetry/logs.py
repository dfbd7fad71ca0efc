"""What worker, beat and Flower log: one line an event, for people or as JSON, and nobody's data in it.

Loggers stay those of the standard library, so that Celery, kombu, Tornado and our own modules all end here: structlog
gives each line its fields and writes it. What a line is about comes from the task that the thread carries out, from the
error that is being handled, and from ``extra=`` of whoever logs. A line that nobody wants costs nothing: all of this
happens after the level was looked at.
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

from worker.account_and_lane import LANES, PREFIX, place_of
from worker.accounts.lookup import DEFAULT
from worker.errors import KlaviyoError
from worker.message_headers import ATTEMPT
from worker.settings import get_settings
from worker.telemetry.masking import mask_field, mask_line
from worker.telemetry.result_summary import current_summary

#: The names of this machine and of this worker's host: what stands after the @ in a worker's name.
HOSTS = {socket.gethostname(), "localhost"}

#: Fields whose values are ours and nobody's data; ids look like phone numbers now and then.
OURS = frozenset({"timestamp", "level", "logger", "task_id", "account", "action", "lane", "klaviyo_error_id"})

#: What `extra=` may say, in the order in which a line has it.
EXTRAS = ("account", "action", "task_id", "lane", "attempt", "status", "klaviyo_error_id")

#: Celery's loggers that tell of other machines' workers by their names, and of nothing else.
NODES = frozenset({"celery.worker.consumer.gossip", "celery.worker.consumer.mingle"})


class Logging(log.Logging):  # type: ignore[misc,unused-ignore]
    """Celery's, with our formatter at every handler: its options for level and file mean what they do in Celery."""

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
    """Let what Flower has set up for itself write as the others do."""
    for handler in logging.getLogger().handlers:
        colours = bool(getattr(handler, "stream", None) and handler.stream.isatty())  # type: ignore[attr-defined]
        handler.setFormatter(make_formatter(get_settings().log_format, colours))


def make_formatter(style: str, colours: bool = False) -> logging.Formatter:
    """Return what writes a record of any logger as one line; a traceback follows it, or is a field of its JSON."""
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
    """Add which task a line is about: the one that Celery names, else the one that this thread carries out."""
    told = getattr(event["_record"], "data", None)
    if isinstance(told, dict) and "id" in told:
        event["action"], event["task_id"] = str(told.get("name")).removeprefix(PREFIX), told["id"]
        if "return_value" in told and (summary := current_summary()):
            event["event"] = f"Task {told['name']}[{told['id']}] succeeded in {told['runtime']:.3f} s: {summary}"
    task = get_current_task()
    if task is not None and task.request.id:
        request = task.request
        place = place_of(request)
        about = {
            "account": place.account or DEFAULT,
            "action": str(task.name).removeprefix(PREFIX),
            "task_id": request.id,
            "lane": place.lane if place.lane != LANES[0] else None,
            "attempt": request.get(ATTEMPT),
        }
        event.update({name: value for name, value in about.items() if value})
    return event


def add_error(_: Any, __: str, event: EventDict) -> EventDict:
    """Add what an error of ours says of the request that failed, while it is being handled."""
    error = sys.exc_info()[1]
    if isinstance(error, KlaviyoError):
        for field, name in (("account", "account"), ("action", "action"), ("status", "status")):
            if value := getattr(error, name, None):
                event[field] = value
        if found := getattr(error, "error_id", None):
            event["klaviyo_error_id"] = found
    return event


def add_extras(_: Any, __: str, event: EventDict) -> EventDict:
    """Add what whoever logs has said in ``extra=``."""
    said = vars(event["_record"])
    for name in EXTRAS:
        if name in said:
            event[name] = said[name]
    return event


def mask(_: Any, __: str, event: EventDict) -> EventDict:
    """Replace people's data and keys, whoever has logged them and in whatever field."""
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
    """Writes a line for people: what has happened, then the fields that the sentence does not name already."""

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
