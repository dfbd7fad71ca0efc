"""`klaviyo actions`: the actions and their parameters, from the declarations."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import typer
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from typing_extensions import is_typeddict

import tasks.registry  # noqa: F401  registers every action
from cli.actions.markdown import markdown
from cli.terminal.printing import EXIT_USAGE, print_json, stdout, stop
from cli.terminal.tables import facts, listing
from worker.account_and_lane import TASK_PREFIX
from worker.action import ACTIONS, NAMES_2024
from worker.api.declaration import Declaration
from worker.api.parameters import Parameter
from worker.api.seed_names import Adds, Alias, Dropped
from worker.api.wire import unwrap

#: How many values of a choice are listed before the rest is counted.
MAX_CHOICES = 6

#: The width from which there is room for methods and paths.
PATHS_MIN_WIDTH = 110


def actions(
    search: Annotated[str, typer.Argument(metavar="[NAME|SEARCH]", help="an action, or a part of its name")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, for other programs")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="print tables in Markdown, as in docs/actions.md")
    ] = False,
) -> None:
    """List the actions, or show one: its parameters, limits, scopes and names."""
    if as_json and as_markdown:
        raise stop("--json and --markdown are two formats: give one of them.", EXIT_USAGE)
    found = list(matching(search))
    if not found:
        raise stop(f"No action matches {search!r}. `klaviyo actions` lists them all.", EXIT_USAGE)
    if as_json:
        print_json([as_dict(each) for each in found])
    elif as_markdown:
        typer.echo(markdown(found), nl=False)
    elif len(found) == 1:
        stdout().print(_shown(found[0]))
    else:
        console = stdout()
        console.print(_listed(found, with_paths=console.width >= PATHS_MIN_WIDTH))


def matching(search: str) -> Iterator[Declaration]:
    """Yield the action of exactly this name, in either revision; otherwise all whose name, path or section has it."""
    word = search.strip().lower().removeprefix(TASK_PREFIX).replace("-", "_")
    name = NAMES_2024.get(word, word)
    if name in ACTIONS:
        yield ACTIONS[name].declaration
        return
    for action in ACTIONS.values():
        declaration = action.declaration
        places = (declaration.name, declaration.section, declaration.path, *declaration.names_2024)
        if any(word in place or word in place.replace("-", "_") for place in places):
            yield declaration


def as_dict(declaration: Declaration) -> dict[str, Any]:
    """Return an action as JSON-compatible values."""
    return {
        "name": declaration.name,
        "aliases": list(declaration.names_2024),
        "section": declaration.section,
        "summary": _summary(declaration),
        "method": declaration.method,
        "path": declaration.path,
        "limits": str(declaration.limits),
        "tier": declaration.limits.tier.name,
        "buckets": [
            {"name": declaration.name, "limits": str(declaration.limits), "when": None},
            *(
                {
                    "name": each.bucket.name,
                    "limits": str(each.bucket.limits),
                    "when": f"{each.parameter}={each.value}",
                }
                for each in declaration.extras
            ),
        ],
        "scopes": list(declaration.scopes),
        "repeatability": {"kind": declaration.repeat.kind, "note": declaration.repeat.note},
        "parameters": [
            {
                "name": each.name,
                "type": kind(each.annotation),
                "required": each.required,
                "place": each.location,
                "wire": each.wire,
                "aliases": [name for name, _ in _aliases(declaration, each.name)],
            }
            for each in declaration.parameters.values()
        ],
        "constants": [name for name, target in declaration.aliases.items() if _is_constant(target)],
    }


def kind(annotation: Any) -> str:
    """Return an annotation as a caller thinks of it: ``str``, ``list[dict]``, ``email | sms``."""
    plain, _ = unwrap(annotation)
    origin = get_origin(plain)
    if origin is typing.Literal:
        values = [str(each) for each in get_args(plain)]
        more = f" | … ({len(values)})" if len(values) > MAX_CHOICES else ""
        return " | ".join(values[:MAX_CHOICES]) + more
    if origin in (typing.Union, types.UnionType):
        return " | ".join(dict.fromkeys(kind(each) for each in get_args(plain) if each is not type(None)))
    if origin is list:
        return f"list[{kind(get_args(plain)[0])}]"
    if origin is dict or is_typeddict(plain):
        return "dict"
    return str(getattr(plain, "__name__", plain))


def _listed(found: list[Declaration], with_paths: bool) -> Group:
    width = max(len(each.name) for each in found)
    sections: dict[str, list[Declaration]] = {}
    for each in found:
        sections.setdefault(each.section, []).append(each)
    blocks: list[Any] = []
    for section, members in sorted(sections.items()):
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
        table.add_column(min_width=width, no_wrap=True)
        table.add_column(min_width=4, no_wrap=True, style="cyan")
        table.add_column(min_width=18, no_wrap=True, style="cyan")
        if with_paths:
            table.add_column(no_wrap=True, overflow="ellipsis", style="dim")
        for each in members:
            path = [f"{each.method} {each.path}"] if with_paths else []
            table.add_row(each.name, each.limits.tier.name, str(each.limits), *path)
        blocks += [Text(section.replace("_", " ").capitalize(), style="bold"), Padding(table, (0, 0, 1, 2))]
    closing = f"{len(found)} actions. `klaviyo actions NAME` shows one with its parameters."
    return Group(*blocks, Text(closing, style="dim"))


def _shown(declaration: Declaration) -> Group:
    title = Text.assemble((declaration.name, "bold"), f"   {declaration.method} {declaration.path}")
    return Group(
        title,
        Padding(Text(_reflowed(declaration.doc)), (1, 0, 1, 2)),
        Padding(_facts(declaration), (0, 0, 1, 2)),
        *_parameters(declaration),
        *_flat_names(declaration),
    )


def _facts(declaration: Declaration) -> Table:
    extras = (
        f"and {extra.bucket.limits} for the account's calls with {extra.parameter}={extra.value}"
        for extra in declaration.extras
    )
    return facts(
        ("tier", f"{declaration.limits.tier.name} (queue {declaration.limits.tier.queue})"),
        ("limits", str(declaration.limits)),
        *(("", each) for each in extras),
        ("scopes", " ".join(declaration.scopes) or "none: it takes the public company id"),
        ("repeating", _repeating(declaration)),
        ("names in 2024", " ".join(declaration.names_2024) or "the same"),
    )


def _repeating(declaration: Declaration) -> str:
    repeat = declaration.repeat
    if repeat.kind == "never":
        return f"not when the outcome is unknown; then look at {repeat.note}"
    text = "safe" if repeat.kind == "safe" else f"safe, it carries {repeat.note}"
    return f"{text}; not so with some parameters" if repeat.unless else text


def _parameters(declaration: Declaration) -> Iterator[Any]:
    if not declaration.parameters:
        yield Text("  It takes no parameters.\n")
        return
    table = listing("parameter", "type", "on the wire", whole=("parameter", "on the wire"), below=("on the wire",))
    for each in declaration.parameters.values():
        name = Text(option(each.name))
        if each.required:
            name.append(" *", "red")
        table.add_row(name, kind(each.annotation), Text(_wire(each), "dim"))
    yield Padding(table, (0, 0, 0, 2))
    if any(each.required for each in declaration.parameters.values()):
        yield Text("  * required", style="dim")
    yield Text()


def option(name: str) -> str:
    """Return a parameter's name as an option of `klaviyo call`."""
    return "--" + name.replace("_", "-")


def _wire(parameter: Parameter) -> str:
    match parameter.location:
        case "query":
            return f"?{parameter.wire}"
        case "path":
            return f"in the path: {{{parameter.name}}}"
        case "aside":
            return "not sent itself"
        case _:
            return parameter.wire


def _flat_names(declaration: Declaration) -> Iterator[Any]:
    if not declaration.aliases:
        return
    table = listing("flat name", "stands for")
    for name, target in declaration.aliases.items():
        table.add_row(name, Text(_target(target), "dim"))
    yield Padding(table, (0, 0, 0, 2))


def _target(target: object) -> str:
    match target:
        case Alias((), constant):
            return f"always {constant!r}; dropped"
        case Alias(keys):
            return ".".join(keys)
        case Adds(parameter, value):
            return f"{value!r} in {parameter}"
        case Dropped(why):
            return f"nothing: {why}"
        case _:
            return "translated for the current revision"


def _aliases(declaration: Declaration, parameter: str) -> Iterator[tuple[str, object]]:
    for name, target in declaration.aliases.items():
        if (isinstance(target, Alias) and target.keys[:1] == (parameter,)) or (
            isinstance(target, Adds) and target.parameter == parameter
        ):
            yield name, target


def _is_constant(target: object) -> bool:
    return isinstance(target, Alias) and not target.keys


def _reflowed(doc: str) -> str:
    """Return the docstring without the source's newlines, so that the terminal can wrap it."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in doc.split("\n\n"))


def _summary(declaration: Declaration) -> str:
    return declaration.doc.partition("\n")[0]
