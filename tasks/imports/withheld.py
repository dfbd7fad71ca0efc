"""Columns that never leave the house, whatever a mapping says: passwords, tokens, the numbers of cards and accounts."""

from __future__ import annotations

import re
from functools import lru_cache

#: Why such a column is left out.
WITHHELD = "it holds secrets by its name; an import sends none"

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
    """Whether the name of a column tells that it holds what nobody else may know."""
    return _SECRET.search(" ".join(_WORDS.findall(column)).lower()) is not None
