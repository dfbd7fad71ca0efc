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


def _parts(what: str) -> tuple[str, str, str]:
    """Account, action and tier, empty where they do not matter."""
    kind, _, which = what.partition(":")
    account, _, action = which.rpartition(":")
    if kind == "action":
        return account, action, ""
    return ("", "", which.rpartition(".")[2].upper()) if kind == "tier" else (which, "", "")
