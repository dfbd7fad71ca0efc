"""The files of an import, where folders or patterns were typed."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.imports.sources import FORMATS
from worker.errors import InputError


def list_files(typed: Iterable[str]) -> Iterator[str]:
    """Yield the files: of a folder all that can be imported, but for reject files, and those that a pattern matches.

    Raises:
        InputError: there is none in a folder, or of a pattern.

    """
    for each in typed:
        path = Path(each)
        if path.is_dir():
            found = sorted(str(file) for file in path.iterdir() if file.is_file() and _can_be_imported(file))
        elif glob.has_magic(each) and not path.exists() and not each.startswith("sql:"):
            found = sorted(glob.glob(each))  # noqa: PTH207  pathlib takes no absolute pattern
        else:
            found = [each]
        if not found:
            raise InputError("import", [f"there is no file to import in {each}"])
        yield from found


def _can_be_imported(file: Path) -> bool:
    *_, suffix = Path(file.name.lower().removesuffix(".gz")).suffixes or [""]
    return (suffix in FORMATS or suffix == ".zip") and ".rejects." not in file.name
