"""`klaviyo accounts`: the accounts, and the commands that store, change and remove them.

No secret is passed as an argument: every user of the machine can read those in the list of processes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer
from pydantic import SecretStr, TypeAdapter, ValidationError

from cli.accounts.authorize import authorize_here
from cli.accounts.rows import AccountRow, account_rows, last_used
from cli.terminal.printing import EXIT_USAGE, print_json, say, stdout, stop, working
from cli.terminal.signals import interruptible
from cli.terminal.tables import Listing, listing
from cli.terminal.times import duration
from worker.accounts.companies import find_parted
from worker.accounts.credentials import Account
from worker.accounts.lookup import NO_ACCOUNT, all_accounts, configured
from worker.accounts.oauth import resume_if_replaced, revoke
from worker.accounts.stored import checked_alias, get_account_store
from worker.errors import KlaviyoError
from worker.governor import get_governor
from worker.redis.homes import at_each, at_home, gathered
from worker.setting_names import alias_of
from worker.settings import ApiKey, Zone, get_settings

#: How many scopes the table names.
MAX_SCOPES = 3

#: The command with its own commands.
subcommands = typer.Typer(name="accounts", add_completion=False)

Name = Annotated[str, typer.Argument(help="alias of the account")]
FromEnv = Annotated[str | None, typer.Option("--from-env", help="name of an environment variable that holds the key")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]


@subcommands.callback(invoke_without_command=True)
def accounts(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for other programs")] = False,
) -> None:
    """List the accounts, or add, authorize, rotate and remove one that is stored in Redis."""
    if context.invoked_subcommand:
        if as_json:
            raise stop(f"--json lists the accounts: leave it out, or {context.invoked_subcommand}.", EXIT_USAGE)
        return
    rows = gathered(_read)
    if as_json:
        print_json([asdict(row) for row in rows])
    elif rows:
        stdout().print(table(rows, time.time()))
    else:
        say(NO_ACCOUNT)


def _read() -> Iterator[AccountRow]:
    governor = get_governor()
    return account_rows(all_accounts(get_settings()), governor.paused(), last_used(governor.last_served()))


def table(rows: list[AccountRow], now: float) -> Listing:
    """Lay out the accounts."""
    weighted = ["weight"] if any(row.weight != 1 for row in rows) else []
    names = ("account", "credentials", "from", *weighted, "last used", "state", "scopes")
    shown = listing(*names, whole=("account",), below=("scopes",))
    for row in rows:
        used = f"{duration(max(0.0, now - row.used))} ago" if row.used else "never"
        weight = [f"{row.weight:,}"] if weighted else []
        shown.add_row(row.alias, row.kind, row.where, *weight, used, row.state, _scopes(row, now))
    return shown


def _scopes(row: AccountRow, now: float) -> str:
    """A grant's scopes, and how long its current token is valid. The scopes of a key only Klaviyo knows."""
    if row.scopes is None or row.expires is None:
        return ""
    more = len(row.scopes) - MAX_SCOPES
    named = ", ".join(row.scopes[:MAX_SCOPES]) + (f" and {more} more" if more > 0 else "")
    left = row.expires - now
    return f"{named}; token {f'expires in {duration(left)}' if left > 0 else 'expired'}"


@subcommands.command()
def add(
    name: Name,
    from_env: FromEnv = None,
    company_id: Annotated[str | None, typer.Option(help="its public company id, for /client actions")] = None,
    timezone: Annotated[str | None, typer.Option(help="the zone of its schedule")] = None,
    conversion_metric: Annotated[str | None, typer.Option(help="the metric that reports count")] = None,
    weight: Annotated[int, typer.Option(min=1, max=1000, help="its shares of the workers; others have 1")] = 1,
) -> None:
    """Store an account with a private API key, which is asked for, or read from a pipe or a variable."""
    alias = _storable(name)
    if any(at_each(lambda: get_account_store().read(alias)).values()):
        raise stop(f"Account {alias} is stored already. For another key: klaviyo accounts rotate {alias}", EXIT_USAGE)
    zone = _checked(Zone, timezone, "--timezone") if timezone else None
    key = _read_key(from_env)
    get_account_store().change(
        alias,
        api_key=key,
        company_id=company_id,
        timezone=zone,
        conversion_metric=conversion_metric,
        weight=weight,
    )
    say(f"Account {alias} is stored. Workers use it within seconds; `klaviyo check --account {alias}` tries its key.")


@subcommands.command()
def authorize(
    name: Name,
    scope: Annotated[list[str] | None, typer.Option(help="ask for this scope, too")] = None,
    port: Annotated[int, typer.Option(help="port of this machine to which Klaviyo's answer comes back")] = 8914,
    browser: Annotated[bool, typer.Option("--browser", help="open the address in a browser")] = False,
    other_account: Annotated[
        bool, typer.Option("--other-account", help="let the alias stand for another Klaviyo account than before")
    ] = False,
) -> None:
    """Have someone allow your OAuth application to work on their account; also to widen or renew that."""
    account = authorize_here(_storable(name), scope or [], port, browser, other_account)
    assert account.grant is not None
    say(f"Account {account.alias} is authorized for: {', '.join(sorted(account.grant.scopes))}.")


@subcommands.command()
def rotate(
    name: Annotated[str | None, typer.Argument(help="alias of the account")] = None, from_env: FromEnv = None
) -> None:
    """Replace the API key of a stored account; without a name, encrypt all accounts with the first secret key."""
    if name is None and from_env:
        raise stop(f"Say whose key that is: klaviyo accounts rotate NAME --from-env {from_env}", EXIT_USAGE)
    if name is None:
        done = sum(at_each(lambda: get_account_store().encrypt_anew()).values())
        say(f"{done:,} accounts re-encrypted. All are encrypted with the first key of KLAVIYO_SECRET_KEY.")
        return
    found = _stored(name)
    if found.grant:
        raise stop(f"Account {found.alias} has no key: klaviyo accounts authorize {found.alias}", EXIT_USAGE)
    key = _read_key(from_env)
    with at_home(found.alias):
        changed = get_account_store().change(found.alias, api_key=key)
        assert changed is not None
        resumed = " Its tasks, which were waiting for it, go on." if resume_if_replaced(changed) else ""
    say(f"Account {found.alias} has a new key. Workers use it within seconds.{resumed}")


@subcommands.command()
def weigh(
    name: Name, weight: Annotated[int, typer.Argument(min=1, max=1000, help="its shares of the workers; others have 1")]
) -> None:
    """Give a stored account so many shares of the workers, for as long as others want some, too."""
    found = _stored(name)
    with at_home(found.alias):
        get_account_store().change(found.alias, weight=weight)
    say(f"Account {found.alias} has the weight {weight:,}. Workers go by it within seconds.")


@subcommands.command()
def remove(name: Name, yes: Yes = False) -> None:
    """Remove a stored account, and give its grant back to Klaviyo; says first what still waits for it."""
    found = _stored(name)
    mine = f"{found.alias}:"
    with at_home(found.alias):
        waiting = sum(sum(counts) for line, counts in get_governor().counts().items() if line.startswith(mine))
    if waiting:
        say(
            f"{waiting:,} tasks wait for account {found.alias}. Without it each ends as a failure when its turn comes; "
            f"to drop them: klaviyo waiting --account {found.alias} --drop"
        )
    if not yes:
        typer.confirm(f"Remove account {found.alias}? There is no undo.", abort=True, err=True)
    try:
        revoke(found)
    except KlaviyoError as error:
        say(
            f"Its grant could not be given back ({error}): whoever owns it can remove the application in Klaviyo.",
            "yellow",
        )
    with at_home(found.alias):
        get_account_store().remove(found.alias)
    say(f"Account {found.alias} is removed.")


@subcommands.command()
def move(
    name: Name,
    to: Annotated[str, typer.Argument(metavar="REDIS", help="the name that KLAVIYO_REDIS_URLS gives it; or main")],
) -> None:
    """Move a stored account to another Redis: its new calls wait there until what it began before has ended."""
    from cli.accounts.moving import begin_move, finish_move, until_all_has_ended

    alias = _storable(name)
    source = begin_move(alias, to)
    for parted in find_parted(get_settings()):
        if (alias, to) in parted.accounts:
            say(f"Of Klaviyo's limits: {parted}.", "yellow")
    with working(f"Account {alias} moves from {source} to {to} …") as show, interruptible():
        for left in until_all_has_ended(alias, source):
            things = ", ".join(f"{number:,} {what}" for what, number in left.items())
            show(f"Still on {source}: {things}. Ctrl-C leaves it so; the same command carries on.")
    finish_move(alias, source, to)
    say(f"Account {alias} lives on {to} now.")


def _storable(name: str) -> str:
    """Return the alias of an account that may be stored.

    Raises:
        Exit: the settings define this account.

    """
    alias = checked_alias(alias_of(name))
    if alias in configured(get_settings()):
        raise stop(f"Account {alias} is defined in the settings: change it there, or choose another alias.", EXIT_USAGE)
    return alias


def _stored(name: str) -> Account:
    alias = _storable(name)
    with at_home(alias):
        if found := get_account_store().read(alias):
            return found
    raise stop(f"No account {alias} is stored: `klaviyo accounts` lists them.", EXIT_USAGE)


def _read_key(variable: str | None) -> SecretStr:
    """Read an API key from a variable, from the terminal, or from a pipe.

    Raises:
        Exit: there is none, or it is not a possible key.

    """
    if variable:
        given = os.environ.get(variable, "")
        source = f"the variable {variable}"
    elif sys.stdin.isatty():
        given, source = typer.prompt("Private API key", hide_input=True, err=True), "what was typed"
    else:
        given, source = sys.stdin.readline(), "standard input"
    if not given.strip():
        otherwise = "" if variable else ": pipe it in, or name a variable with --from-env"
        raise stop(f"There is no key in {source}{otherwise}.", EXIT_USAGE)
    key: SecretStr = _checked(ApiKey, given, source)
    return key


def _checked(kind: Any, given: str, source: str) -> Any:
    """Check a value as the settings would.

    Raises:
        Exit: it is wrong. The value is not shown.

    """
    try:
        return TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        said = error.errors(include_input=False, include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise stop(f"{source}: {said}.", EXIT_USAGE) from None
