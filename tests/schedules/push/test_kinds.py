"""What identifies pushed records, and what changes when they do."""

import pytest

from schedules.push.kinds import PUSH_KINDS

PROFILES = PUSH_KINDS["profiles"]


def profile(id=None, **attributes):
    return {"type": "profile", **({"id": id} if id else {}), "attributes": attributes}


def event(unique_id, **attributes):
    entry = {"type": "event", "attributes": {"unique_id": unique_id, **attributes}}
    return {"type": "event-bulk-create", "attributes": {"events": {"data": [entry]}}}


@pytest.mark.parametrize(
    ("item", "key"),
    [
        (profile(email="Ada@Example.com", external_id="7"), "ada@example.com"),
        (profile(phone_number="+15005550006"), "phone_number:+15005550006"),
        (profile(external_id="7", first_name="Ada"), "external_id:7"),
        (profile(id="01ABC"), "id:01ABC"),
    ],
)
def test_a_profile_is_known_by_the_first_identifier_that_it_has(item, key):
    assert PROFILES.key(item) == key


def test_a_digest_changes_with_any_attribute_and_not_with_their_order():
    digest = PROFILES.digest(profile(email="ada@example.com", first_name="Ada"))

    assert PROFILES.digest(profile(first_name="Ada", email="ada@example.com")) == digest
    assert PROFILES.digest(profile(email="ada@example.com", first_name="Eve")) != digest


def test_an_event_that_was_sent_is_never_changed():
    events = PUSH_KINDS["events"]

    assert events.digest(event("O1", time="2026-11-24T00:00:00Z")) == events.digest(event("O1", value=3))
    assert events.digest(event("O1")) != events.digest(event("O2"))
