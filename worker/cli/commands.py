"""All commands of `klaviyo`, each from a module of its own."""

from __future__ import annotations

import typer

from worker.cli.actions import actions
from worker.cli.call import PASS_ON, call
from worker.cli.check import check
from worker.cli.client import client
from worker.cli.demo import demo
from worker.cli.import_rows import import_rows
from worker.cli.imports import imports
from worker.cli.jobs import jobs
from worker.cli.limits import limits
from worker.cli.pause import pause, resume
from worker.cli.push import push
from worker.cli.reimport import reimport
from worker.cli.revision import revision
from worker.cli.sandbox import sandbox
from worker.cli.schedules import schedules
from worker.cli.store import store
from worker.cli.sync import sync
from worker.cli.terminal import Commands
from worker.cli.up import up
from worker.cli.waiting import waiting

app = typer.Typer(
    name="klaviyo",
    cls=Commands,
    help="A background worker for the Klaviyo API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(up)
app.command()(sandbox)
app.command()(actions)
app.command(context_settings=PASS_ON)(call)
app.command("import")(import_rows)
app.command()(imports)
app.command()(reimport)
app.command()(jobs)
app.command()(push)
app.command()(store)
app.command()(sync)
app.command()(limits)
app.command()(waiting)
app.command()(pause)
app.command()(resume)
app.command()(schedules)
app.command()(revision)
app.command()(client)
app.command()(check)
