"""What events, logs and exceptions show in place of people's data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Email addresses and phone numbers.
_PERSONAL = re.compile(r"[\w.+'%-]+@[\w-]+(?:\.[\w-]+)*|\+?\d[\d\s().-]{6,}\d")

#: What Flower shows of a call's positional arguments, and of parameters whose names are not shown either.
NO_ARGS, HIDDEN = "()", "{…}"


def mask_text(text: str) -> str:
    """Return the text with email addresses and phone numbers replaced by ``***``."""
    return _PERSONAL.sub("***", text)


def mask_values(params: Mapping[str, Any]) -> str:
    """Return a call as Flower shows it: the names of its parameters, none of their values."""
    return "{" + ", ".join(f"{name!r}: '***'" for name in params) + "}"


def hide_arguments(headers: dict[str, Any]) -> None:
    """Replace the repr of the arguments in a message's headers, which a foreign publisher has filled with values."""
    headers["argsrepr"], headers["kwargsrepr"] = NO_ARGS, HIDDEN
