"""Values for tests that are well-formed yet bad, which only Klaviyo's answer reveals.

One marked "refused" is refused by validation, with a 400. One marked "reject" passes validation and fails in its job.
"""

from typing import Any


def refused_email(email: Any) -> bool:
    """Whether validation refuses this email."""
    return isinstance(email, str) and email.lower().endswith("@refused.example")


def rejected_email(email: Any) -> bool:
    """Whether an import job rejects this email."""
    return isinstance(email, str) and email.lower().endswith("@reject.example")


def refused_id(id: Any) -> bool:
    """Whether validation refuses this catalog id or coupon code."""
    return isinstance(id, str) and "refused" in id


def rejected_id(id: Any) -> bool:
    """Whether a bulk job rejects this catalog id or coupon code."""
    return isinstance(id, str) and "reject" in id
