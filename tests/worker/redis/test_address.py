"""One spelling of KLAVIYO_REDIS_URL is good for every client of Redis, or refused in one sentence."""

import ssl
from urllib.parse import urlsplit

import pytest
import redis
from kombu.utils.url import parse_url
from redbeat.schedulers import get_redis as get_redbeat_redis

from cli.up.embedded import server
from tests.ports import free_port
from worker.errors import SettingsError
from worker.redis import address
from worker.redis.address import parse
from worker.redis.connection import get_redis
from worker.settings import get_settings

#: A password with everything that URLs, kombu and shells have a meaning for.
PASSWORD, ENCODED = "p#s/w?r@d;% +", "p%23s%2Fw%3Fr%40d%3B%25%20+"


@pytest.fixture(scope="module")
def places(server_binary, tmp_path_factory):
    """A server on a unix socket and on a port, with a user who has a password."""
    port = free_port()
    with server(tmp_path_factory.mktemp("server")) as url:
        admin = redis.Redis.from_url(url)
        admin.config_set("bind", "127.0.0.1", "port", port)
        admin.execute_command("ACL", "SETUSER", "ada", "on", f">{PASSWORD}", "~*", "&*", "+@all")
        yield {"port": port, "socket": url.removesuffix("?db=0")}
        admin.close()


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("redis://ada:{password}@127.0.0.1:{port}/3", {"db": 3, "user": "ada"}),
        ("redis://ada:{password}@127.0.0.1:{port}?db=3", {"db": 3, "user": "ada"}),
        ("redis://ada:{password}@127.0.0.1:{port}/3?db=3&protocol=2", {"db": 3, "user": "ada", "resp": "2"}),
        (
            "redis://127.0.0.1:{port}/?socket_timeout=7&socket_connect_timeout=2.5&health_check_interval=9",
            {"db": 0, "user": "default"},
        ),
        ("{socket}?db=3&socket_timeout=7&protocol=2", {"db": 3, "user": "default", "resp": "2"}),
        ("{socket}", {"db": 0, "user": "default"}),
    ],
)
def test_every_client_reaches_the_same_database_as_the_same_user(places, clients, url, seen):
    app, connection = clients(url.format(password=ENCODED, **places))
    told = {
        "redis-py": get_redis().client_info(),
        "broker": connection.default_channel.client.client_info(),
        "results": app.backend.client.client_info(),
        "redbeat": get_redbeat_redis(app).client_info(),
    }

    assert {who: {name: info[name] for name in seen} for who, info in told.items()} == dict.fromkeys(told, seen)


def test_every_client_waits_as_long_as_the_address_says(clients):
    app, connection = clients(
        "redis://127.0.0.1:1/0?socket_timeout=7&socket_connect_timeout=2.5&health_check_interval=9"
    )
    made = _keywords(app, connection)

    said = {"socket_timeout": 7.0, "socket_connect_timeout": 2.5, "health_check_interval": 9}
    # What is published through the broker's connection has somebody waiting for it, who has less patience.
    brief = get_settings().publish_timeout / 5
    expected = {who: dict(said) for who in made}
    expected["broker"] |= {"socket_timeout": brief, "socket_connect_timeout": brief}
    assert {who: {name: keywords[name] for name in said} for who, keywords in made.items()} == expected


@pytest.mark.parametrize(
    ("asked", "checked"),
    [
        ("", ssl.CERT_REQUIRED),
        ("ssl_cert_reqs=CERT_REQUIRED", ssl.CERT_REQUIRED),
        ("ssl_cert_reqs=required", ssl.CERT_REQUIRED),
        ("ssl_cert_reqs=CERT_OPTIONAL&ssl_check_hostname=no", ssl.CERT_OPTIONAL),
        ("ssl_cert_reqs=optional&ssl_check_hostname=false", ssl.CERT_OPTIONAL),
        ("ssl_cert_reqs=CERT_NONE", ssl.CERT_NONE),
        ("ssl_cert_reqs=none", ssl.CERT_NONE),
    ],
)
def test_every_client_checks_certificates_as_the_address_says(clients, tmp_path, asked, checked):
    files = {name: tmp_path / f"{name} 100%.pem" for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")}
    for file in files.values():
        file.touch()
    named = "&".join(f"{name}={str(file).replace('%', '%25').replace(' ', '%20')}" for name, file in files.items())
    app, connection = clients(f"rediss://:{ENCODED}@redis:6380/1?{named}&{asked}")

    for who, keywords in _keywords(app, connection).items():
        made = _connection(keywords)
        paths = (made.ca_certs, made.certfile, made.keyfile)
        assert (made.host, made.port, made.db, made.password) == ("redis", 6380, 1, PASSWORD), who
        assert made.cert_reqs == checked, who
        assert paths == tuple(str(file) for file in files.values()), who
        assert made.check_hostname is (checked == ssl.CERT_REQUIRED), who


def _keywords(app, connection):
    """What each library makes its connections with."""
    channel = connection.get_transport_cls().Channel.__new__(connection.get_transport_cls().Channel)
    channel.connection = connection.transport
    for name, value in connection.transport_options.items():
        setattr(channel, name, value)
    return {
        "redis-py": get_redis().connection_pool.connection_kwargs,
        "broker": channel._connparams(),
        "results": app.backend.connparams,
        "redbeat": get_redbeat_redis(app).connection_pool.connection_kwargs,
    }


def _connection(keywords):
    """A connection as redis-py makes it of these, which is where it refuses what it does not know."""
    others = ("connection_class", "max_connections", "maint_notifications_pool_handler", "retry")
    return redis.SSLConnection(**{name: value for name, value in keywords.items() if name not in others})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://redis", "it must begin with redis://, rediss://, unix://"),
        ("redis+socket:///run/redis.sock", "it must begin with redis://, rediss://, unix://"),
        (
            "rediss://redis?ssl_cert_req=none",
            "'ssl_cert_req' is not an option of such an address; did you mean ssl_cert_reqs?",
        ),
        (
            "redis://redis?virtual_host=3",
            "'virtual_host' is not an option of such an address; the options are db, health_check_interval",
        ),
        ("redis://redis?db=three", "db must be a whole number from 0 on"),
        ("redis://redis?db=", "db has no value"),
        ("redis://redis?db=1&db=2", "db is given twice"),
        ("redis://redis/1?db=2", "its path names one database and its option db another"),
        ("redis://redis/one", "the database after the host must be a whole number, as in redis://host:6379/0"),
        ("redis://redis?protocol=4", "protocol must be 2 or 3"),
        ("redis://redis?socket_timeout=0.1", "socket_timeout must be a number of seconds, 1 at least"),
        ("redis://redis?socket_timeout=nan", "socket_timeout must be a number of seconds, 1 at least"),
        ("redis://redis?ssl_cert_reqs=none", "ssl_cert_reqs needs an address that begins with rediss://"),
        ("rediss://redis?ssl_cert_reqs=maybe", "ssl_cert_reqs must be required, optional or none"),
        ("rediss://redis?ssl_check_hostname=maybe", "ssl_check_hostname must be true, false, yes, no, 1 or 0"),
        ("rediss://redis?ssl_ca_certs=/no/such/file.pem", "ssl_ca_certs is not a readable file"),
        ("redis://:hidden/word@redis", "its host and port cannot be read; a user name or password in it must be"),
        ("redis://:hidden#word@redis", "its host and port cannot be read; a user name or password in it must be"),
        ("redis://ada:1?hidden=word@redis", "a user name or password in it must be percent-encoded"),
        ("redis://:hid[den@redis", "its host and port cannot be read; a user name or password in it must be"),
        (
            "unix://:hidden@/run/redis.sock",
            "a unix socket with a password is not supported; protect it by the rights of its folder",
        ),
        ("redis://redis?sentinel_username=ada", "sentinel_username needs an address that begins with sentinel://"),
        ("sentinel://one:26379,two:26379", "the primary's name comes after the Sentinels, as in sentinel://host:26379"),
        ("sentinel://one,two/mymaster/one", "the database after the host must be a whole number"),
        (
            "sentinel://:hid/den@one,two/mymaster",
            "its host and port cannot be read; a user name or password in it must",
        ),
        ("sentinel://one,two:hid/mymaster", "its host and port cannot be read"),
        ("cluster://one,two/1", "a cluster has one database only, 0"),
        ("cluster://one,two?ssl_cert_reqs=none", "ssl_cert_reqs needs an address that begins with rediss://"),
        ("unix://run/redis.sock", "a unix socket is given by its absolute path: unix:///run/redis.sock?db=0"),
    ],
)
def test_an_address_that_some_client_would_not_understand_is_one_sentence_at_start(
    clean_settings, monkeypatch, tmp_path, url, said
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KLAVIYO_REDIS_URL", url)

    with pytest.raises(SettingsError) as caught:
        get_settings()

    assert str(caught.value).startswith(f"KLAVIYO_REDIS_URL: {said}")
    assert "hid" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1", "redis://127.0.0.1:6379/0"),
        ("redis://[::1]/?db=2", "redis://[::1]:6379/2"),
        ("redis://ada:hushed@redis:7000/1?socket_timeout=5", "redis://ada:**@redis:7000/1"),
        ("rediss://:hushed@redis", "rediss://:**@redis:6379/0"),
        ("unix:///run/a%20b.sock?db=3", "unix:///run/a%20b.sock?db=3"),
        ("sentinel://one,two:7000/mymaster", "sentinel://one:26379,two:7000/mymaster/0"),
        (
            "sentinels://ada:hushed@one,[::1]/main/2?sentinel_username=bob&sentinel_password=hushed",
            "sentinels://ada:**@one:26379,[::1]:26379/main/2",
        ),
        ("cluster://one:7000,two", "cluster://one:7000,two:6379/0"),
        ("clusters://:hushed@one", "clusters://:**@one:6379/0"),
    ],
)
def test_an_address_is_shown_short_and_without_its_password(clients, url, shown):
    _, connection = clients(url)

    assert parse(url).shown == connection.as_uri() == shown
    assert "hushed" not in parse(url).url + repr(parse(url)) + repr(get_settings())


def test_kombu_does_not_take_a_tls_address_for_an_insecure_one(caplog):
    # Celery reads the broker's URL alone when it shows its settings, and would warn of what is not so.
    assert parse_url(parse("rediss://redis").broker_url)["ssl"] == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    assert not caplog.messages


@pytest.mark.parametrize("url", ["sentinel://one,[::1]:7000/main/2", "cluster://ada:hushed@one,[::1]:7000/0"])
def test_ipv6_addresses_among_several_are_read_by_every_python(monkeypatch, url):
    def split(url):  # as Python does since 3.13.2, and Debian's 3.11.2
        host, bracket, _ = urlsplit(url).netloc.rpartition("@")[2].partition("[")
        if host and bracket:
            raise ValueError("Invalid IPv6 URL")
        return urlsplit(url)

    monkeypatch.setattr(address, "urlsplit", split)

    assert parse(url).nodes[1] == ("::1", 7000)
