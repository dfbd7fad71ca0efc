"""Everything that can go wrong, as one tree.

KlaviyoError
├── SettingsError            a setting, an account or a key is missing or wrong
│   └── ScopeMissing         the account's credentials do not have a scope that the action needs
├── NotConfirmed             Redis did not say in time that it has a call; a repeat with the same id does no harm
├── AlreadyRevoked           a call with the id of a task that was revoked: that stays so
├── Paused                   somebody has paused what a call belongs to
├── InputError               a call that is refused before anything is published
├── SourceError              a file of rows is not what it claims to be
├── WebhookRefused           a request that claims to be a webhook of Klaviyo's, and is not, or is an old one
├── WebhookInProgress        the events of a webhook are being handled already
├── Refused                  Klaviyo said no; asking again would not help
│   ├── CredentialsFailed    the account's credentials are of no use any more
│   ├── BadRequest 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · MethodNotAllowed 405
│   └── Conflict 409 · Gone 410 · TooLarge 413 · UnsupportedMediaType 415
├── Throttled                429: the task waits, and no attempt is used
│   └── TokenPending         so it does until there is a new access token
├── Unavailable              5xx, no connection, no answer, a Cloudflare challenge: tried again with backoff
├── Malformed                an answer that cannot be gone on with, whatever is asked again
├── OutcomeUnknown           it may have happened and must not be repeated blindly
└── JobFailed                an asynchronous job ended, and not well
    └── JobCancelled · JobVanished · JobExpired · JobTimedOut

Celery rebuilds an exception in another process as ``cls(*args)`` from JSON, so every argument is positional,
JSON-safe and handed to ``Exception.__init__``. No text holds a key or a person's data.

It looks for ``cls`` in the module that the stored result names: `STORED_AS`, which is this module here, and that of
`klaviyo client` in an application of another code base.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from kombu.exceptions import OperationalError

#: The module that results name; not this one's name, which may be that of another package where they are read.
STORED_AS = "klaviyo_errors"
sys.modules[STORED_AS] = sys.modules[__name__]


class KlaviyoError(Exception):
    """The root of the tree."""

    def __repr__(self) -> str:
        """What Flower shows of a task that failed, and Celery logs: the sentence, as a traceback ends with it."""
        return f"{type(self).__name__}: {self}"


class SettingsError(KlaviyoError):
    """A setting, an account, a key or a scope is missing or wrong; the text says what to do."""


class ScopeMissing(SettingsError):
    """A call that needs a scope which the account's credentials do not have. Nothing was sent."""

    def __init__(self, action: str, account: str, scopes: list[str], remedy: str) -> None:
        super().__init__(action, account, scopes, remedy)
        self.action = action
        self.account = account
        self.scopes = scopes
        self.remedy = remedy

    def __str__(self) -> str:
        which = f"the scope{'s' if len(self.scopes) > 1 else ''} {', '.join(self.scopes)}"
        return (
            f"{self.action} needs {which}, which the credentials of account {self.account} do not have. "
            f"{self.remedy}. Nothing was sent."
        )


class NotConfirmed(KlaviyoError, OperationalError):
    """Redis did not confirm a call within ``KLAVIYO_PUBLISH_TIMEOUT``: it may have been published, or not.

    Publishing it once more with ``task_id`` makes one task of both for two minutes, and for as long as it waits.
    """

    def __init__(self, action: str, task_id: str, reason: str) -> None:
        super().__init__(action, task_id, reason)
        self.action = action
        self.task_id = task_id
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.action}: Redis has not confirmed the task: {self.reason}{'' if self.reason.endswith('?') else '.'} "
            f"Publish it again with task_id={self.task_id!r}: both calls will be one task."
        )


class AlreadyRevoked(KlaviyoError):
    """A call with the id of a task that was revoked, dropped, or has expired. Nothing was published.

    An id stays revoked, as it does for Celery's workers: here for a day at least, whichever of them is up.
    """

    def __init__(self, task_id: str, reason: str) -> None:
        super().__init__(task_id, reason)
        self.task_id = task_id
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"Task {self.task_id} has ended as REVOKED ({self.reason}), and its id stays so: nothing was published. "
            "Make the call without task_id, or with another."
        )


class Paused(KlaviyoError):
    """A request was to be made at once, but its account, its action or its tier is paused."""

    def __init__(self, action: str, account: str, reasons: str) -> None:
        super().__init__(action, account, reasons)
        self.action = action
        self.account = account
        self.reasons = reasons

    def __str__(self) -> str:
        return f"{self.action} on account {self.account} was not sent. {self.reasons}"


class InputError(KlaviyoError):
    """A call with bad input. Nothing was published and nothing was sent."""

    def __init__(self, action: str, problems: list[str]) -> None:
        super().__init__(action, problems)
        self.action = action
        self.problems = problems

    def __str__(self) -> str:
        said = "; ".join(self.problems)
        return f"{self.action}: {said}{'' if said.endswith('?') else '.'} Nothing was sent."


class SourceError(KlaviyoError):
    """A source of rows is not what it claims to be, which may show only after a part of it was sent."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}."


class WebhookRefused(KlaviyoError):
    """A request that claims to be a webhook of Klaviyo's cannot be trusted; ``reason`` holds nothing of its body."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"This request is refused as a webhook of Klaviyo's: {self.reason}."


class WebhookInProgress(KlaviyoError):
    """Events of a webhook arrived again while they are being handled, or a minute after their handler died."""

    def __str__(self) -> str:
        return "These events of a webhook are being handled already. Answer 503, so that Klaviyo delivers them again."


class Answered(KlaviyoError):
    """Klaviyo's answer to one request, as far as it may be made public.

    ``errors`` are JSON:API error objects cut down to ``id``, ``code``, ``title``, ``detail``, ``source`` and
    ``meta``, with what looks like a person's data masked.
    """

    advice: ClassVar[str] = ""

    def __init__(self, action: str, account: str, status: int, errors: list[dict[str, Any]]) -> None:
        super().__init__(action, account, status, errors)
        self.action = action
        self.account = account
        self.status = status
        self.errors = errors

    @property
    def error_id(self) -> str | None:
        """Klaviyo's id of the first error: the only request id that Klaviyo gives, and what its support asks for."""
        return next((e["id"] for e in self.errors if e.get("id")), None)

    @property
    def pointers(self) -> list[str]:
        """The JSON pointers or parameter names that the errors name, in order."""
        sources = [e.get("source") or {} for e in self.errors]
        return [str(s.get("pointer") or s.get("parameter")) for s in sources if s.get("pointer") or s.get("parameter")]

    def __str__(self) -> str:
        said = " / ".join(self._said(e) for e in self.errors[:5])
        more = f" (and {len(self.errors) - 5} more)" if len(self.errors) > 5 else ""
        text = f"{self.action} on account {self.account}: Klaviyo answered {self.status}"
        text += f": {said}{more}." if said else "."
        if self.error_id:
            text += f" Klaviyo's error id: {self.error_id}."
        return f"{text} {self.advice}".rstrip()

    @staticmethod
    def _said(error: dict[str, Any]) -> str:
        said = str(error.get("detail") or error.get("title") or error.get("code") or "no detail").rstrip(".")
        source = error.get("source") or {}
        place = source.get("pointer") or source.get("parameter")
        return f"{said} [{place}]" if place else said


class Refused(Answered):
    """Klaviyo refused the request. It is not tried again."""


class BadRequest(Refused):
    """400: the request is wrong; the pointers name the parts."""


class Unauthorized(Refused):
    """401: the key is missing, wrong or revoked."""

    advice = "Check the account's API key (klaviyo check)."


class CredentialsFailed(Unauthorized):
    """An account's credentials no longer work: Klaviyo refuses them, or they cannot be decrypted.

    ``why`` says which, ``remedy`` what to do. Its tasks wait, as after a 401.
    """

    def __init__(self, action: str, account: str, why: str, remedy: str = "") -> None:
        super().__init__(action, account, 401, [])
        self.args = (action, account, why, remedy)
        self.why = why
        self.remedy = remedy

    @property
    def why_and_remedy(self) -> str:
        """Why, and what to do."""
        return f"{self.why}: {self.remedy}" if self.remedy else self.why

    def __str__(self) -> str:
        return f"{self.action} on account {self.account} cannot be sent: {self.why_and_remedy}."


class Forbidden(Refused):
    """403: the key lacks a scope. Scopes of a private key cannot be changed afterwards: make a new key."""

    advice = "The key lacks a scope that this action needs (klaviyo actions shows which); make a key that has it."


class NotFound(Refused):
    """404: no such resource in this account."""


class MethodNotAllowed(Refused):
    """405: the path exists, the method does not."""


class Conflict(Refused):
    """409: a resource with the same identity exists already."""

    @property
    def existing_id(self) -> str | None:
        """The id of the resource that is in the way, where Klaviyo gives one."""
        for error in self.errors:
            meta = error.get("meta") or {}
            for name, value in meta.items():
                if name.startswith("duplicate_") and name.endswith("_id"):
                    return str(value)
        return None

    def __str__(self) -> str:
        known = self.existing_id
        return f"{super().__str__()} What exists already has the id {known}." if known else super().__str__()


class Gone(Refused):
    """410: the revision or the endpoint was retired."""

    advice = "This version of the worker speaks a revision that Klaviyo has retired: upgrade it."


class TooLarge(Refused):
    """413: the body is over Klaviyo's 5 MB."""


class UnsupportedMediaType(Refused):
    """415: the content type is not one that Klaviyo takes."""


class Throttled(Answered):
    """429. ``retry_after`` is in seconds; None where Klaviyo gave none.

    ``block_reason``: why nothing is sent meanwhile, where that is not because Klaviyo answered 429.
    """

    block_reason = ""

    def __init__(
        self,
        action: str,
        account: str,
        status: int,
        errors: list[dict[str, Any]],
        retry_after: float | None = None,
    ) -> None:
        super().__init__(action, account, status, errors)
        self.args = (action, account, status, errors, retry_after)
        self.retry_after = retry_after


class TokenPending(Throttled):
    """The account's access token has expired, and there is no new one yet: the task waits, and uses up no attempt."""

    block_reason = "the account waits for a new access token"

    def __init__(self, action: str, account: str, why: str, retry_after: float) -> None:
        super().__init__(action, account, 401, [], retry_after)
        self.args = (action, account, why, retry_after)
        self.why = why

    def __str__(self) -> str:
        return f"{self.action} on account {self.account} waits for a new access token: {self.why}."


class Unavailable(KlaviyoError):
    """Klaviyo could not be reached or could not answer; ``sent`` tells whether the request may have arrived."""

    def __init__(self, action: str, account: str, reason: str, sent: bool = True, attempts: int = 0) -> None:
        super().__init__(action, account, reason, sent, attempts)
        self.action = action
        self.account = account
        self.reason = reason
        self.sent = sent
        self.attempts = attempts

    def __str__(self) -> str:
        tried = f" after {self.attempts} attempts" if self.attempts else ""
        return f"{self.action} on account {self.account}: {self.reason}{tried}."


def given_up(unavailable: Unavailable, attempts: int) -> Unavailable:
    """Return the same error with the number of attempts that were made."""
    return Unavailable(unavailable.action, unavailable.account, unavailable.reason, unavailable.sent, attempts)


class Malformed(KlaviyoError):
    """An answer of Klaviyo's differs from its documentation; ``reason`` holds no personal data."""

    def __init__(self, action: str, reason: str) -> None:
        super().__init__(action, reason)
        self.action = action
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.action}: Klaviyo's answer cannot be read: {self.reason}."


#: Why an outcome is unknown where a record is all that is left: of a request that was about to be sent.
SENDER_DIED = "the worker that had sent it died before the answer came"


class OutcomeUnknown(KlaviyoError):
    """The request may have been carried out, and carrying it out twice would do harm: look before repeating."""

    def __init__(self, action: str, account: str, reason: str, look_at: str) -> None:
        super().__init__(action, account, reason, look_at)
        self.action = action
        self.account = account
        self.reason = reason
        self.look_at = look_at

    def __str__(self) -> str:
        return (
            f"{self.action} on account {self.account} may have been carried out: {self.reason}. "
            f"It was not sent again. Before you repeat it, look at {self.look_at}."
        )


class JobFailed(KlaviyoError):
    """An asynchronous job ended, and not well; ``outcome`` is what is known of it (`tasks.jobs`)."""

    said: ClassVar[str] = "did not end well"
    advice: ClassVar[str] = ""

    def __init__(self, kind: str, account: str, outcome: dict[str, Any]) -> None:
        super().__init__(kind, account, outcome)
        self.kind = kind
        self.account = account
        self.outcome = outcome

    def __str__(self) -> str:
        counts = ", ".join(
            f"{self.outcome[name]:,} {name}"
            for name in ("completed", "failed", "skipped")
            if isinstance(self.outcome.get(name), int)
        )
        counted = f": {counts} of {self.outcome.get('total') or '?'} records" if counts else ""
        job = self.outcome.get("id") or "of unknown id"
        return f"{self.kind} on account {self.account}: job {job} {self.said}{counted}. {self.advice}".rstrip()


class JobVanished(JobFailed):
    """Klaviyo no longer knows the job."""

    said = "is no longer known to Klaviyo (404)"
    advice = "Nobody can tell which of its records have landed: look, or send them again where that does no harm."


class JobExpired(JobFailed):
    """The job has failed records, and Klaviyo no longer says which."""

    said = "is complete, and its errors have expired"
    advice = "Send its records again where that does no harm."


class JobCancelled(JobFailed):
    """An asynchronous job was cancelled at Klaviyo's side."""

    said = "was cancelled at Klaviyo"
    advice = "Nobody can tell which of its records have landed: look, or send them again where that does no harm."


class JobTimedOut(JobFailed):
    """An asynchronous job did not end before its deadline."""

    said = "did not end before its deadline"
    advice = "It may still end. klaviyo jobs shows its id; Klaviyo's support can say what holds it up."


#: The error that stands for an answer of this status.
BY_STATUS: dict[int, type[Refused]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    415: UnsupportedMediaType,
}

#: How a job may end other than well, and the error that stands for that.
BY_END: dict[str, type[JobFailed]] = {
    "cancelled": JobCancelled,
    "vanished": JobVanished,
    "expired": JobExpired,
    "stuck": JobTimedOut,
}


def reason_to_show(error: BaseException) -> str:
    """Return what may be shown of an error: ours hold no personal data; any other may, so only its type is shown."""
    return str(error) if isinstance(error, KlaviyoError) else type(error).__name__


def rebuild(name: str, args: Sequence[Any]) -> KlaviyoError:
    """Return an error that was kept as the name of its class and its arguments."""
    error: KlaviyoError = globals()[name](*args)
    return error
