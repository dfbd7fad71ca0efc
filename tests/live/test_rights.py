"""With the rights that `klaviyo check --acl` prints everything runs, and none of them is there for nothing.

Every live test runs with them where KLAVIYO_TEST_REDIS is ``acl``; here is a little of everything.
"""

from __future__ import annotations

import pytest
from celery import chain, chord

from schedules.sync import request_sync
from tasks.imports import import_profiles
from tasks.jobs import run_job
from tasks.lists import create_list, get_lists
from tasks.profiles import bulk_import_profiles, create_profile, get_profiles
from tests.live.nodes import Guarded
from tests.live.publishing_to import publishing_to
from tests.live.system import until
from worker.app import app
from worker.governor import get_governor
from worker.redis_rights import COMMANDS

#: What only rare moments need, and of what.
RARE: dict[str, str] = {}


@pytest.mark.usefixtures("no_process_is_left")
def test_everything_runs_with_these_rights_and_needs_each(server_binary, live_sandbox, tmp_path, store):
    guarded = Guarded(server_binary, tmp_path / "server")
    live_sandbox.reset()
    live_sandbox.seed(account="default", profiles=120, lists=25)
    try:
        with publishing_to(guarded, live_sandbox, tmp_path, STORE_URL=store.url) as system:
            system.worker(STORE_URL=store.url)
            create_profile.on(countdown=3_600).delay(email="later@example.com").revoke()
            results = [
                create_list.delay(name="News"),
                create_profile.on(expires=600).delay(email="ada@example.com"),
                run_job(bulk_import_profiles).delay(profiles=[{"email": "job@example.com"}]),
                chord([create_profile.si(email=f"c{n}@example.com") for n in range(3)])(get_profiles.si()),
                chain(create_profile.si(email="a@example.com"), get_profiles.si()).apply_async(),
                get_lists.collect(page_size=10),
            ]
            for result in results:
                result.get(timeout=60)
            assert import_profiles([{"email": "row@example.com"}]).landed == 1
            request_sync("default", ["profiles"])
            get_governor().look()
            app.control.inspect(timeout=2).ping()
            until(lambda: len(store.rows("profiles")) > 100, 30, "a copy of the profiles")
        used = set(guarded.node.redis.info("commandstats"))
        idle = {each for each in COMMANDS if f"cmdstat_{each}" not in used} - set(RARE)
        assert idle == set(), "nobody has used these rights"
    finally:
        refused = guarded.refused()
        guarded.close()
        assert refused == set(), "these rights are missing"
