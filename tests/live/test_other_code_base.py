"""An application with packages of its own, named like ours, calls actions through the module that is written for it."""

from __future__ import annotations

import json
from collections import Counter
from textwrap import dedent

import pytest

import tasks.registry  # noqa: F401  registers every action
from cli.client.module import module
from tests.live import other_code_base
from worker.action import ACTIONS

SHOP = dedent("""
    import importlib.util
    import json
    import sys
    from datetime import datetime, timezone

    from celery import Celery, chain, group

    import klaviyo_actions as klaviyo
    from tasks.checkout import THEIRS  # their own package of this name
    from worker import THEIRS as ALSO_THEIRS

    assert THEIRS and ALSO_THEIRS
    assert not any(importlib.util.find_spec(name) for name in ("schedules", "sandbox", "tasks.profiles"))
    assert not any(name.partition(".")[0] == "pydantic" for name in sys.modules)

    app = Celery("shop", broker=sys.argv[1], backend=sys.argv[1])

    queued = klaviyo.create_profile.delay(email="ada@example.com", location={"city": "London"})
    placed = klaviyo.create_event.delay(
        metric="Bought", profile={"email": "grace@example.com"}, time=datetime(2026, 11, 1, tzinfo=timezone.utc)
    )
    elsewhere = klaviyo.create_list.on("b", lane="bulk", app=app).delay(name="elsewhere")
    later = klaviyo.create_tag_group.on("b", lane="bulk", countdown=3600).delay(name="later")
    many = group(klaviyo.create_coupon.s(external_id=f"c{n}") for n in range(3)).apply_async()
    linked = chain(
        klaviyo.create_list.on("b").si(name="first"),
        klaviyo.create_tag_group.si(name="second"),
        klaviyo.create_coupon.on(lane="bulk").si(external_id="third"),
    ).delay()
    job = klaviyo.run_job(klaviyo.bulk_import_profiles.on("b")).delay(profiles=[{"email": "bo@example.com"}])
    no_job = klaviyo.run_job(klaviyo.get_lists).delay()
    bad = klaviyo.create_profile.delay(email="no address")
    try:
        klaviyo.create_profile.delay(emial="ada@example.com")
    except TypeError as error:
        refused = str(error)
    profile = queued.get(timeout=120)["data"]
    taken = klaviyo.create_profile.delay(email="ada@example.com")
    try:
        taken.get(timeout=120)
    except klaviyo.Conflict as error:
        conflict = [str(error), error.existing_id]
    named, third = elsewhere.get(timeout=120)["data"], linked.get(timeout=120)["data"]
    lists = klaviyo.get_lists.on("b").collect(page_size=1)  # now that both of its lists are there
    print(json.dumps({
        "queued": profile["attributes"]["location"]["city"],
        "profile": profile["id"],
        "conflict": conflict,
        "placed": placed.get(timeout=120)["successful"],
        "elsewhere": named["attributes"]["name"],
        "later": later.id,
        "many": sorted(each["data"]["id"] for each in many.get(timeout=120)),
        "linked": third["id"],
        "job": job.get(timeout=120)["data"]["completed"],
        "lists": lists.get(timeout=120)["pages"],
        "no_job": type(no_job.get(timeout=120, propagate=False)).__name__,
        "bad": type(bad.get(timeout=120, propagate=False)).__name__,
        "refused": refused,
    }))
""")


@pytest.fixture
def shop(idle, tmp_path):
    """What the application tells at its end; nothing of ours is on its path."""
    (tmp_path / "klaviyo_actions.py").write_text(module([each.declaration for each in ACTIONS.values()]))
    (tmp_path / "worker.py").write_text("THEIRS = True")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").touch()
    (tmp_path / "tasks" / "checkout.py").write_text("THEIRS = True")
    server = idle.server
    return json.loads(other_code_base.run(SHOP, tmp_path, server.broker_options, server.broker_url))


def test_another_code_base_queues_and_reads_results_and_chooses_account_lane_and_time(idle, shop):
    assert shop["queued"] == "London"
    assert shop["placed"] is True
    assert shop["elsewhere"] == "elsewhere"
    assert shop["many"] == ["c0", "c1", "c2"]
    assert shop["linked"] == "third"
    assert [row["account"] for row in idle.sandbox.ledger("create_tag_group")] == ["b"]
    assert (shop["job"], shop["no_job"]) == (1, "InputError")
    assert shop["lists"] == 2  # a page each
    assert [row["account"] for row in idle.sandbox.ledger("bulk_import_profiles")] == ["b"]
    assert shop["bad"] == "InputError"
    assert "emial" in shop["refused"]
    text, existing = shop["conflict"]
    assert text.startswith("create_profile on account default: Klaviyo answered 409: ")
    assert existing == shop["profile"]
    assert Counter(row["account"] for row in idle.sandbox.ledger("create_list")) == {"b": 2}
    (waiting,) = idle.redis.zrange("klaviyo:later:b:create_tag_group", 0, -1)
    assert waiting == f"bulk|^{shop['later']}"
    headers = json.loads(idle.redis.hget("klaviyo:waiting", shop["later"]).split("\n", 1)[1])["headers"]
    assert headers["klaviyo_lane"] == "bulk"
