"""Plans of imports as files: what `--save-map` writes, `--map FILE.toml` reads."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.imports.fields import Field
from tasks.imports.mapping import TYPES
from tasks.imports.options import Options
from tasks.imports.orders import COST, ITEM_ID, ITEMS
from tasks.imports.plan import Plan
from tasks.imports.products import PRODUCT_ID, VARIANT_ID
from tasks.imports.sources import count_reject_columns
from worker.errors import InputError

#: What a plan has besides its columns, each named like its option.
SETTINGS = ("kind", "as", "time_zone", "country", "dates", "decimals")

_TYPES = {form_and_style: type for type, form_and_style in TYPES.items()}

#: Columns that are made of others.
_ADDED = (ITEMS, COST, ITEM_ID, PRODUCT_ID, VARIANT_ID)


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved plan."""

    mapping: tuple[str, ...]
    fixed: dict[str, Any]
    settings: dict[str, str]


def read(given: Sequence[str]) -> Saved:
    """Read mappings: those that were typed, and those of plan files. What was typed wins.

    Raises:
        InputError: a file cannot be read, or is not a plan.

    """
    typed = [each for each in given if "=" in each or not each.endswith(".toml")]
    columns: dict[str, str] = {}
    fixed: dict[str, Any] = {}
    settings: dict[str, str] = {}
    for path in (Path(each) for each in given if each not in typed):
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError("import", [f"{path} cannot be read: {error.strerror}"]) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            raise InputError("import", [f"{path} is not a TOML file as --save-map writes it"]) from None
        if unknown := sorted(found.keys() - {*SETTINGS, "columns", "set"}):
            raise InputError(
                "import",
                [f"{path} says {unknown[0]!r}, which is not a setting of a plan; those are {', '.join(SETTINGS)}"],
            )
        columns |= found.get("columns", {})
        fixed |= found.get("set", {})
        settings |= {name: str(found[name]) for name in SETTINGS if name in found}
    own = {each.rpartition("=")[0] for each in typed}
    mapping = [f"{column}={target}" for column, target in columns.items() if column not in own]
    return Saved((*mapping, *typed), fixed, settings)


def write(path: Path, kind: str, plan: Plan, options: Options) -> None:
    """Save a plan: every column with its field and how its values are read.

    Raises:
        InputError: the file exists, or cannot be written.

    """
    header = plan.header or ()
    lines = [f"kind = {_text(kind)}"]
    given = {"as": plan.export, "time_zone": options.time_zone, "country": options.country}
    given |= {"dates": options.dates, "decimals": options.decimals}
    lines += [f"{name} = {_text(value)}" for name, value in given.items() if value]
    if options.fixed:
        lines += ["", "[set]", *(f"{_text(name)} = {_value(value)}" for name, value in options.fixed.items())]
    lines += ["", "[columns]"]
    for place, name in enumerate(header):
        if place >= count_reject_columns(header) and name not in _ADDED:
            field = plan.columns.get(place)
            lines.append(f"{_text(name)} = {_text(target(field) if field else '')}")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write("\n".join([*lines, ""]))
    except FileExistsError:
        raise InputError("import", [f"{path} exists: name another file for the plan"]) from None
    except OSError as error:
        raise InputError("import", [f"the plan cannot be written to {path}: {error.strerror}"]) from None


def target(field: Field) -> str:
    """Return a field as a mapping names it, with how its values are read unless its name implies it."""
    type = _TYPES.get((field.form, field.style)) or _TYPES.get((field.form, ""), "text")
    is_property = field.annotation is Any and len(field.keys) > 1
    return f"{field.name}:{type}" if type != "text" and (is_property or field.style) else field.name


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _value(value: Any) -> str:
    return (
        json.dumps(value, ensure_ascii=False)
        if isinstance(value, str | int | float | bool)
        else _text(json.dumps(value))
    )
