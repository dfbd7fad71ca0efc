"""Writing the actions as one module for other code bases: `klaviyo client > app/klaviyo_actions.py`. Pure."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Iterable, Iterator
from importlib import resources

from cli.client.types import Types
from worker import errors
from worker.api.declaration import Declaration
from worker.api.jsonapi import REVISION

HEAD = resources.files(__package__).joinpath("head.py").read_text("utf-8")

#: Errors of our own calls, sources of rows and webhooks, which no task ends with.
_NO_TASKS = (
    errors.NotConfirmed,
    errors.AlreadyRevoked,
    errors.Paused,
    errors.SourceError,
    errors.WebhookRefused,
    errors.WebhookInProgress,
)

#: The errors that a task may end with.
ERRORS = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, errors.KlaviyoError) and kind not in _NO_TASKS
]

WRITTEN = f"""\
# Written by `klaviyo client` for Klaviyo's revision {REVISION}; do not edit.
# `klaviyo client --check FILE` tells whether it still matches the workers.
# ruff: noqa
# fmt: off

"""


def module(declarations: Collection[Declaration]) -> str:
    """Return the source of the whole module."""
    parameters = [(each.annotation, _home(of)) for of in declarations for each in of.parameters.values()]
    head = [HEAD.rstrip(), *(inspect.getsource(kind).rstrip() for kind in ERRORS)]
    kinds = Types(parameters, _names("\n".join(head)))
    blocks = [WRITTEN + head[0], *head[1:], *kinds.definitions()]
    for section, members in sorted(_sections(declarations).items()):
        blocks.append(f"# {section.replace('_', ' ').capitalize()}")
        blocks += ["\n".join(_function(each, kinds)) for each in members]
    return "\n\n\n".join(blocks) + "\n"


def same(one: str, other: str) -> bool:
    """Return True if two modules have the same code, however an application's own tools have formatted one of them."""
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except SyntaxError:
        return False


def _sections(declarations: Iterable[Declaration]) -> dict[str, list[Declaration]]:
    sections: dict[str, list[Declaration]] = {}
    for each in declarations:
        sections.setdefault(each.section, []).append(each)
    return sections


def _function(declaration: Declaration, kinds: Types) -> Iterator[str]:
    yield f'@action("{declaration.limits.tier.queue}")'
    if declaration.parameters:
        yield f"def {declaration.name}("
        yield "    *,"
        for each in declaration.parameters.values():
            text = kinds.spelled(each.annotation, _home(declaration))
            yield f"    {each.name}: {text}{'' if each.required else ' = None'},"
        yield ") -> None:"
    else:
        yield f"def {declaration.name}() -> None:"
    yield f'    """{declaration.doc.partition(chr(10))[0]}"""'


def _home(declaration: Declaration) -> str:
    """Return the module in which an action is declared."""
    return f"{declaration.package}.{declaration.section}"


def _names(source: str) -> set[str]:
    """Return the names at the top level of a module."""
    found: set[str] = set()
    for node in ast.parse(source).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {each.asname or each.name for each in names}
            case ast.Assign(targets=targets):
                found |= {each.id for each in targets if isinstance(each, ast.Name)}
    return found
