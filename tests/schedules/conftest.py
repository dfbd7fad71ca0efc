"""Settings of each test's own."""

import pytest


@pytest.fixture(autouse=True)
def own_settings(clean_settings):
    """See `clean_settings`."""
