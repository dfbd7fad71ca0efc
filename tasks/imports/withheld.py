"""Columns that are never sent, whatever a mapping says: passwords, tokens, card and account numbers."""

from __future__ import annotations

import re
from functools import lru_cache

#: Why such a column is left out.
WITHHELD = "by its name it holds secrets, which an import never sends"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET = re.compile(
    r"\b("
    r"password\w*|passwd|passwort|pwd|passphrase|user pass|pass hash|hash pass|(password|hash) salt"
    r"|tokens?|api key|private key|secret key|client secret|shared secret|otp|totp|security (answer|question)"
    r"|(credit|debit|payment|bank)? ?card (number|num|no)|cardnumber|credit ?card|cc (number|num|no)"
    r"|card pan|cvv2?|cvc2?"
    r"|iban|bank account|routing number|ssn|social security"
    r")\b"
)


@lru_cache(maxsize=10_000)
def is_secret(column: str) -> bool:
    """Return True if a column's name says that it holds secrets."""
    return _SECRET.search(" ".join(_WORDS.findall(column)).lower()) is not None
