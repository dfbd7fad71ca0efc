"""What an error means to whoever operates the worker, and what can be done with the tasks that failed of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from worker.failures.groups import Group


@dataclass(frozen=True, slots=True)
class Advice:
    """What has happened, and what to do. The most dangerous has the lowest ``rank``."""

    rank: int
    happened: str
    to_do: str


_UNKNOWN = Advice(
    0,
    "Outcome unknown",
    "May have been carried out. Look at {look_at}. If they were carried out, drop them; if not, repeat them. "
    "If only some were: drop all, and call the others again.",
)
_OTHER = Advice(2, "Error in the program", "The workers' log has the traceback. Mend it, then repeat.")
_WRONG = Advice(
    4, "Refused as wrong", "The same call would be refused again: call again with other values, and drop these."
)

#: The errors that the same call would meet again, as it is wrong itself, by the names of their classes.
REFUSED_AS_WRONG = ("BadRequest", "InputError", "TooLarge", "UnsupportedMediaType", "MethodNotAllowed")

#: By the name of the error's class, as groups are kept.
_BY_ERROR = {
    "OutcomeUnknown": _UNKNOWN,
    "Unauthorized": Advice(1, "Key refused", "Replace the account's credentials, then repeat."),
    "CredentialsFailed": Advice(1, "Credentials refused", "Replace the account's credentials, then repeat."),
    "Forbidden": Advice(1, "Not permitted", "Give the account a key that has the scope, then repeat."),
    "ScopeMissing": Advice(1, "Scope missing", "Give the account a key that has the scope, then repeat."),
    "SettingsError": Advice(1, "Setting wrong", "Correct the setting, then repeat."),
    "Gone": Advice(1, "Retired by Klaviyo", "Upgrade the worker, then repeat."),
    "Unavailable": Advice(3, "Klaviyo did not answer", "Repeat once Klaviyo answers again."),
    "Throttled": Advice(3, "Klaviyo was busy", "Repeat them."),
    "Malformed": Advice(3, "Answer unreadable", "Repeat them; if they fail again, report it."),
    "Conflict": Advice(5, "Exists already", "Nothing is lost: drop them."),
    "NotFound": Advice(
        5, "Not found", "Repeat them if what they name has been created since: what is still missing fails again. "
        "If not, drop them.",
    ),
    **dict.fromkeys(REFUSED_AS_WRONG, _WRONG),
}  # fmt: skip


def advice(group: Group) -> Advice:
    """Return what a group's error means, and what to do with its tasks."""
    found = _BY_ERROR.get(group.error, _OTHER)
    return Advice(found.rank, found.happened, found.to_do.format(look_at=group.look_at))
