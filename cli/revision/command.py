"""`klaviyo revision`: the declarations compared with one of Klaviyo's revisions."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

import tasks.registry  # noqa: F401  registers every action
from cli.revision.body_table import table, text
from cli.revision.compare import Difference, compare
from cli.terminal.printing import EXIT_FAILED, EXIT_USAGE, print_json, say, stdout, stop
from cli.terminal.tables import Listing, listing
from worker.action import ACTIONS
from worker.api.jsonapi import REVISION


def revision(
    openapi: Annotated[Path, typer.Argument(metavar="OPENAPI.json", help="one of Klaviyo's OpenAPI files")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for other programs")] = False,
    bodies: Annotated[
        Path | None,
        typer.Option(
            "--write-bodies",
            metavar="FILE",
            help="only write the shapes of its request bodies to this file",
        ),
    ] = None,
) -> None:
    """Compare the actions with one of Klaviyo's OpenAPI files: the next revision, or the pinned one.

    Klaviyo publishes it as openapi/stable.json at https://github.com/klaviyo/openapi, whose history has all revisions.

    It compares operations, routes, limits, scopes, parameters, page sizes, filters, and bodies down to the last leaf:
    which keys there are, which are required or may be null, and closed sets. The exit code is 1 if anything differs.

    With --write-bodies it writes the table by which the body of every call is checked; that of the pinned revision is
    tasks/bodies.json.
    """
    api = _read(openapi)
    if bodies:
        _write(bodies, api)
        return
    differences = compare([each.declaration for each in ACTIONS.values()], api)
    theirs = (api.get("info") or {}).get("version") or "without a version"
    if as_json:
        print_json([asdict(each) for each in differences])
    elif differences:
        stdout().print(_table(differences))
    if not differences:
        say(f"No difference: all {len(ACTIONS)} actions match revision {theirs}.", "green")
        return
    actions = len({each.action for each in differences})
    say(f"{len(differences)} differences in {actions} operations: {REVISION} is declared, the file is {theirs}.")
    raise typer.Exit(EXIT_FAILED)


def _read(path: Path) -> dict[str, Any]:
    try:
        api = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise stop(f"{path} cannot be read: {error.strerror}.", EXIT_USAGE) from None
    except ValueError:
        raise stop(f"{path} is not JSON.", EXIT_USAGE) from None
    if not isinstance(api, dict) or not isinstance(api.get("paths"), dict):
        raise stop(f"{path} is not an OpenAPI file: it has no paths.", EXIT_USAGE)
    return api


def _write(path: Path, api: dict[str, Any]) -> None:
    try:
        written = table(api)
    except (KeyError, TypeError, AttributeError):
        raise stop(
            "This is not one of Klaviyo's OpenAPI files: the shapes of its bodies cannot be read.", EXIT_USAGE
        ) from None
    try:
        path.write_text(text(written), "utf-8")
    except OSError as error:
        raise stop(f"{path} cannot be written: {error.strerror}.", EXIT_USAGE) from None
    say(f"Wrote the shapes of {len(written['bodies'])} request bodies to {path}.", "green")


def _table(differences: list[Difference]) -> Listing:
    shown = listing("action", "what", "declared", "in the file", whole=("action",), below=("what",))
    before = ""
    for each in differences:
        name = "" if each.action == before else each.action
        shown.add_row(Text(name, "bold"), each.what, each.declared or "–", Text(each.published or "–", "cyan"))
        before = each.action
    return shown
