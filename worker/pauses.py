"""What can be paused, as people say it and as the commands take it. Pure.

The governor names it ``account:eu``, ``action:create_profile``, ``action:eu:create_profile`` or ``tier:klaviyo.xs``.
"""

from __future__ import annotations


def said(what: str) -> str:
    """``account eu``, ``action create_profile on account eu``, ``tier XS``."""
    account, action, tier = _parts(what)
    if action:
        return f"action {action}" + (f" on account {account}" if account else "")
    return f"tier {tier}" if tier else f"account {account}"


def resuming(what: str) -> str:
    """The command that lets it go on."""
    options = zip(("--account", "--action", "--tier"), _parts(what), strict=True)
    return " ".join(["klaviyo resume", *(f"{option} {value}" for option, value in options if value)])


def holders(line: str, queue: str) -> set[str]:
    """Return the pauses that would hold a line of this queue: of its account, its action or its tier."""
    account, action = owner(line)
    return {f"account:{account}", f"action:{action}", f"action:{account}:{action}", f"tier:{queue}"}


def owner(line: str) -> tuple[str, str]:
    """Return the account and the action that a line is of."""
    account, _, action = line.partition("+")[0].partition(":")
    return account, action


def _parts(what: str) -> tuple[str, str, str]:
    """Account, action and tier, empty where they do not matter."""
    kind, _, which = what.partition(":")
    account, _, action = which.rpartition(":")
    if kind == "action":
        return account, action, ""
    return ("", "", which.rpartition(".")[2].upper()) if kind == "tier" else (which, "", "")
