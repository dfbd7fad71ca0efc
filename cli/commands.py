"""All commands of `klaviyo`; the module of a command is imported only when the command is run.

So each starts at once: none waits for the imports of another.
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cli.terminal.printing import EXIT_FAILED, say, stop
from worker.redis.absence import Missing, without_those_away

#: What typer passes on unparsed, by command: the options of the action, and words that should have been options.
PASS_ON = {
    "call": {"ignore_unknown_options": True, "allow_extra_args": True},
    "pause": {"allow_extra_args": True},
    "resume": {"allow_extra_args": True},
}

#: Each command: its module and function, and the first sentence of the function's docstring. A module that has
#: ``subcommands``, a `typer.Typer`, is a command with commands of its own.
COMMANDS = {
    "demo": (
        "demo.command:demo",
        "Start everything, import customers, send their purchases, read them back, and prove that every limit was "
        "kept.",
    ),
    "up": (
        "up.command:up",
        "Run worker, beat, Flower and, unless KLAVIYO_REDIS_URL is set, an embedded server, until Ctrl-C.",
    ),
    "sandbox": ("sandbox:sandbox", "Run a local Klaviyo to try things out: stateful, with Klaviyo's exact limits."),
    "actions": ("actions.command:actions", "List the actions, or show one: its parameters, limits, scopes and names."),
    "call": ("call.command:call", "Queue an action and print its task's id."),
    "import": (
        "imports.command:import_rows",
        "Import rows, and report what became of each: klaviyo import customers.csv.",
    ),
    "imports": (
        "imports.history:imports",
        "Show the imports, newest first; or one, with the reasons why rows did not land.",
    ),
    "reimport": (
        "imports.reimport:reimport",
        "Import whatever was being imported in a span of time again: each file once more, as a new run.",
    ),
    "jobs": (
        "jobs.command:jobs",
        "Show the asynchronous jobs at Klaviyo, those in progress first; or one, with its errors.",
    ),
    "push": ("push:push", "Push what has changed since the last run, and wait for the outcome."),
    "store": (
        "store:store",
        "Create the store that the syncs write to, or bring its tables up to date. Running it again does no harm.",
    ),
    "sync": (
        "sync.command:sync",
        "Copy Klaviyo's streams into the store, for every account, or show the status of each stream.",
    ),
    "export": (
        "export.command:export",
        "Export a view of the store to a new file: consent, suppressions, memberships, profiles, counts of events.",
    ),
    "limits": (
        "limits:limits",
        "Show every bucket in use: how much of each window is used, what waits, what is blocked.",
    ),
    "top": ("top:top", "Show the limits live: what waits, why, and when it will be done, the longest queues first."),
    "waiting": ("waiting:waiting", "Show the tasks waiting in Redis, oldest first, or drop them."),
    "failures": (
        "failures.command:failures",
        "Show the tasks that failed for good, by action and reason; or repeat or drop those of a group.",
    ),
    "pause": (
        "pause:pause",
        "Pause an account, an action or a tier: its tasks wait in Redis until it is resumed, even across restarts.",
    ),
    "resume": ("pause:resume", "Resume what was paused."),
    "accounts": (
        "accounts.command:accounts",
        "List the accounts, or add, authorize, rotate and remove one that is stored in Redis.",
    ),
    "schedules": (
        "schedules:schedules",
        "Show what runs on schedule: when it last ran and how that ended, when it runs next, what was missed.",
    ),
    "move": (
        "move.command:move",
        "Move everything from another Redis to the one of KLAVIYO_REDIS_URL, while no worker runs.",
    ),
    "revision": (
        "revision.command:revision",
        "Compare the actions with one of Klaviyo's OpenAPI files: the next revision, or the pinned one.",
    ),
    "client": (
        "client.command:client",
        "Write a typed module with every action, for an application in another code base; it needs only Celery.",
    ),
    "check": (
        "check.command:check",
        "Check the settings, Redis, the store, the sources of pushes, Klaviyo, and each account's key and scopes.",
    ),
}


class LazyCommand(TyperCommand):
    """A command that is not imported yet; only its line in `klaviyo --help` is known."""

    def __init__(self, name: str, place: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self._place = place

    def load(self) -> Any:
        """Import the command, with its options."""
        name, _, function = self._place.partition(":")
        # Imports leave no garbage, and collecting would take a fifth of the time.
        collecting = gc.isenabled()
        gc.disable()
        try:
            module = import_module(f"cli.{name}")
        finally:
            if collecting:
                gc.enable()
        if hasattr(module, "subcommands"):
            return get_command(module.subcommands)
        alone = typer.Typer(add_completion=False)
        alone.command(self.name, context_settings=PASS_ON.get(str(self.name)))(getattr(module, function))
        return get_command(alone)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the words after the command's name."""
        return self.load().make_context(info_name, args, parent, **extra)


class Commands(TyperGroup):
    """The commands, with every expected error printed as one sentence instead of a traceback."""

    def __init__(self, **attributes: Any) -> None:
        known = {name: LazyCommand(name, *described) for name, described in COMMANDS.items()}
        super().__init__(**{**attributes, "commands": known})

    def list_commands(self, ctx: Any) -> list[str]:
        """Return their names in the order in which they are shown."""
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. What it was without, where a Redis of several is away, is said at its end: it has failed."""
        with without_those_away() as missing:
            try:
                done = self._invoke(ctx)
            except Exception as error:
                _say_what_is_away(missing)
                if missing.errors and isinstance(error, typer.Exit) and not error.exit_code:
                    raise typer.Exit(EXIT_FAILED) from None
                raise
            _say_what_is_away(missing)
            if missing.errors:
                raise typer.Exit(EXIT_FAILED)
            return done

    def _invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            from cli.expected_errors import describe_error

            if (sentence := describe_error(error)) is None:
                raise
            raise stop(*sentence) from None


def _say_what_is_away(missing: Missing) -> None:
    if missing.errors:
        from cli.absence import absences

        for sentence in absences(missing):
            say(sentence, "red")


app = typer.Typer(
    name="klaviyo",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from worker.api.jsonapi import REVISION

        typer.echo(f"klaviyo-worker {version('klaviyo-worker')}, revision {REVISION} of Klaviyo's API")
        raise typer.Exit


@app.callback()
def klaviyo(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="which version this is")
    ] = False,
) -> None:
    """A background worker for the Klaviyo API."""
