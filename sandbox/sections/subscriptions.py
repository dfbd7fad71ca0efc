"""Consent in bulk: subscribe and unsubscribe at once, suppress and unsuppress by job."""

from collections.abc import Callable
from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import ApiError, gathered, invalid
from sandbox.reading import documents
from sandbox.records import consent, profiles
from sandbox.records.store import Resource
from sandbox.sections import jobs
from sandbox.times import from_iso, to_iso

MAX_SUBSCRIBED, MAX_UNSUBSCRIBED, MAX_SUPPRESSED = 1000, 100, 100


def bulk_subscribe_profiles(call: Call) -> Reply:
    """Give consent by channel and kind, and join the list. Double opt-in is taken as confirmed at once."""
    target = _list(call)
    historical = bool(call.attributes.get("historical_import"))
    for item, channels in _read(call, MAX_SUBSCRIBED, "SUBSCRIBED", historical=historical):
        profile, _ = profiles.upsert(call.store, _identity(item), call.now)
        subscribe(call, profile, channels, call.attributes.get("custom_source"))
        if target:
            call.store.link(target, "profiles", profile, call.now)
    return Reply()


def bulk_unsubscribe_profiles(call: Call) -> Reply:
    """Withdraw consent: for the list if the profile is in it, else for everything."""
    target = _list(call)
    for item, channels in _read(call, MAX_UNSUBSCRIBED, "UNSUBSCRIBED"):
        profile, _ = profiles.upsert(call.store, _identity(item), call.now)
        if target and profile.id in target.links.get("profiles", {}):
            call.store.unlink(target, "profiles", profile.id)
            consent.unsubscribe_from_list(consent.consent_of(profile), target.id, call.now)
        else:
            for channel, kind, _ in channels:
                consent.unsubscribe(consent.consent_of(profile), channel, kind, call.now)
        call.store.touch(profile, call.now)
    return Reply()


def bulk_suppress_profiles(call: Call) -> Reply:
    """Start the job that stops email to profiles. Those already stopped are skipped."""
    return _suppression(call, consent.suppress)


def bulk_unsuppress_profiles(call: Call) -> Reply:
    """Start the job that ends suppressions."""
    return _suppression(call, consent.unsuppress)


Channels = list[tuple[str, str, dict[str, Any]]]
"""Channel, kind and requested state."""


def subscribe(call: Call, profile: Resource, channels: Channels, source: str | None) -> None:
    """Give a profile's consent for each channel."""
    for channel, kind, state in channels:
        moment = from_iso(state["consented_at"]) if state.get("consented_at") else None
        at = to_iso(moment.timestamp()) if moment else None
        consent.subscribe(consent.consent_of(profile), channel, kind, call.now, at=at, source=source)
    call.store.touch(profile, call.now)


def channels_of(subscriptions: Any, pointer: str, expected: str) -> Channels:
    """The channels and kinds of a `subscriptions` attribute, all of which must have the expected consent."""
    found: Channels = []
    for channel, kinds in (subscriptions if isinstance(subscriptions, dict) else {}).items():
        for kind, state in (kinds or {}).items():
            place = f"{pointer}/attributes/subscriptions/{channel}/{kind}"
            if not consent.is_known(channel, kind):
                raise invalid(f"'{kind}' is not a subscription of channel '{channel}'.", place)
            if not isinstance(state, dict) or state.get("consent") != expected:
                raise invalid(f"Consent must be '{expected}'.", f"{place}/consent")
            found.append((channel, kind, state))
    if not found:
        raise invalid("At least one channel is required.", f"{pointer}/attributes/subscriptions")
    return found


def _read(
    call: Call, maximum: int, expected: str, *, historical: bool = False
) -> list[tuple[dict[str, Any], Channels]]:
    """The profiles in the request with their channels; a 400 points to every bad one."""
    wanted: list[tuple[dict[str, Any], Channels]] = []
    errors: list[dict[str, Any]] = []
    for pointer, item in call.items("profiles", maximum):
        with gathered(errors):
            profiles.check(_identity(item), pointer)
            channels = channels_of((item.get("attributes") or {}).get("subscriptions"), pointer, expected)
            for channel, identifier in (("email", "email"), ("sms", "phone_number")):
                if any(name == channel for name, _, _ in channels) and not item["attributes"].get(identifier):
                    raise invalid(f"Channel '{channel}' requires {identifier}.", f"{pointer}/attributes/{identifier}")
            for _, _, state in channels if historical else ():
                _check_consented_at(state.get("consented_at"), pointer, call.now)
            wanted.append((item, channels))
    if errors:
        raise ApiError(400, errors)
    return wanted


def _identity(item: dict[str, Any]) -> dict[str, Any]:
    attributes = item.get("attributes") or {}
    return {
        **item,
        "attributes": {name: attributes[name] for name in profiles.IDENTIFIERS if attributes.get(name)},
    }


def _list(call: Call) -> Resource | None:
    ids = call.linkage("list")
    return call.store.get("list", ids[0]) if ids else None


def _check_consented_at(text: str | None, pointer: str, now: float) -> None:
    moment = from_iso(text) if text else None
    if moment is None or moment.timestamp() > now:
        raise invalid("A historical import requires consented_at in the past.", f"{pointer}/attributes/subscriptions")


def _suppression(call: Call, change: Callable[[consent.Subscriptions, float], bool]) -> Reply:
    """A job that changes the suppression of the named emails, or of a list's or segment's members."""
    store = call.store
    sources = [(type, id) for type in ("list", "segment") for id in call.linkage(type)]
    if bool(sources) == bool(call.attributes.get("profiles")) or len(sources) > 1:
        raise invalid("Give either profiles, or one list, or one segment.", "/data")
    if sources:
        type, id = sources[0]
        ids: list[str | None] = list(store.get(type, id).linked("profiles"))
    else:
        ids = [store.owner_of("email", email) for email in _emails(call)]

    def do_item(index: int, now: float) -> bool:
        profile = store.find("profile", ids[index] or "")
        if profile is None or not change(consent.consent_of(profile), now):
            return False
        store.touch(profile, now)
        return True

    job = jobs.create(call, str(call.operation.type), total=len(ids), do_item=do_item, shape=jobs.SUPPRESSION)
    for type, id in sources:
        store.link(job, f"{type}s", store.get(type, id), call.now)
    return documents.single(call, job)


def _emails(call: Call) -> list[str]:
    emails, errors = [], []
    for pointer, item in call.items("profiles", MAX_SUPPRESSED):
        errors += profiles.problems(item, pointer)
        emails.append(item["attributes"]["email"])
    if errors:
        raise ApiError(400, errors)
    return emails
