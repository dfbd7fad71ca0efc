"""Waiting costs nothing, and who may not wait overtakes."""

from __future__ import annotations

import time

from tasks.events import create_event
from tasks.lists import get_list
from tasks.profiles import create_profile


def test_a_countdown_is_kept_to(idle):
    began = time.time()

    end = idle.end_of(create_profile.on(countdown=1.2).delay(email="ada@example.com").id)

    (row,) = idle.sandbox.ledger()
    assert end.status == "SUCCESS"
    assert 1.2 <= row["at"] - began < 1.7


def test_a_saturated_tier_does_not_hold_up_another(idle):
    full = [create_profile.delay(email=f"p{n}@example.com").id for n in range(600)]

    slowest = 0.0
    for n in range(20):
        began = time.monotonic()
        call = create_event.delay(metric="Bought", profile={"email": f"e{n}@example.com"})
        idle.end_of(call.id, 3)
        slowest = max(slowest, time.monotonic() - began)

    assert len(idle.ends(full)) < 600
    assert slowest < 2.5


def test_a_costly_variant_waits_without_holding_up_the_plain_call(idle):
    costly = [get_list.delay(id="x", additional_fields_list=["profile_count"]).id for _ in range(3)]

    plain = [get_list.delay(id="x").id for _ in range(5)]
    idle.ended(plain, 1)

    idle.ended(costly, 5)
    rows = [row for row in idle.sandbox.ledger("get_list")]
    assert len(rows) == 8
    assert idle.sandbox.throttled() == 0
