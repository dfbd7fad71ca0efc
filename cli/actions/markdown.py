"""The actions as a page of the documentation: `klaviyo actions --markdown > docs/actions.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from worker.api.declaration import Declaration
from worker.api.jsonapi import REVISION

HEAD = f"""\
# Actions

Every operation of Klaviyo's revision {REVISION}, one table for each section. `klaviyo actions NAME` shows one with its
parameters. Limits are requests a second (`s`), a minute (`m`) and a day (`d`) for each account; some values of a
parameter draw on another budget as well. "Repeat" says what happens to a request if it is unknown whether it arrived:
either it is sent again, or the task ends as `OutcomeUnknown`.

Written by `klaviyo actions --markdown`; do not edit.
"""


def markdown(declarations: Iterable[Declaration]) -> str:
    """Return the whole page."""
    sections: dict[str, list[Declaration]] = {}
    for each in declarations:
        sections.setdefault(each.section, []).append(each)
    return "\n".join([HEAD, *(line for item in sorted(sections.items()) for line in _section(*item))])


def _section(section: str, declarations: list[Declaration]) -> Iterator[str]:
    yield f"## {section.replace('_', ' ').capitalize()}\n"
    yield "| action | what it does | limits | scopes | repeat |"
    yield "| --- | --- | --- | --- | --- |"
    for each in declarations:
        cells = (f"`{each.name}`", each.doc.partition("\n")[0], _limits(each), _scopes(each), _repeat(each))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _limits(declaration: Declaration) -> str:
    more = [f"{each.bucket.limits} with `{each.parameter}={each.value}`" for each in declaration.extras]
    return "<br>".join([str(declaration.limits), *more])


def _scopes(declaration: Declaration) -> str:
    return " ".join(f"`{each}`" for each in declaration.scopes) or "none: the company id"


def _repeat(declaration: Declaration) -> str:
    repeat = declaration.repeat
    if repeat.kind == "never":
        return f"no; look at {repeat.note}"
    text = f"yes, it carries {repeat.note}" if repeat.note else "yes"
    return f"{text}; not with some parameters" if repeat.unless else text
