"""What can be paused: in words, as the options of a command, when a worker does it, and how a pause ends. Pure.

The governor names it ``account:eu``, ``action:create_profile``, ``action:eu:create_profile`` or ``tier:klaviyo.xs``.
"""

from __future__ import annotations

#: Seconds until one task of an account whose key Klaviyo refuses is tried; the interval then doubles up to a minute.
FIRST_PROBE_S = 5.0

#: An account is paused after this many 403s in a row, whatever the actions: its key is good for nothing.
MAX_FORBIDDEN_IN_A_ROW = 10


def describe(what: str) -> str:
    """Return ``account eu``, ``action create_profile on account eu`` or ``tier XS``."""
    account, action, tier = _parts(what)
    if action:
        return f"action {action}" + (f" on account {account}" if account else "")
    return f"tier {tier}" if tier else f"account {account}"


def resume_command(what: str) -> str:
    """Return the command that ends the pause."""
    options = zip(("--account", "--action", "--tier"), _parts(what), strict=True)
    return " ".join(["klaviyo resume", *(f"{option} {value}" for option, value in options if value)])


def how_to_resume(what: str, remedy: str = "") -> str:
    """Return the sentence that says how a pause ends, the same wherever one is shown.

    ``remedy``: what gives an account other credentials, where the pause is due to those that it has.
    """
    if remedy:
        return f"To resume it, {remedy}. It goes on by itself when a try succeeds, without `klaviyo resume`."
    return f"To resume it, run `{resume_command(what)}`."


def account_in(what: str) -> str:
    """Return the account that is paused, or that the action is paused on; empty where it concerns every account."""
    return _parts(what)[0]


def holders(line: str, queue: str) -> set[str]:
    """Return the pauses that would hold a line of this queue: of its account, its action or its tier."""
    account, action = owner(line)
    return {f"account:{account}", f"action:{action}", f"action:{account}:{action}", f"tier:{queue}"}


def owner(line: str) -> tuple[str, str]:
    """Return the account and the action that a line is of."""
    account, _, action = line.partition("+")[0].partition(":")
    return account, action


def _parts(what: str) -> tuple[str, str, str]:
    """Return account, action and tier; those that play no part are empty."""
    kind, _, which = what.partition(":")
    account, _, action = which.rpartition(":")
    if kind == "action":
        return account, action, ""
    return ("", "", which.rpartition(".")[2].upper()) if kind == "tier" else (which, "", "")
