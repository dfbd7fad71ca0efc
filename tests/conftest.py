"""What every test may lean on."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

from worker.embedded import find_server
from worker.errors import SettingsError


def missing(service: str) -> NoReturn:
    """Skip a test that needs a service which is not here; in continuous integration, fail it."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{service} (CI is set, so this is no reason to skip)", pytrace=False)
    pytest.skip(service)


@pytest.fixture(scope="session")
def server_binary() -> str:
    """The Redis or Valkey server that runs here."""
    try:
        return find_server()[0]
    except SettingsError as error:
        missing(f"This test needs a real server: {error}")
