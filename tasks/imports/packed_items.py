"""The items of an order where an export packs them into cells: ``name:Mug|quantity:2|total:20.00``."""

from __future__ import annotations

import re
from collections.abc import Iterable


def unpack_items(cells: Iterable[str], name: re.Pattern[str]) -> list[dict[str, str]]:
    """Return the items that some cells of a row hold, each as its texts by name.

    ``name`` matches the name of a text, as its group, with what stands around it. An item begins where the first of
    its names comes again.
    """
    _, *found = name.split("|".join(filter(None, cells)))
    items: list[dict[str, str]] = []
    for key, text in zip(found[::2], found[1::2], strict=True):
        if key == found[0]:
            items.append({})
        items[-1][key] = text.strip(" |")
    return items
