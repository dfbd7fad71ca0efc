"""Flower, with a broker page that reaches Redis wherever the workers do.

Flower's own client forgets the database of a unix socket, and what an address says about TLS, the protocol and
timeouts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flower.app
import flower.command
import flower.views
from flower.utils.broker import RedisBase
from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from worker.settings import get_settings


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
            super().start()

    flower.views.Broker = Broker
    flower.command.Flower = Flower
