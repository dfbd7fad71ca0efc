"""Commands as a user types them, without a network."""

from __future__ import annotations

import httpx
from typer.testing import CliRunner

from worker import client, connection, governor, ledger, runs
from worker.cli.commands import app
from worker.settings import get_settings

CACHES = (
    get_settings,
    connection.get_redis,
    connection.get_publisher,
    governor.get_governor,
    governor.get_publishing_governor,
    ledger.get_ledger,
    runs.get_runs,
)


def forget():
    for opened in (connection.get_redis, connection.get_publisher):
        if opened.cache_info().currsize:
            opened().close()
    for cache in CACHES:
        cache.cache_clear()


def klaviyo(answer):
    """What stands in for `get_client`: a Klaviyo that gives this answer to each request."""
    made = client.make_client(get_settings(), httpx.MockTransport(answer))
    return lambda: made


def run(*words, typed=None):
    result = CliRunner().invoke(app, list(words), input=typed)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
