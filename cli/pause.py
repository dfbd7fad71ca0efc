"""`klaviyo pause` and `klaviyo resume`: stop sending for an account, an action or a tier, and start again."""

from __future__ import annotations

import getpass
import itertools
import time
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

import tasks.registry  # noqa: F401  registers every action
from cli.choosing_calls import choose_action
from cli.terminal.printing import EXIT_USAGE, say, stop
from worker.account_and_lane import TASK_PREFIX
from worker.accounts.lookup import account as account_of
from worker.accounts.lookup import aliases
from worker.action import ACTIONS, NAMES_2024
from worker.errors import SettingsError
from worker.governor import get_governor
from worker.pauses import account_in, describe, how_to_resume
from worker.redis.homes import ask_each, at_home, gathered
from worker.redis.patience import asking_redis_once
from worker.setting_names import alias_of
from worker.settings import get_settings
from worker.tiers import Tier

T = TypeVar("T")

NAME_ONE = "Name one of --account, --action (with or without --account) and --tier."

Account = Annotated[str | None, typer.Option(help="alias of an account; with --action: only there")]
ActionName = Annotated[str | None, typer.Option("--action", help="name of an action")]
TierName = Annotated[str | None, typer.Option("--tier", help="XS, S, M, L or XL")]


@asking_redis_once()
def pause(
    context: typer.Context,
    account: Account = None,
    action: ActionName = None,
    tier: TierName = None,
    why: Annotated[str, typer.Option(help="the reason, shown to whoever finds it paused")] = "no reason was given",
) -> None:
    """Pause an account, an action or a tier: its tasks wait in Redis until it is resumed, even across restarts."""
    _require_options("pause", context.args)
    alias = None if account is None else account_of(get_settings(), account).alias
    what = target(alias, action, tier)
    _at_places(alias, lambda: get_governor().pause(what, getpass.getuser(), why, since=time.time()))
    say(f"The {describe(what)} is paused. Tasks that a worker already has may still be sent. {how_to_resume(what)}")


def resume(context: typer.Context, account: Account = None, action: ActionName = None, tier: TierName = None) -> None:
    """Resume what was paused."""
    _require_options("resume", context.args)
    alias = lives_at = None
    if account is not None:
        try:
            alias = lives_at = account_of(get_settings(), account).alias
        except SettingsError:
            # Gone since it was paused: only Redis still knows of it, and any of several may be the one.
            alias = alias_of(account)
            if alias not in _paused_accounts():
                raise
    what = target(alias, action, tier)
    was = any(_at_places(lives_at, lambda: get_governor().resume(what)))
    outcome = "has been resumed." if was else "was not paused; see `klaviyo limits`."
    say(f"The {describe(what)} {outcome}")


def _require_options(command: str, words: list[str]) -> None:
    """Require that everything is named by an option.

    Raises:
        Exit: there is a word without an option.

    """
    if not words:
        return
    word = words[0].removeprefix(TASK_PREFIX)
    if NAMES_2024.get(word, word) in ACTIONS:
        raise stop(f"{words[0]} is an action: klaviyo {command} --action {word}", EXIT_USAGE)
    if word.upper() in Tier.__members__:
        raise stop(f"{words[0]} is a tier: klaviyo {command} --tier {word.upper()}", EXIT_USAGE)
    if word in gathered(lambda: aliases(get_settings())):
        raise stop(f"{words[0]} is an account: klaviyo {command} --account {word}", EXIT_USAGE)
    raise stop(f"There is no account, action or tier {words[0]!r}. {NAME_ONE}", EXIT_USAGE)


def _paused_accounts() -> set[str]:
    """The accounts that are paused, or on which an action is."""
    paused = itertools.chain.from_iterable(ask_each(lambda: get_governor().paused()).values())
    # An empty name, of a variable that is not set, must not widen what is meant.
    return {account_in(each.what) for each in paused} - {""}


def _at_places(account: str | None, do: Callable[[], T]) -> list[T]:
    """Do it at the Redis on which an account lives; without one, at each."""
    if account is None:
        return list(ask_each(do).values())
    with at_home(account):
        return [do()]


def target(alias: str | None, action: str | None, tier: str | None) -> str:
    """Return the governor's name of the target: ``account:eu``, ``action:eu:create_profile``, ``tier:klaviyo.xs``."""
    if tier is not None and alias is None and action is None:
        if tier.upper() not in Tier.__members__:
            raise stop(f"There is no tier {tier!r}: name one of {', '.join(Tier.__members__)}.", EXIT_USAGE)
        return f"tier:{Tier[tier.upper()].queue}"
    if action is not None and tier is None:
        name = choose_action(action).declaration.name
        return f"action:{alias}:{name}" if alias else f"action:{name}"
    if alias and tier is None:
        return f"account:{alias}"
    raise stop(NAME_ONE, EXIT_USAGE)
