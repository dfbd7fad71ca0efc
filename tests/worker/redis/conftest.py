"""Every library's client at an address."""

from __future__ import annotations

import pytest
from celery import Celery
from redbeat.schedulers import get_redis as get_redbeat_redis

from tests.celery_connections import close_backend
from worker.app import Loader, configuration
from worker.one_per_process import forget
from worker.redis.connection import get_publisher, get_redis


@pytest.fixture
def clients(clean_settings, monkeypatch, tmp_path):
    """Makes every client that connects to an address, by its library."""
    monkeypatch.chdir(tmp_path)
    opened = []

    def connect(url):
        monkeypatch.setenv("KLAVIYO_REDIS_URL", url)
        forget()
        app = Celery("test", loader=Loader, amqp="worker.transport:AMQP", set_as_current=False)
        app.add_defaults(configuration)
        connection = app.connection_for_read()
        opened.append((app, connection))
        return app, connection

    yield connect
    for app, connection in opened:
        connection.release()
        get_redbeat_redis(app).close()
        close_backend(app.backend)
        app.close()
    for client in (*get_redis.made(), *get_publisher.made()):
        client.close()
    forget()
