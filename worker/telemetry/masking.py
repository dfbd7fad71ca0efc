"""Hides people's data and keys in events, logs, traces and exceptions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

MASK = "***"

#: Email addresses and phone numbers; and ids, some of whose digits would pass for one.
_PERSONAL = re.compile(
    r"[\w.+'%-]+@[\w-]+(?:\.[\w-]+)*"
    r"|(?P<id>(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-]))"
    r"|\+?\d[\d\s().-]{6,}\d"
)

#: Parameters whose values identify people or hold secrets, by their names in this and older revisions.
PERSONAL_NAMES = frozenset(
    [
        *("email", "emails", "email_address", "phone", "phone_number", "phone_numbers", "whatsapp_number"),
        *(
            "first_name",
            "last_name",
            "full_name",
            "organization",
            "birthday",
            "external_id",
            "anonymous_id",
            "kx",
            "_kx",
        ),
        *("address", "address1", "address2", "city", "region", "zip", "latitude", "longitude", "ip"),
        *("api_key", "authorization", "password", "token", "access_token", "refresh_token", "client_secret"),
    ]
)

#: Fields that hold a call or a part of one.
_CALLS = frozenset(["args", "kwargs", "params", "name", "title", "profile", "profiles", "attributes", "properties"])

_KEY = re.compile(r"\b[ps]k_\w+|\b(?:[Kk]laviyo-(?:api|API)-[Kk]ey|[Bb]earer)\s+[^\s'\",]+")

#: An address with everything before the @; this also matches a worker's name, and the password in a URL.
_ADDRESS = re.compile(r"[\w.+'%:-]+@([\w-]+(?:\.[\w-]+)*)")

#: Digits that are a phone number unless `_OTHER` matches. The digits of an id have letters or dashes around them.
_DIGITS = re.compile(r"(?<![\w./@-])(?<!\d:)\+?\(?\d[\d ()./-]{6,}\d(?![\w-]|[:.]\d)")
_OTHER = re.compile(r"\d{4}-\d\d-\d\d.*|\d+\.\d+|\d{1,3}(?:\.\d{1,3}){3}")
#: Fewest digits of a phone number that has no plus.
_LEAST_DIGITS = 9

#: ``'first_name': 'Ada'`` and ``first_name='Ada'``: a mapping or a call, written out.
_WRITTEN_OUT = re.compile(
    rf"(?P<name>(?:\b|__)(?:{'|'.join(sorted(PERSONAL_NAMES))})['\"]?\s*[:=]\s*)"
    r"(?P<quote>['\"])(?:\\.|(?!(?P=quote)).)*(?P=quote)"
)

#: What Flower shows of positional arguments, and of parameters whose very names are hidden.
NO_ARGS, HIDDEN = "()", "{…}"


def mask_text(text: str) -> str:
    """Return the text with email addresses and phone numbers replaced by ``***``."""
    return _PERSONAL.sub(lambda found: found["id"] or MASK, text)


def mask_line(text: str, hosts: Collection[str] = ()) -> str:
    """Return a log's line with addresses, phone numbers, keys and named personal values replaced by ``***``.

    Ids, times, and numbers of seconds or bytes stay as they are, and so do the names of workers on these hosts.
    """
    if "@" in text:
        text = _ADDRESS.sub(lambda found: found[0] if found[1] in hosts else MASK, text)
    text = _DIGITS.sub(_masked_digits, text)
    if "': " in text or '": ' in text or "='" in text or '="' in text:
        text = _WRITTEN_OUT.sub(rf"\g<name>\g<quote>{MASK}\g<quote>", text)
    return _KEY.sub(MASK, text)


def _masked_digits(found: re.Match[str]) -> str:
    text = found[0]
    digits = sum(map(str.isdigit, text))
    other = _OTHER.fullmatch(text) or (not text.startswith("+") and digits < _LEAST_DIGITS)
    return text if other else MASK


def mask_field(name: str, value: Any, hosts: Collection[str] = ()) -> Any:
    """Return a field's value as a log may show it."""
    if (name in PERSONAL_NAMES or name in _CALLS) and value is not None:
        return MASK
    if isinstance(value, str):
        return mask_line(value, hosts)
    if isinstance(value, Mapping):
        return {key: mask_field(str(key), each, hosts) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_field("", each, hosts) for each in value]
    return value if isinstance(value, bool | int | float | None) else mask_line(str(value), hosts)


def mask_values(params: Iterable[str]) -> str:
    """Return a call as Flower shows it: the names of its parameters, none of their values."""
    return "{" + ", ".join(f"{name!r}: '{MASK}'" for name in params) + "}"


def hide_arguments(headers: dict[str, Any], shown: str = HIDDEN) -> None:
    """Hide the arguments in a message's headers, which a foreign publisher has filled with their values."""
    headers["argsrepr"], headers["kwargsrepr"] = NO_ARGS, shown
