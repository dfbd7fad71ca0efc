"""Values that are made of several columns: ``https://shop.example/products/{Handle}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_COLUMN = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A text with the places of columns in it: ``texts`` has one entry more than ``places``."""

    texts: tuple[str, ...]
    places: tuple[int, ...]

    def fill(self, cells: Sequence[str]) -> str:
        """Return the text with the cells of the places; empty if one is, since half an id or URL is worse than none."""
        if not all(cells):
            return ""
        return "".join([self.texts[0], *(part for pair in zip(cells, self.texts[1:], strict=True) for part in pair)])


def template_of(text: str, place_of: Callable[[str], int | None]) -> Template | None:
    """Return the template that a text is; None if it names no column, or one that does not exist."""
    texts = _COLUMN.split(text)
    places = [place_of(name) for name in texts[1::2]]
    known = [place for place in places if place is not None]
    return Template(tuple(texts[::2]), tuple(known)) if known and len(known) == len(places) else None


def templates_of(texts: Sequence[str], place_of: Callable[[str], int | None]) -> Iterator[Template]:
    """Yield the templates among some texts, in order."""
    yield from filter(None, (template_of(each, place_of) for each in texts))
