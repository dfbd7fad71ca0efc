"""With the rights that `klaviyo check --acl` prints everything runs, and none of them is there for nothing.

Every live test runs with them where KLAVIYO_TEST_REDIS is ``acl``; here is a little of everything.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from celery import chain, chord
from pydantic import SecretStr

from cli.redis_rights import COMMANDS
from schedules.sync import request_sync
from tasks.events import create_event
from tasks.imports import import_profiles
from tasks.jobs import run_job
from tasks.jobs.import_runs import get_runs
from tasks.lists import create_list, get_lists
from tasks.profiles import bulk_import_profiles, create_profile, get_profile, get_profiles
from tests.live.nodes import Guarded
from tests.live.publishing_to import publishing_to
from tests.live.system import ROOT, System, end, until
from worker.accounts import oauth
from worker.accounts.stored import get_account_store
from worker.accounts.token_endpoint import TokenRefused
from worker.app import app
from worker.errors import NotFound
from worker.failures.kept import drop, failure_groups
from worker.governor import get_governor

#: What only rare moments need.
RARE = {
    "hello": "an address with protocol=3",
    "hrandfield": "a Redis that was full and has room again",
}


#: So that accounts can be stored, and one may begin to install an OAuth application.
OAUTH = {
    "SECRET_KEY": "a-key-that-only-these-tests-have", "CLIENT_ID": "sandbox-app", "CLIENT_SECRET": "sandbox-secret",
    "OAUTH_REDIRECT_URI": "https://shop.example/callback",
}  # fmt: skip


def _started(system: System, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "celery", "-A", "worker", *words]
    with (system.folder / f"{words[0]}.log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, env=system.environment(), stdout=log, stderr=log)


@pytest.mark.usefixtures("no_process_is_left")
def test_everything_runs_with_these_rights_and_needs_each(server_binary, live_sandbox, tmp_path, store):
    guarded = Guarded(server_binary, tmp_path / "server")
    live_sandbox.reset()
    live_sandbox.seed(account="default", profiles=120, lists=25)
    try:
        with publishing_to(guarded, live_sandbox, tmp_path, STORE_URL=store.url, **OAUTH) as system:
            # More than a worker has slots for: some travel together, the others wait.
            who = {"email": "many@example.com"}
            many = create_event.delay_many({"metric": "Seen", "profile": who, "unique_id": str(n)} for n in range(300))
            many += create_profile.on(together=False).delay_many({"email": f"alone{n}@example.com"} for n in range(40))
            others = [_started(system, *words) for words in (("beat",), ("flower", "--port=0", "--address=127.0.0.1"))]
            system.worker(STORE_URL=store.url, **OAUTH)
            create_profile.on(countdown=3_600).delay(email="later@example.com").revoke()
            results = [
                create_list.delay(name="News"),
                create_profile.on(expires=600).delay(email="ada@example.com"),
                run_job(bulk_import_profiles).delay(profiles=[{"email": "job@example.com"}]),
                chord([create_profile.si(email=f"c{n}@example.com") for n in range(3)])(get_profiles.si()),
                chain(create_profile.si(email="a@example.com"), get_profiles.si()).apply_async(),
                get_lists.collect(page_size=10),
                *many[::50],
            ]
            for result in results:
                result.get(timeout=120)
            assert import_profiles([{"email": "row@example.com"}]).landed == 1
            with pytest.raises(NotFound):
                get_profile.delay(id="nobody").get(timeout=120)
            [failed] = failure_groups()
            assert drop(failed.group.id) == 1
            assert len(get_runs().recent()) == 1
            get_account_store().change("stored", api_key=SecretStr("pk_stored"))
            assert [get_governor().join(alias, "key", "one company") for alias in ("default", "stored")] == [0, 1]
            _, state = oauth.authorization_url("installed")
            with pytest.raises(TokenRefused):
                oauth.exchange("no code of Klaviyo's", state)
            request_sync("default", ["profiles"])
            get_governor().look()
            assert get_governor().count() >= len(list(get_governor().waiting())) - 1
            app.control.inspect(timeout=2).ping()
            until(lambda: len(store.rows("profiles")) > 100, 30, "a copy of the profiles")
            until(lambda: system.redis.exists("klaviyo:redbeat:lock"), 30, "a beat that leads")
            for process in others:
                end(process)
        used = set(guarded.node.redis.info("commandstats"))
        idle = {each for each in COMMANDS if f"cmdstat_{each}" not in used} - set(RARE)
        assert " ".join(sorted(idle)) == "", "nobody has used these rights"
    finally:
        refused = guarded.refused()
        guarded.close()
        assert refused == set(), "these rights are missing"
