"""All commands of `klaviyo`, each from a module of its own, which is imported when it is asked for.

Only so does a command start at once: what one of them needs, another does without.
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cli.terminal import stop

#: What passes through typer unread, by command: options of the action itself; words that are told to be options.
PASS_ON = {
    "call": {"ignore_unknown_options": True, "allow_extra_args": True},
    "pause": {"allow_extra_args": True},
    "resume": {"allow_extra_args": True},
}

#: Each command: its module and function, and the first sentence of what that says of itself.
COMMANDS = {
    "demo": (
        "demo.command:demo",
        "Start everything, import customers, send their purchases, read them back, and prove that every limit was "
        "kept.",
    ),
    "up": (
        "up:up",
        "Run worker, beat, Flower and, unless KLAVIYO_REDIS_URL is set, an embedded server, until Ctrl-C.",
    ),
    "sandbox": ("sandbox:sandbox", "Run a local Klaviyo to try things on: stateful, with Klaviyo's exact limits."),
    "actions": ("actions:actions", "List the actions, or show one: its parameters, limits, scopes and names."),
    "call": ("call:call", "Queue an action and print its task's id."),
    "import": (
        "imports.command:import_rows",
        "Import rows, and tell what became of each: klaviyo import profiles customers.csv --list NEWS --map "
        "E-Mail=email.",
    ),
    "imports": (
        "imports.history:imports",
        "Show the imports, newest first; or one, with the reasons why rows did not land.",
    ),
    "reimport": (
        "imports.reimport:reimport",
        "Import anew whatever was being imported in a span of time: each file once more, as a run of its own.",
    ),
    "jobs": (
        "jobs:jobs",
        "Show the jobs that Klaviyo has for us, those in progress first; or one, with its errors.",
    ),
    "push": ("push:push", "Push what has changed since the last run, and wait until it is known what became of it."),
    "store": (
        "store:store",
        "Make the store that the syncs write to, or bring its tables up to date. Running it again does no harm.",
    ),
    "sync": (
        "sync.command:sync",
        "Copy streams of Klaviyo's into the store, on every account, or show how far each stream is.",
    ),
    "limits": ("limits:limits", "Show every bucket in use: how much of each window, who waits, what is blocked."),
    "waiting": ("waiting:waiting", "Show the tasks that wait in Redis, oldest first, or drop them."),
    "pause": (
        "pause:pause",
        "Pause an account, an action or a tier: its tasks wait in Redis until it is resumed, whoever restarts.",
    ),
    "resume": ("pause:resume", "Let what was paused go on."),
    "schedules": (
        "schedules:schedules",
        "Show what runs by itself: when it ran last and how that ended, when it runs next, what was missed.",
    ),
    "revision": (
        "revision:revision",
        "Compare the actions with an OpenAPI file of Klaviyo's: the next revision, or the pinned one.",
    ),
    "client": (
        "client.command:client",
        "Write a typed module with every action, for an application of another code base; it needs Celery alone.",
    ),
    "check": (
        "check:check",
        "Check the settings, Redis, the store, the sources of pushes, Klaviyo, and each account's key and scopes.",
    ),
}


class Deferred(TyperCommand):
    """A command of which nothing is known yet but what `klaviyo --help` shows."""

    def __init__(self, name: str, place: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self._place = place

    def loaded(self) -> Any:
        """The command itself, with its options."""
        name, _, function = self._place.partition(":")
        # Nothing that is imported is garbage, and looking for some among it takes a fifth of the time.
        gc.disable()
        try:
            module = import_module(f"cli.{name}")
        finally:
            gc.enable()
        alone = typer.Typer(add_completion=False)
        alone.command(self.name, context_settings=PASS_ON.get(str(self.name)))(getattr(module, function))
        return get_command(alone)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read the words that follow the command's name."""
        return self.loaded().make_context(info_name, args, parent, **extra)


class Commands(TyperGroup):
    """The commands, with every expected error told as one sentence instead of a traceback."""

    def __init__(self, **attributes: Any) -> None:
        known = {name: Deferred(name, *told) for name, told in COMMANDS.items()}
        super().__init__(**{**attributes, "commands": known})

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order in which they are shown."""
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            from cli.failures import told

            if (sentence := told(error)) is None:
                raise
            raise stop(*sentence) from None


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
