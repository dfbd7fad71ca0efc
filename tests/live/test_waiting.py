"""Waiting costs nothing, and who may not wait overtakes."""

from __future__ import annotations

import time

from tasks.events import create_event
from tasks.lists import get_list
from tasks.profiles import create_profile
from tests.live.system import failures, until


def test_a_countdown_is_kept_to(idle):
    began = time.time()
    create_profile.on(countdown=3600).delay(email="grace@example.com")

    end = idle.end_of(create_profile.on(countdown=1.2).delay(email="ada@example.com").id)

    (row,) = idle.sandbox.ledger()
    assert end.status == "SUCCESS"
    assert row["at"] - began >= 1.2


def test_a_saturated_tier_does_not_hold_up_another(idle):
    idle.sandbox.begin_minute("create_profile")
    idle.sandbox.limits(operation="create_profile", steady=20)
    full = [create_profile.delay(email=f"p{n}@example.com").id for n in range(200)]
    until(lambda: len(idle.ends(full)) == 20, 20, "a full minute")

    events = [create_event.delay(metric="Bought", profile={"email": f"e{n}@example.com"}).id for n in range(20)]

    assert failures(idle.ended(events)) == {}
    assert len(idle.ends(full)) == 20


def test_a_costly_variant_waits_without_holding_up_the_plain_call(idle):
    costly = [get_list.delay(id="x", additional_fields_list=["profile_count"]).id for _ in range(3)]

    plain = [get_list.delay(id="x").id for _ in range(5)]
    first = idle.ended(plain)

    assert len(first) == 5
    assert len(idle.ends(costly)) < 3
    idle.ended(costly)
    assert len(idle.sandbox.ledger("get_list")) == 8
    assert idle.sandbox.throttled() == 0
