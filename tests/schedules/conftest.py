"""Settings of each test's own: the live tests of the same process leave theirs in the environment until the end."""

import os

import pytest

from worker.settings import get_settings


@pytest.fixture(autouse=True)
def clean_settings(monkeypatch):
    for name in [name for name in os.environ if name.startswith("KLAVIYO_")]:
        monkeypatch.delenv(name)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()
