"""`klaviyo move`: take everything from one Redis to another."""

from __future__ import annotations

from typing import Annotated

import redis
import typer

from cli.move.keys import move as move_keys
from cli.terminal.printing import EXIT_FAILED, EXIT_USAGE, stdout, stop
from worker.redis.address import parse
from worker.redis.connection import client_of, get_redis
from worker.redis.patience import asking_redis_once
from worker.settings import get_settings


@asking_redis_once()
def move(
    old: Annotated[str, typer.Argument(metavar="OLD_URL", help="where everything is now, as in KLAVIYO_REDIS_URL")],
) -> None:
    """Move everything from another Redis to the one of KLAVIYO_REDIS_URL, while no worker runs.

    Tasks that wait, results, jobs, imports, schedules and windows keep their lifetimes. In a cluster all keys come into
    one slot. If it is interrupted, run it again.
    """
    try:
        source = parse(old)
    except ValueError as error:
        raise stop(f"The old address: {error}.", EXIT_USAGE) from None
    if source.shown == get_settings().redis.shown:
        raise stop("KLAVIYO_REDIS_URL is the old address, too: set it to the new one.", EXIT_USAGE)
    old_redis = client_of(source)
    try:
        old_redis.ping()
    except (redis.ConnectionError, redis.TimeoutError) as error:
        reason = f"The old Redis cannot be reached at {source.shown} ({type(error).__name__})"
        raise stop(f"{reason}: start it, or correct OLD_URL.", EXIT_FAILED) from None
    number = move_keys(old_redis, get_redis())
    stdout(soft_wrap=True).print(f"{number:,} keys were moved from {source.shown} to {get_settings().redis.shown}.")
