"""Waiting costs nothing, and who may not wait overtakes."""

from __future__ import annotations

import json
import time

from tasks.events import create_event
from tasks.lists import get_list
from tasks.profiles import create_profile
from tests.live.system import failures, until
from worker.governor import get_governor


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
    get_governor().pause("action:get_list", "a test", "to have all of them wait", since=0)
    costly = [get_list.delay(id="x", additional_fields_list=["profile_count"]).id for _ in range(3)]
    plain = [get_list.delay(id="x").id for _ in range(5)]

    get_governor().resume("action:get_list")
    ends = idle.ended([*costly, *plain])

    metas = [json.loads(idle.redis.get(f"celery-task-meta-{each}")) for each in ends]
    assert max(metas, key=lambda meta: meta["date_done"])["task_id"] in costly
    assert len(idle.sandbox.ledger("get_list")) == 8
    assert idle.sandbox.throttled() == 0
