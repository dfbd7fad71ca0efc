"""The breaks as they are written down. Pure but for the reading of the files."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One break: ``old`` becomes ``new`` in a file. ``test`` is the node id of the test that has to notice."""

    name: str
    file: str
    old: str
    new: str
    broken: str
    suffers: str
    test: str

    def applied(self, text: str) -> str:
        """The file's text with the break in it.

        Raises:
            ValueError: nobody could tell what is to be broken.

        """
        if (times := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: its old text stands {times} times in {self.file}, not once")
        return text.replace(self.old, self.new)


def read() -> list[Mutant]:
    """All breaks, file by file.

    Raises:
        ValueError: two have the same name.

    """
    found: dict[str, Mutant] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for name, about in tomllib.loads(path.read_text("utf-8")).items():
            if name in found:
                raise ValueError(f"there are two mutants {name}")
            found[name] = Mutant(name, **about)
    return list(found.values())
