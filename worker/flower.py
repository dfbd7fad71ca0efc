"""Flower, as it reaches Redis wherever the workers do, hears of them whatever becomes of Redis, and ends when told to.

Flower's own client for its broker page forgets the database of a unix socket, and what an address says about TLS, the
protocol and timeouts. It listens for events ever more rarely the longer Redis is away, and for ever on a connection
whose other side is gone without a word. And it does not end before its threads have given up on Redis, one by one.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any

import flower.app
import flower.command
import flower.events
import flower.views
from flower.utils.broker import RedisBase
from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from worker.settings import get_settings

logger = logging.getLogger(__name__)

#: Seconds without an event after which the connection counts as dead, since workers tell every two seconds that they
#: live; and until another one is tried.
SILENT, AGAIN = 30.0, 1.0


class Events(flower.events.Events):  # type: ignore[misc]
    """What Flower hears."""

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


def install(at_start: Callable[[], None]) -> None:
    """Let Flower use such a client, and call this function when it starts."""

    class Flower(flower.app.Flower):  # type: ignore[misc]
        """Flower, which has no signal for its start."""

        def start(self) -> None:
            at_start()
            try:
                super().start()
            except (KeyboardInterrupt, SystemExit):
                self.stop()
                logging.shutdown()
                # Python would wait for the threads, and these for Redis.
                os._exit(0)

    flower.app.Events = Events
    flower.views.Broker = Broker
    flower.command.Flower = Flower
