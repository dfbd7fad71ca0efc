"""Every refusal of Redis's that passes by itself is one kind of error, for every client of this process."""

import pytest
import redis
from redbeat.schedulers import get_redis as get_beat_redis

from worker.app import app
from worker.redis.connection import AWAY, Parser, get_publisher, get_redis
from worker.settings import get_settings
from worker.transport import Channel

#: What a server says, and what of it an operator is told.
REFUSALS = {
    "OOM command not allowed when used memory > 'maxmemory'.": "Redis is full",
    "OOM command not allowed when used memory > 'maxmemory'. script: 2f1, on @user_script:17.": "Redis is full",
    "ERR Error running script (call to f_2f1): @user_script:17: @user_script: 17: -OOM command not allowed": "is full",
    "READONLY You can't write against a read only replica.": "a replica",
    "READONLY You can't write against a read only replica. script: 2f1, on @user_script:1.": "a replica",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.": "its disk",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.": "busy",
    "LOADING Redis is loading the dataset in memory": "loading",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.": "lost its primary",
    "NOREPLICAS Not enough good replicas to write.": "fewer replicas",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)": "a replica",
    "NOPERM User worker has no permissions to run the 'evalsha' command": "not allowed",
    "NOAUTH Authentication required.": "Authentication required",
    "WRONGPASS invalid username-password pair or user is disabled.": "invalid username-password pair",
}


@pytest.mark.parametrize(("text", "told"), REFUSALS.items())
def test_what_passes_by_itself_is_a_reason_to_wait(text, told):
    error = Parser.parse_error(text)

    assert isinstance(error, AWAY)
    assert told in str(error)
    assert "script:" not in str(error)


@pytest.mark.parametrize(
    "text", ["ERR unknown command", "WRONGTYPE Operation against a key", "BUSYGROUP Consumer Group name already exists"]
)
def test_what_would_never_pass_is_not(text):
    assert not isinstance(Parser.parse_error(text), AWAY)


def test_a_lost_script_is_loaded_again():
    assert isinstance(Parser.parse_error("NOSCRIPT No matching script."), redis.exceptions.NoScriptError)


CLIENTS = {
    "our own": lambda: get_redis().connection_pool,
    "the publisher's": lambda: get_publisher().connection_pool,
    "the broker's": lambda: _channel()._get_pool(),
    "the broker's pop": lambda: _channel()._get_pool(asynchronous=True),
    "the result backend's": lambda: app.backend._get_pool(**app.backend.connparams),
    "beat's": lambda: get_beat_redis(app).connection_pool,
}


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_reads_refusals_this_way_and_waits_for_an_answer_no_longer_than_seconds(settings, client):
    # A live test before this one in the same process has told the application of its own server.
    address = get_settings().redis
    settings.setitem(app.conf, "broker_url", address.broker_url)
    settings.setitem(app.conf, "result_backend", address.result_url)
    settings.setattr(app, "_backend_cache", None)
    settings.setattr(app._local, "backend", None, raising=False)
    pool = CLIENTS[client]()

    assert pool.connection_kwargs["parser_class"] is Parser
    assert 0 < pool.connection_kwargs["socket_timeout"] <= 5
    assert 0 < pool.connection_kwargs["socket_connect_timeout"] <= 5


def _channel():
    """A channel that has not connected."""
    channel = Channel.__new__(Channel)
    channel.connection = app.connection().transport
    channel.connection.client = app.connection()
    for option in ("max_connections", "socket_keepalive_options", "retry_on_timeout", "client_name"):
        setattr(channel, option, None)
    options = app.conf.broker_transport_options
    for option in ("socket_timeout", "socket_connect_timeout", "socket_keepalive", "health_check_interval"):
        setattr(channel, option, options[option])
    return channel
