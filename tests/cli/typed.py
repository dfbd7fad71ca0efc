"""Commands as a user types them, without a network."""

from __future__ import annotations

import httpx
from typer.testing import CliRunner

from cli.commands import app
from worker import http_client as client
from worker.settings import get_settings


def klaviyo(answer):
    """Return a stand-in for `get_client`: a Klaviyo that gives this answer to each request."""
    made = client.make_client(get_settings(), httpx.MockTransport(answer))
    return lambda: made


def run(*words, typed=None):
    result = CliRunner().invoke(app, list(words), input=typed)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
