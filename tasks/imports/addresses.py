"""E-mail addresses as files have them, and as Klaviyo takes them. No message repeats one."""

from __future__ import annotations

import re

_UNSEEN = "\\x00-\\x1f\\x7f\\xa0\\xad\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff"
_LABEL = rf'[^@.\s{_UNSEEN},;:<>()\[\]"\\]++'
#: One ``@``; before it dots only between other letters, behind it at least one dot, and nothing that cannot be seen.
#: Possessive: imports hold millions of texts against it.
ADDRESS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*+@{_LABEL}(?:\.{_LABEL})++")
#: Letters before the ``@``, and altogether, at the most.
MOST_LOCAL, MOST = 64, 254

_EDGES = re.compile(rf"^[\s{_UNSEEN}]+|[\s{_UNSEEN}]+$")
_INSIDE = re.compile(rf"[{_UNSEEN}]")
_NAMED = re.compile(r"[^<>]*<([^<>]+)>")
_LINK = re.compile(r"mailto:\s*([^?]+)(\?.*)?", re.IGNORECASE)
_QUOTED = re.compile(r"(['\"])(.+)\1")


def address(text: str) -> str:
    """The address that a cell holds: without blanks around it, a name, ``mailto:`` or quotes; empty where it has none.

    Raises:
        ValueError: it holds no address, or one that Klaviyo does not take.

    """
    found = _EDGES.sub("", text)
    for wrapped in (_NAMED, _LINK, _QUOTED):
        if inner := wrapped.fullmatch(found):
            found = _EDGES.sub("", inner[2] if wrapped is _QUOTED else inner[1])
    found = found.rstrip(",;")
    if not found:
        return ""
    if ADDRESS.fullmatch(found) and len(found) <= MOST and found.index("@") <= MOST_LOCAL:
        return found
    raise ValueError(_problem(found))


def _problem(text: str) -> str:
    """What is wrong with what is no address."""
    told = "this is not an email address"
    advice = f"{told}; write it like name@example.com"
    if unseen := _INSIDE.search(text):
        return f"{told}: a character inside cannot be seen, U+{ord(unseen[0]):04X}; take it out"
    if text.count("@") > 1:
        return f"{told}, but seems to be several; keep one"
    if "@" not in text:
        return advice
    if "." not in text.rpartition("@")[2]:
        return f"{told}: there is no dot behind the @; write it like name@example.com"
    if ".." in text or text.startswith(".") or text.endswith(".") or ".@" in text or "@." in text:
        return f"{told}: a dot stands where none belongs; take it out"
    if len(text) > MOST or text.index("@") > MOST_LOCAL:
        return f"{told}: it is over {MOST_LOCAL} characters before the @, or {MOST} in all; use a shorter one"
    return advice
