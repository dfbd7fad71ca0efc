"""Writes that are over only when replicas have them, so that a failover forgets none of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis
from redis.commands.core import Script

from worker.process.state import working
from worker.redis.connection import NotReplicated
from worker.settings import get_settings

#: Part of the time that a client waits for an answer in which replicas have to confirm a write.
CONFIRMING_TIMEOUT_FRACTION = 0.8


def run_for_caller(client: redis.Redis, script: Script, key: str, arguments: Sequence[Any]) -> Any:
    """Run a script whose caller relies on it from then on: in a process that is no worker, replicas have it then.

    A worker is not held up: what it was doing comes again if another server becomes the primary meanwhile.

    Raises:
        NotReplicated: as `run_confirmed`.

    """
    return script([key], arguments) if working.is_set() else run_confirmed(client, script, key, arguments)


def run_confirmed(client: redis.Redis, script: Script, key: str, arguments: Sequence[Any]) -> Any:
    """Run a script that writes, and return its answer once as many replicas have it as the settings ask for.

    Raises:
        NotReplicated: they do not have it in time; the primary does, unless it is none any more.

    """
    if not (replicas := get_settings().redis_replicas):
        return script([key], arguments)
    pool = client.connection_pool
    seconds = CONFIRMING_TIMEOUT_FRACTION * pool.connection_kwargs["socket_timeout"]
    connection: Any = pool.get_connection()
    try:
        # On one connection: Redis waits for what was last written by whoever asks.
        command, confirm = ("EVALSHA", script.sha, 1, key, *arguments), ("WAIT", replicas, int(seconds * 1000))
        connection.send_packed_command(connection.pack_commands([command, confirm]))
        answer, confirmed = connection.read_response(), connection.read_response()
    except redis.exceptions.NoScriptError:
        connection.disconnect()
        client.script_load(script.script)
        return run_confirmed(client, script, key, arguments)
    except BaseException:
        connection.disconnect()
        raise
    finally:
        pool.release(connection)
    if confirmed < replicas:
        raise NotReplicated(confirmed, replicas, seconds)
    return answer
