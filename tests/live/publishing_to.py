"""The test as application code that publishes to other servers than those of the session, for as long as it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kombu import pools

from tests.celery_connections import close_backend
from tests.live.nodes import Cluster, Guarded, Sentinels, Several
from tests.live.system import Sandbox, System
from worker import http_client
from worker.app import app, connecting
from worker.one_per_process import forget
from worker.settings import get_settings

Servers = Sentinels | Cluster | Guarded


@contextmanager
def publishing_to(
    nodes: Sentinels | Cluster | Guarded, sandbox: Sandbox, folder: Path, **settings: Any
) -> Iterator[System]:
    """A system on these servers, to which this process publishes as well."""
    server = Several(nodes)
    system = System(server, sandbox, folder)  # type: ignore[arg-type]
    before = {name: app.conf[name] for name in ("broker_url", "result_backend", "broker_transport_options")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in system.environment(**settings).items():
            if name.startswith("KLAVIYO_"):
                patch.setenv(name, value)
        _begin_anew()
        app.conf.update({name: value for name, value in connecting(get_settings().redis).items() if name in before})
        try:
            yield system
        finally:
            system.stop_workers()
            _begin_anew()
            app.conf.update(before)
            server.redis.close()
    forget()


def _begin_anew() -> None:
    """Drop the connections and the backend that were made before."""
    app.pool.force_close_all()
    pools.reset()
    close_backend(app._local.__dict__.get("backend") or app._backend_cache)
    app._after_fork()
    app._backend_cache, app._local.backend = None, None
    if opened := vars(http_client._clients).pop("client", None):
        opened.close()
    forget()
