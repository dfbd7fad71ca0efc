"""Two Redis, among which the accounts of this process are divided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from kombu import pools
from pydantic import SecretStr

from tests.live.nodes import Node
from worker.accounts.stored import get_account_store
from worker.app import app
from worker.one_per_process import forget
from worker.redis.homes import at_redis
from worker.settings import get_settings


@contextmanager
def divided(nodes: Sequence[Node], settings: pytest.MonkeyPatch) -> Iterator[None]:
    """The first is that of this process; on the other, two accounts live: one of the settings, and one stored."""
    main, eu = nodes
    for node in nodes:
        node.redis.flushall()
    settings.setenv("KLAVIYO_SECRET_KEY", "a-key-that-only-these-tests-have")
    settings.setenv("KLAVIYO_REDIS_URL", f"redis://127.0.0.1:{main.port}/0")
    settings.setenv("KLAVIYO_REDIS_URLS__EU", f"redis://127.0.0.1:{eu.port}/0")
    settings.setenv("KLAVIYO_ACCOUNTS__SHOP__API_KEY", "pk_shop")
    settings.setenv("KLAVIYO_ACCOUNTS__SHOP__REDIS", "eu")
    settings.setenv("KLAVIYO_ACCOUNTS__OUTLET__API_KEY", "pk_outlet")
    forget()
    before = {name: app.conf[name] for name in ("broker_url", "result_backend")}
    address = get_settings().redis
    app.conf.update(broker_url=address.broker_url, result_backend=address.result_url)
    _begin_anew()
    with at_redis("eu"):
        get_account_store().change("stored", api_key=SecretStr("pk_stored"))
    yield
    pools.reset()
    app.conf.update(before)
    _begin_anew()


def _begin_anew() -> None:
    app._after_fork()
    app._backend_cache, app._local.backend = None, None
