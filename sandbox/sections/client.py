"""The client operations: what a shop's pages send without a key, for the company in the query."""

from typing import Any

from sandbox.call import Call, Reply
from sandbox.records import profiles
from sandbox.sections import events, push_tokens
from sandbox.sections.subscriptions import channels_of, subscribe

_PROFILE = "/data/attributes/profile/data"


def create_client_profile(call: Call) -> Reply:
    """Create or update the visitor's profile."""
    item = {**call.data, "attributes": call.attributes}
    profiles.check(item, "/data")
    profiles.upsert(call.store, item, call.now)
    return Reply()


def create_client_event(call: Call) -> Reply:
    """Record an event, as the server-side operation does."""
    return events.create_event(call)


def bulk_create_client_events(call: Call) -> Reply:
    """Record the events of one visitor, as one entry of the server-side bulk request."""
    entry = {"type": "event-bulk-create", "attributes": call.attributes}
    call.body = {"data": {**call.data, "attributes": {"events-bulk-create": {"data": [entry]}}}}
    return events.bulk_create_events(call)


def create_client_subscription(call: Call) -> Reply:
    """Give consent and join a list."""
    item: dict[str, Any] = call.attributes["profile"]["data"]
    profiles.check(item, _PROFILE)
    channels = channels_of(_consents(item["attributes"]), _PROFILE, "SUBSCRIBED")
    target = call.store.get("list", call.linkage("list")[0])
    profile, _ = profiles.upsert(call.store, item, call.now)
    subscribe(call, profile, channels, call.attributes.get("custom_source"))
    call.store.link(target, "profiles", profile, call.now)
    return Reply()


def create_client_push_token(call: Call) -> Reply:
    """Register a token, as the server-side operation does."""
    return push_tokens.create_push_token(call)


def unregister_client_push_token(call: Call) -> Reply:
    """Forget a token; none need exist."""
    for token in list(call.store.all("push-token")):
        if token.attributes["token"] == call.attributes["token"]:
            call.store.remove(token)
    return Reply()


def create_client_back_in_stock_subscription(call: Call) -> Reply:
    """Create or update the profile; nothing is ever back in stock here."""
    item = call.attributes["profile"]["data"]
    profiles.check(item, _PROFILE)
    profiles.upsert(call.store, item, call.now)
    return Reply()


def _consents(attributes: dict[str, Any]) -> dict[str, Any]:
    """The requested consent; if the form does not say, for every channel with an address."""
    given = attributes.get("subscriptions")
    if given:
        return {{"push": "mobile_push"}.get(name, name): kinds for name, kinds in given.items()}
    state = {"marketing": {"consent": "SUBSCRIBED"}}
    addresses = {"email": "email", "sms": "phone_number"}
    return {channel: state for channel, name in addresses.items() if attributes.get(name)}
