"""Consent: what a profile may be sent on each channel, and why not."""

from typing import Any

from sandbox.records.store import Resource
from sandbox.times import to_iso

Subscriptions = dict[str, dict[str, dict[str, Any]]]
"""The state of each kind (marketing, transactional) of each channel."""

_CAN_RECEIVE = {
    ("email", "marketing"): "can_receive_email_marketing",
    ("sms", "marketing"): "can_receive_sms_marketing",
    ("sms", "transactional"): "can_receive_sms_transactional",
    ("mobile_push", "marketing"): "can_receive_push_marketing",
    ("whatsapp", "marketing"): "can_receive",
    ("whatsapp", "transactional"): "can_receive",
    ("whatsapp", "conversational"): "can_receive",
}


def never_subscribed() -> Subscriptions:
    """The state of someone who was never asked. They may be sent email, and nothing else."""
    subscriptions: Subscriptions = {}
    for (channel, kind), flag in _CAN_RECEIVE.items():
        if channel == "whatsapp":
            continue
        state: dict[str, Any] = {
            flag: channel == "email",
            "consent": "NEVER_SUBSCRIBED",
            "consent_timestamp": None,
        }
        if channel != "mobile_push":
            state |= {"method": None, "method_detail": None, "last_updated": None}
        subscriptions.setdefault(channel, {})[kind] = state
    subscriptions["email"]["marketing"] |= {
        "custom_method_detail": None,
        "double_optin": None,
        "suppression": [],
        "list_suppressions": [],
    }
    return subscriptions


def consent_of(profile: Resource) -> Subscriptions:
    """The consent of a profile, at first that of someone who was never asked."""
    if "subscriptions" not in profile.private:
        profile.private["subscriptions"] = never_subscribed()
    subscriptions: Subscriptions = profile.private["subscriptions"]
    return subscriptions


def subscribe(
    subscriptions: Subscriptions, channel: str, kind: str, now: float, *, at: str | None, source: str | None
) -> None:
    """Give consent. For email this also ends the suppressions that the person can end."""
    flag = _CAN_RECEIVE[channel, kind]
    state = subscriptions.setdefault(channel, {}).setdefault(kind, {})
    state |= {flag: True, "consent": "SUBSCRIBED", "consent_timestamp": at or to_iso(now)}
    if channel != "mobile_push":
        state |= {"method": "SERVER", "method_detail": source, "last_updated": to_iso(now)}
    if channel == "email":
        state |= {
            "custom_method_detail": source,
            "double_optin": False,
            "suppression": [],
            "list_suppressions": [],
        }


def unsubscribe(subscriptions: Subscriptions, channel: str, kind: str, now: float) -> None:
    """Withdraw consent for one kind of message on one channel."""
    flag = _CAN_RECEIVE[channel, kind]
    state = subscriptions.setdefault(channel, {}).setdefault(kind, {})
    state |= {flag: False, "consent": "UNSUBSCRIBED", "consent_timestamp": to_iso(now)}
    if channel != "mobile_push":
        state["last_updated"] = to_iso(now)


def unsubscribe_from_list(subscriptions: Subscriptions, list_id: str, now: float) -> None:
    """Record that email for this list is no longer wanted."""
    suppression = {"list_id": list_id, "reason": "UNSUBSCRIBED", "timestamp": to_iso(now)}
    subscriptions["email"]["marketing"]["list_suppressions"].append(suppression)


def suppress(subscriptions: Subscriptions, now: float) -> bool:
    """Stop all email marketing. False if it was stopped already."""
    state = subscriptions["email"]["marketing"]
    if state["suppression"]:
        return False
    state["suppression"] = [{"reason": "USER_SUPPRESSED", "timestamp": to_iso(now)}]
    state["can_receive_email_marketing"] = False
    return True


def unsuppress(subscriptions: Subscriptions, now: float) -> bool:
    """Undo `suppress`. False if there was nothing to undo."""
    state = subscriptions["email"]["marketing"]
    if not state["suppression"]:
        return False
    state |= {"suppression": [], "last_updated": to_iso(now)}
    state["can_receive_email_marketing"] = state["consent"] != "UNSUBSCRIBED"
    return True


def is_known(channel: str, kind: str) -> bool:
    """Whether the channel has this kind of message."""
    return (channel, kind) in _CAN_RECEIVE
