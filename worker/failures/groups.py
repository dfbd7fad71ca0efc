"""Which failures are alike: those of one action for one reason. A group holds no personal data. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from worker.errors import Answered, InputError, KlaviyoError, OutcomeUnknown, SettingsError, Unavailable
from worker.telemetry.masking import mask_text

#: How long a group's reason may be.
MAX_REASON_CHARACTERS = 300

#: A status of Klaviyo's, and what follows it, which differs from answer to answer.
_STATUS = re.compile(r"(Klaviyo answered \d+).*", re.DOTALL)
_NUMBERS = re.compile(r"\d[\d,.]*")


@dataclass(frozen=True, slots=True)
class Group:
    """Failures that are alike. ``error`` is the name of the error's class.

    ``look_at``: where to look before any is repeated; empty unless the outcome is unknown.
    """

    id: str
    action: str
    error: str
    reason: str
    look_at: str = ""

    @property
    def unknown(self) -> bool:
        """Whether these calls may have been carried out."""
        return self.error == OutcomeUnknown.__name__


def group_of(action: str, error: BaseException) -> Group:
    """Return the group of a failure; it is the same wherever and whenever the action fails for this reason."""
    name, reason = type(error).__name__, reason_of(error)
    # Numbers differ from failure to failure: a size in bytes, a position in a list.
    alike = f"{action}|{name}|{_NUMBERS.sub('#', reason)}"
    look_at = error.look_at if isinstance(error, OutcomeUnknown) else ""
    return Group(f"{action}-{sha256(alike.encode()).hexdigest()[:8]}", action, name, reason, look_at)


def reason_of(error: BaseException) -> str:
    """Return why a task failed, without whatever belongs to this task alone."""
    if isinstance(error, Answered):
        said = error.errors[0] if error.errors else {}
        what = str(said.get("title") or said.get("code") or "").rstrip(".")
        text = f"Klaviyo answered {error.status}" + (f": {what}" if what else "")
        text += f" [{error.pointers[0]}]" if error.pointers else ""
    elif isinstance(error, Unavailable | OutcomeUnknown):
        text = _STATUS.sub(r"\1", error.reason)
    elif isinstance(error, InputError):
        text = "; ".join(error.problems)
    elif isinstance(error, SettingsError):
        text = str(error)
    elif isinstance(error, KlaviyoError):
        text = type(error).__name__
    else:
        text = f"{type(error).__name__}; see the log of the worker"
    return mask_text(text)[:MAX_REASON_CHARACTERS]
