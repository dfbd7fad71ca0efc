"""The usual names of columns, in the languages of shops, from `column_names.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files


@cache
def column_names() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Return the usual names of columns, by what the rows are about and by field."""
    return tomllib.loads(files("tasks.imports").joinpath("column_names.toml").read_text(encoding="utf-8"))


@cache
def all_names() -> frozenset[str]:
    """Return every usual name, whatever the rows are about."""
    return frozenset(name for fields in column_names().values() for names in fields.values() for name in names)


def plain_words(name: str) -> str:
    """Return the words of a column's name in lower case, without punctuation."""
    spaced = re.sub(r"(?<=[a-zà-ÿ])(?=[A-Z])", " ", name)
    return " ".join(re.findall(r"[^\W_]+", spaced)).casefold()
