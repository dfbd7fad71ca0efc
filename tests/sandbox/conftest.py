"""Sandboxes for the tests of the sandbox."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.sandbox.in_process import Sandbox
from tests.sandbox.sdk import JOB_SECONDS

if TYPE_CHECKING:
    from klaviyo_api import KlaviyoAPI


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox()
    yield made
    made.close()


@pytest.fixture
def free(sandbox: Sandbox) -> Sandbox:
    """A sandbox without limits."""
    return sandbox.unlimited()


@pytest.fixture(scope="session")
def sdk() -> Iterator[KlaviyoAPI]:
    """Klaviyo's own SDK, whose strict models read what a real sandbox answers."""
    from klaviyo_api import KlaviyoAPI  # slow to import, and few tests need it

    command = [sys.executable, "-m", "sandbox", "--port", "0", "--latency", "0", "--job-seconds", str(JOB_SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            base = running.stdout.readline().removeprefix("sandbox: ").strip()
            httpx.post(f"{base}/_sandbox/limits", json={"off": True}).raise_for_status()
            api = KlaviyoAPI("pk_sandbox_default", max_retries=1)
            api.api_client.configuration.host = base
            yield api
            api.api_client.rest_client.pool_manager.clear()
        finally:
            running.terminate()
