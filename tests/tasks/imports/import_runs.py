"""From rows to what an import makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from tasks.imports.interpretation import interpret
from tasks.imports.kinds import KINDS
from tasks.imports.options import Options
from tasks.imports.parts import Part, split_into_parts
from tasks.imports.proposals import propose
from tasks.imports.rejects import Rejected
from tasks.imports.sources import open_rows
from tasks.jobs.rows import parse_rows
from tests.tasks.action_samples import NOW


@dataclass
class Made:
    """What became of some rows."""

    parts: list[Part]
    rejected: list[Rejected]
    items: list[Any]

    @property
    def rows(self) -> list[int]:
        return [row for part in self.parts for row in parse_rows(part.rows)]

    @property
    def reasons(self) -> dict[int, str]:
        return {each.row: each.reason for each in self.rejected}


class Run(Protocol):
    def __call__(self, kind: str, rows: str | Iterable[Mapping[str, Any]], **options: Any) -> Made: ...


def imported(folder: Path, kind: str, rows: str | Iterable[Mapping[str, Any]], **options: Any) -> Made:
    """Import a CSV, given as its text, or mappings."""
    if isinstance(rows, str):
        path = folder / "rows.csv"
        path.write_text(rows, encoding="utf-8", newline="")
        source = open_rows(path)
    else:
        source = open_rows(rows)
    source, plan = interpret(source, kind, Options(**{"moment": NOW, **options}))
    results = list(split_into_parts(source, plan))
    found = [each for each in results if isinstance(each, Part)]
    items = [item for part in found for item in items_of(kind, part)]
    return Made(found, [each for each in results if isinstance(each, Rejected)], items)


def items_of(kind: str, part: Part) -> list[Any]:
    """The items of a part as they travel."""
    found = orjson.loads(part.body)
    for name in KINDS[kind].path:
        found = found[name]
    return list(found)


def taken(path: Path, **options: Any) -> tuple[str | None, list[Any], dict[int, str], dict[str, str]]:
    """What a file of a kind that nobody said is recognised as, its items, its rejected rows, and what is left out."""
    found = propose(open_rows(path), options.pop("mapping", ()), options.get("export"))
    how = Options(**{"mapping": found.mapping, "fixed": found.fixed, "moment": NOW, **options})
    kind = "create_catalog_items" if found.kind == "items" else found.kind
    source, plan = interpret(open_rows(path), kind, how)
    made = list(split_into_parts(source, plan))
    items = [item["attributes"] for part in made if isinstance(part, Part) for item in items_of(kind, part)]
    rejected = {each.row: each.reason for each in made if isinstance(each, Rejected)}
    return plan.export, items, rejected, dict(plan.left_out)


def event(item: Any) -> dict[str, Any]:
    (told,) = item["events"]["data"]
    attributes = told["attributes"]
    return {
        "metric": attributes["metric"]["data"]["attributes"]["name"],
        "profile": item["profile"]["data"]["attributes"],
        **{name: value for name, value in attributes.items() if name != "metric"},
    }
