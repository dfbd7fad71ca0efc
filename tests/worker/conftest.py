"""A real server for the scripts; its clock is not used, every call brings its own time."""

import pytest
import redis

from worker.embedded import server


@pytest.fixture(scope="session")
def valkey(tmp_path_factory):
    with server(tmp_path_factory.mktemp("valkey")) as url:
        client = redis.Redis.from_url(url)
        yield client
        client.close()


@pytest.fixture
def client(valkey):
    valkey.flushall()
    return valkey
