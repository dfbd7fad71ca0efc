"""`klaviyo check`: whether a worker has everything it needs, and what to do if it has not."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import chain
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import tasks.registry  # noqa: F401  registers every action
from cli.check.scopes import by_kind, trials
from cli.redis_rights import acl as rights
from cli.terminal.printing import EXIT_FAILED, EXIT_USAGE, stdout
from schedules.checks import check_others, check_outage
from schedules.entries import beat_schedule
from worker.accounts.companies import company_of, learn_company, sharing
from worker.accounts.credentials import Account
from worker.accounts.lookup import account, aliases
from worker.accounts.scopes import remedy
from worker.accounts.stored import get_account_store
from worker.action import ACTIONS
from worker.api.declaration import Declaration
from worker.api.jsonapi import REVISION, Envelope, Request
from worker.api.paging import page_items
from worker.errors import (
    CredentialsFailed,
    Forbidden,
    Malformed,
    OutcomeUnknown,
    Paused,
    Refused,
    Throttled,
    TokenPending,
    Unauthorized,
    Unavailable,
)
from worker.execution import Call, attempt, until_reserved
from worker.governor import get_governor
from worker.process import checks
from worker.process.divided import check_addresses, check_companies, check_removed, check_strays
from worker.redis.homes import at_home, at_redis, everywhere
from worker.redis.patience import asking_redis_once
from worker.settings import Settings, get_settings

#: How long a probe waits for room in its bucket, in seconds.
MAX_WAIT_S = 70.0

#: Width of the column that says what a line is about.
LABEL_WIDTH = 15


@asking_redis_once()
def check(
    name: Annotated[
        str | None, typer.Option("--account", help="alias of one account; all accounts if left out")
    ] = None,
    acl: Annotated[
        bool,
        typer.Option("--acl", help="print the command that makes a user of Redis with the rights it needs"),
    ] = False,
) -> None:
    """Check the settings, Redis, the store, the sources of pushes, Klaviyo, and each account's key and scopes.

    Nothing is written, and Klaviyo is only asked once everything else is in order. The exit code is 1 if something is
    not, and 2 if a setting is wrong.
    """
    settings = get_settings()
    if acl:
        typer.echo(rights(settings.redis))
        return
    beat_schedule(settings)
    levels = [_print_finding(each) for each in checks.check_settings(settings)]
    by_redis = {each: _check_redis(each) for each in everywhere()}
    fit = [each for each, found in by_redis.items() if "bad" not in found]
    others = chain(check_addresses(settings), check_removed(settings), check_others(settings))
    levels += [_print_finding(each) for each in others]
    # Accounts that live on one Redis can be checked while another is not fit.
    levels += [] if fit else ["bad"]
    for level, code in (("wrong", EXIT_USAGE), ("bad", EXIT_FAILED)):
        if level in levels:
            raise typer.Exit(code)
    unfit = False
    if name:
        with at_home(name):
            unfit = _check_account_of(settings, name)
    for home in () if name else fit:
        with at_redis(home):
            for each in aliases(settings):
                unfit = _check_account_of(settings, each) or unfit
    # Only now is it known to which company each account belongs.
    for finding in chain(check_companies(settings), check_strays(settings)):
        _print_finding(finding)
    if unfit or len(fit) < len(by_redis):
        raise typer.Exit(EXIT_FAILED)


def _check_redis(name: str) -> list[str]:
    """Check one Redis; return the levels of what was found."""
    with at_redis(name):
        found = list(chain(checks.check_redis(), check_outage()))
    several = len(everywhere()) > 1
    return [_print_finding(replace(each, what=f"{each.what} ({name})") if several else each) for each in found]


def _check_account_of(settings: Settings, alias: str) -> bool:
    which = account(settings, alias)
    return bool(which.api_key or which.grant) and _check_account(which)


def _print_finding(finding: checks.Finding) -> str:
    mark, style = {"good": ("✓", "green"), "warning": ("!", "yellow")}.get(finding.level, ("✗", "red"))
    stdout().print(line(mark, style, finding.what, finding.text))
    return finding.level


def _check_account(which: Account) -> bool:
    """Check an account's credentials and scopes; return True if nothing can be sent for it as it is.

    Raises:
        Exit: Klaviyo cannot be reached, for whichever account.

    """
    label, credentials = f"account {which.alias}", "token" if which.grant else "key"
    try:
        envelope = _ask(ACTIONS["get_accounts"].declaration, which.alias)
    except CredentialsFailed as error:
        return _unfit(label, f"{error.why_and_remedy}.")
    except Unauthorized:
        if which.grant:
            return _unfit(label, f"Klaviyo does not accept its token: {which.renewing}.")
        return _unfit(
            label,
            f"Klaviyo does not accept its key. Copy a private API key (it begins with pk_) from Klaviyo, "
            f"Settings → API keys, and {which.renewing}.",
        )
    except Forbidden:
        _good(label, f"Klaviyo accepts its {credentials}")
        _warn(label, f"the {credentials} lacks the scope accounts:read, so which account it belongs to is not known.")
    except Paused as error:
        _warn(label, f"which account its key belongs to could not be checked. {error.reasons}")
        if any(pause.what == f"account:{which.alias}" for pause in get_governor().paused()):
            _warn(label, "nothing is sent for it until it is resumed, so its key and scopes were not checked.")
            return False
    except (Refused, Throttled, Malformed) as error:
        return _unfit(label, str(error))
    except Unavailable as error:
        _bad(
            "Klaviyo",
            f"{get_settings().base_url} cannot be reached: {error.reason}. Check the network, a proxy "
            "(HTTPS_PROXY) and KLAVIYO_BASE_URL.",
        )
        raise typer.Exit(EXIT_FAILED) from None
    else:
        if _is_of_another_company(which, label, envelope):
            return True
        _tell_sharing(which, label, envelope)
        _tell_other_key(which, label)
    _check_scopes(which, label)
    return False


def _is_of_another_company(which: Account, label: str, envelope: Envelope) -> bool:
    """Say to whom an account's credentials belong; return True if its company id says otherwise."""
    data = next(iter(page_items(envelope)), {})
    attributes = data.get("attributes") or {}
    company = attributes.get("public_api_key") or data.get("id")
    contact = attributes.get("contact_information")
    organisation = (contact if isinstance(contact, dict) else {}).get("organization_name") or "unnamed"
    credentials = "token" if which.grant else "key"
    _good(label, f"{credentials} valid, revision {REVISION}; it belongs to {organisation!r}, company id {company}")
    if which.company_id is None and which.generation:
        _warn(label, f"no company id is stored, which /client actions need; it is {company}.")
    elif which.company_id is None:
        _warn(label, f"no company id is set; /client actions need {which.variable('COMPANY_ID')}={company}.")
    elif which.company_id != company:
        return _unfit(
            label,
            f"the company id is {which.company_id}, but its key belongs to {company}. "
            f"Set {which.variable('COMPANY_ID')}={company}, or use that account's own key.",
        )
    return False


def _tell_sharing(which: Account, label: str, envelope: Envelope) -> None:
    """Remember which company a key belongs to, and say which accounts draw on the same limits."""
    company_id = company_of(envelope)
    if not (which.uses_key and company_id):
        return
    learn_company(which, company_id)
    if others := sharing(which.alias):
        named = f"account {others[0]}" if len(others) == 1 else f"accounts {', '.join(others)}"
        _good(label, f"shares Klaviyo's limits with {named}, whose key belongs to {company_id}, too")


def _tell_other_key(which: Account, label: str) -> None:
    for pause in get_governor().paused():
        if pause.what == f"account:{which.alias}" and pause.key not in ("", which.fingerprint):
            _warn(label, "its workers use another key, which Klaviyo refuses: restart them, and everything continues.")


def _check_scopes(which: Account, label: str) -> None:
    declarations = [action.declaration for action in ACTIONS.values() if not action.declaration.client_side]
    if which.grant and which.grant.scopes:
        granted, missing = set(which.grant.scopes), {scope for each in declarations for scope in each.scopes}
        missing -= granted
        how = remedy(which, ("…",))
    else:
        granted, missing = _tried_scopes(which, label)
        how = remedy(which, ())
        if missing:
            get_account_store().learn_lacking(which.alias, which.fingerprint, missing)
        else:
            get_account_store().forget_lacking(which.alias)
    for kind, names in by_kind(granted):
        _good(label, f"may {kind}: {names}")
    for kind, names in by_kind(missing):
        _warn(label, f"may not {kind}: {names}. {how}.")
    if barred := sorted(each.name for each in declarations if missing.intersection(each.scopes)):
        _warn(label, f"cannot call {len(barred)} actions: {', '.join(barred)}.")


def _tried_scopes(which: Account, label: str) -> tuple[set[str], set[str]]:
    """Return the scopes that a key has, and those that it lacks, by trying one action of each."""
    granted, missing = set[str](), set[str]()
    for trial in trials(action.declaration for action in ACTIONS.values()):
        if trial.others - granted:
            _warn(label, f"{trial.scope} could not be checked without {', '.join(sorted(trial.others - granted))}.")
            continue
        try:
            _ask(trial.declaration, which.alias, trial.request)
        except Forbidden:
            missing.add(trial.scope)
        except Paused as error:
            _warn(label, f"{trial.scope} could not be checked. {error.reasons}")
        except (Throttled, Unauthorized) as error:
            _warn(label, f"{trial.scope} could not be checked: {error}")
        except (
            OutcomeUnknown,
            Unavailable,
        ) as error:  # which of the two it is does not matter: the request could do nothing
            _warn(label, f"{trial.scope} could not be checked: {error.reason}.")
        except (Refused, Malformed):
            granted.add(trial.scope)  # the request is invalid on purpose, and only a key with the scope learns that
        else:
            granted.add(trial.scope)
    return granted, missing


def _ask(declaration: Declaration, alias: str, prepared: Request | None = None) -> Envelope:
    """Make one request, within the common budget; unlike a task, it is tried once."""
    governor, settings = get_governor(), get_settings()
    call = Call(declaration, alias, {}, f"check-{uuid4()}", prepared=prepared)
    until = time.monotonic() + MAX_WAIT_S
    for seconds in until_reserved(call, governor, settings):
        if time.monotonic() + seconds > until:
            raise Unavailable(declaration.name, alias, "other work is using up its limit at the moment", False)
        time.sleep(min(seconds, 1.0))
    while True:
        try:
            return attempt(call, governor, settings)
        except TokenPending as pending:
            seconds = min(pending.retry_after or 0.0, 1.0)
            if time.monotonic() + seconds > until:
                raise Unavailable(declaration.name, alias, pending.why, False) from None
            time.sleep(seconds)


def _good(what: str, text: str) -> None:
    _print_finding(checks.Finding("good", what, text))


def _warn(what: str, text: str) -> None:
    _print_finding(checks.Finding("warning", what, text))


def _bad(what: str, text: str) -> None:
    _print_finding(checks.Finding("bad", what, text))


def _unfit(label: str, text: str) -> bool:
    """Say why nothing can be sent for an account; True."""
    _bad(label, text)
    return True


def line(mark: str, style: str, what: str, text: str) -> Group:
    """Lay out a sentence next to what it is about, or below it if that is long."""
    head = Text.assemble((mark, style), " ", what)
    if len(what) <= LABEL_WIDTH:
        beside = Table.grid(padding=(0, 1))
        beside.add_column(width=LABEL_WIDTH + 2)
        beside.add_column()
        beside.add_row(head, Text(text))
        return Group(beside)
    return Group(head, Padding(Text(text), (0, 0, 0, LABEL_WIDTH + 3)))
