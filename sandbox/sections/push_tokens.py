"""Push tokens: registering a token again updates it."""

from sandbox.call import Call, Reply
from sandbox.records import profiles
from sandbox.times import to_iso


def create_push_token(call: Call) -> Reply:
    """Register a token for a profile, or move it to another one."""
    sent, store = call.attributes, call.store
    item = sent["profile"]["data"]
    profiles.check(item, "/data/attributes/profile/data")
    profile, _ = profiles.upsert(store, item, call.now)
    at = to_iso(call.now)
    attributes = {
        "created": at,
        "token": sent["token"],
        "enablement_status": sent.get("enablement_status", "AUTHORIZED"),
        "platform": sent["platform"],
        "vendor": sent["vendor"],
        "background": sent.get("background", "AVAILABLE"),
        "recorded_date": at,
        "metadata": sent.get("device_metadata"),
    }
    token = store.find("push-token", store.owner_of("push-token", sent["token"]) or "")
    if token is None:
        token = store.add("push-token", attributes)
        store.set_owner("push-token", sent["token"], token.id)
    else:
        token.attributes |= attributes | {"created": token.attributes["created"]}
        for id in token.linked("profile"):
            store.unlink(token, "profile", id)
    store.link(token, "profile", profile, call.now)
    return Reply()
