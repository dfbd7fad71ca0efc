"""Email addresses as files spell them, turned into the form that Klaviyo accepts. No message repeats one."""

from __future__ import annotations

import re

from tasks.imports.cells import PLACEHOLDERS

_UNSEEN = "\\x00-\\x1f\\x7f\\xa0\\xad\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff"
_REFUSED = rf'@.\s{_UNSEEN},;:<>()\[\]"\\'
_WORD, _LABEL = rf"[^{_REFUSED}]++", rf"[^{_REFUSED}']++"
#: One ``@``; before it, dots only between other characters; after it, at least one dot; no invisible characters, and no
#: apostrophe in the domain. Possessive quantifiers, because imports match millions of texts against it.
ADDRESS = re.compile(rf"{_WORD}(?:\.{_WORD})*+@{_LABEL}(?:\.{_LABEL})++")
#: The longest part before the ``@``, and the longest address.
MAX_LOCAL_CHARACTERS, MAX_CHARACTERS = 64, 254

_EDGES = re.compile(rf"^[\s{_UNSEEN}]+|[\s{_UNSEEN}]+$")
_INSIDE = re.compile(rf"[{_UNSEEN}]")
_NAMED = re.compile(r"[^<>]*<([^<>]+)>")
_LINK = re.compile(r"mailto:\s*([^?]+)(\?.*)?", re.IGNORECASE)
_QUOTED = re.compile(r"(['\"])(.+)\1")


def parse_address(text: str) -> str:
    """Return the bare address in a cell, without blanks, a name, ``mailto:`` or quotes; empty if there is none.

    Raises:
        ValueError: it holds no address, or one that Klaviyo does not accept.

    """
    found = _EDGES.sub("", text)
    for wrapped in (_NAMED, _LINK, _QUOTED):
        if inner := wrapped.fullmatch(found):
            found = _EDGES.sub("", inner[2] if wrapped is _QUOTED else inner[1])
    found = found.rstrip(",;")
    if not found or found.casefold() in PLACEHOLDERS:
        return ""
    if ADDRESS.fullmatch(found) and len(found) <= MAX_CHARACTERS and found.index("@") <= MAX_LOCAL_CHARACTERS:
        return found
    raise ValueError(_problem(found))


def _problem(text: str) -> str:
    """Say why a text is not an address."""
    problem = "this is not an email address"
    advice = f"{problem}; write it like name@example.com"
    if unseen := _INSIDE.search(text):
        return f"{problem}: it contains the invisible character U+{ord(unseen[0]):04X}; take it out"
    if text.count("@") > 1:
        return f"{problem}, but seems to be several; keep one"
    if "@" not in text:
        return advice
    if "." not in text.rpartition("@")[2]:
        return f"{problem}: there is no dot after the @; write it like name@example.com"
    if ".." in text or text.startswith(".") or text.endswith(".") or ".@" in text or "@." in text:
        return f"{problem}: there is a dot in the wrong place; take it out"
    if len(text) > MAX_CHARACTERS or text.index("@") > MAX_LOCAL_CHARACTERS:
        limits = f"{MAX_LOCAL_CHARACTERS} characters before the @ or {MAX_CHARACTERS} in all"
        return f"{problem}: it has more than {limits}; use a shorter one"
    return advice
