"""`klaviyo pause` and `klaviyo resume`: let nothing of an account, an action or a tier go, and let it go on."""

from __future__ import annotations

import getpass
import time
from typing import Annotated

import typer

import tasks  # noqa: F401  registers every action
from worker.accounts import account as account_of
from worker.action import ACTIONS, NAMES_2024
from worker.cli.terminal import WRONG, say, stop
from worker.governor import get_governor
from worker.place import PREFIX
from worker.settings import get_settings
from worker.tiers import Tier

Account = Annotated[str | None, typer.Option(help="alias of an account; with --action: only there")]
ActionName = Annotated[str | None, typer.Option("--action", help="name of an action")]
TierName = Annotated[str | None, typer.Option("--tier", help="XS, S, M, L or XL")]


def pause(
    account: Account = None,
    action: ActionName = None,
    tier: TierName = None,
    why: Annotated[str, typer.Option(help="for whoever finds it paused")] = "no reason was given",
) -> None:
    """Pause an account, an action or a tier: its tasks wait in Redis until it is resumed, whoever restarts."""
    what = target(account, action, tier)
    get_governor().pause(what, getpass.getuser(), why, since=time.time())
    say(f"{what} is paused. What has been handed to a worker may still be sent; klaviyo resume lets it go on.")


def resume(account: Account = None, action: ActionName = None, tier: TierName = None) -> None:
    """Let what was paused go on."""
    what = target(account, action, tier)
    was = get_governor().resume(what)
    say(f"{what} goes on." if was else f"{what} was not paused.")


def target(account: str | None, action: str | None, tier: str | None) -> str:
    """How the governor names what is meant: ``account:eu``, ``action:eu:create_profile``, ``tier:klaviyo.xs``."""
    alias = account_of(get_settings(), account).alias if account else None
    if tier and not (account or action):
        if tier.upper() not in Tier.__members__:
            raise stop(f"There is no tier {tier!r}: name one of {', '.join(Tier.__members__)}.", WRONG)
        return f"tier:{Tier[tier.upper()].queue}"
    if action and not tier:
        name = action.removeprefix(PREFIX)
        name = NAMES_2024.get(name, name)
        if name not in ACTIONS:
            raise stop(f"There is no action {action!r}: klaviyo actions lists them.", WRONG)
        return f"action:{alias}:{name}" if alias else f"action:{name}"
    if alias and not tier:
        return f"account:{alias}"
    raise stop("Name one of --account, --action (with or without --account) and --tier.", WRONG)
