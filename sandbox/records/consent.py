"""Consent: what a profile may be sent, by channel, and why not."""

from typing import Any

from sandbox.records.store import Resource
from sandbox.times import written

Subscriptions = dict[str, dict[str, dict[str, Any]]]
"""Channel, then kind (marketing, transactional), then its state."""

_CAN_RECEIVE = {
    ("email", "marketing"): "can_receive_email_marketing",
    ("sms", "marketing"): "can_receive_sms_marketing",
    ("sms", "transactional"): "can_receive_sms_transactional",
    ("mobile_push", "marketing"): "can_receive_push_marketing",
    ("whatsapp", "marketing"): "can_receive",
    ("whatsapp", "transactional"): "can_receive",
    ("whatsapp", "conversational"): "can_receive",
}


def never() -> Subscriptions:
    """The state of someone who has never been asked. Email alone may be sent to them."""
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


def of(profile: Resource) -> Subscriptions:
    """The consent of a profile, which is that of someone never asked until something is said of it."""
    if "subscriptions" not in profile.private:
        profile.private["subscriptions"] = never()
    subscriptions: Subscriptions = profile.private["subscriptions"]
    return subscriptions


def subscribe(
    subscriptions: Subscriptions, channel: str, kind: str, now: float, *, at: str | None, source: str | None
) -> None:
    """Give consent. For email this also ends every suppression that the person can end."""
    flag = _CAN_RECEIVE[channel, kind]
    state = subscriptions.setdefault(channel, {}).setdefault(kind, {})
    state |= {flag: True, "consent": "SUBSCRIBED", "consent_timestamp": at or written(now)}
    if channel != "mobile_push":
        state |= {"method": "SERVER", "method_detail": source, "last_updated": written(now)}
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
    state |= {flag: False, "consent": "UNSUBSCRIBED", "consent_timestamp": written(now)}
    if channel != "mobile_push":
        state["last_updated"] = written(now)


def unsubscribe_from_list(subscriptions: Subscriptions, list_id: str, now: float) -> None:
    """Note that email for this list is not wanted any more."""
    suppression = {"list_id": list_id, "reason": "UNSUBSCRIBED", "timestamp": written(now)}
    subscriptions["email"]["marketing"]["list_suppressions"].append(suppression)


def suppress(subscriptions: Subscriptions, now: float) -> bool:
    """Stop all email marketing. False when it was stopped already."""
    state = subscriptions["email"]["marketing"]
    if state["suppression"]:
        return False
    state["suppression"] = [{"reason": "USER_SUPPRESSED", "timestamp": written(now)}]
    state["can_receive_email_marketing"] = False
    return True


def unsuppress(subscriptions: Subscriptions, now: float) -> bool:
    """Undo `suppress`. False when there was nothing to undo."""
    state = subscriptions["email"]["marketing"]
    if not state["suppression"]:
        return False
    state |= {"suppression": [], "last_updated": written(now)}
    state["can_receive_email_marketing"] = state["consent"] != "UNSUBSCRIBED"
    return True


def known(channel: str, kind: str) -> bool:
    """Whether there is such a kind of message on such a channel."""
    return (channel, kind) in _CAN_RECEIVE
