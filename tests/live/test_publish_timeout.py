"""A Redis that takes everything and says nothing: a caller knows within its patience, and a repeat does no harm."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tasks.jobs import run_job
from tasks.profiles import bulk_import_profiles, create_profile
from tests.live.link import silent_server
from tests.live.system import ROOT, System, stretched, until
from worker.errors import NotConfirmed
from worker.settings import get_settings

CALL = """
import time
from tasks.jobs import run_job
from tasks.profiles import bulk_import_profiles, create_profile
for call in (
    lambda: create_profile.delay(email="ada@example.com"),
    lambda: run_job(bulk_import_profiles).delay(profiles=[{"email": "ada@example.com"}]),
):
    began = time.monotonic()
    try:
        call()
    except Exception as error:
        print(type(error).__name__, time.monotonic() - began)
"""


def test_a_new_process_gives_up_within_the_publish_timeout(live_server, live_sandbox, tmp_path):
    listener, url = silent_server()
    environment = System(live_server, live_sandbox, tmp_path).environment(REDIS_URL=url, PUBLISH_TIMEOUT=2)

    told = subprocess.run(
        [sys.executable, "-c", CALL], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
    )
    listener.close()

    lines = [line.split() for line in told.stdout.splitlines()]
    assert [line[0] for line in lines] == ["NotConfirmed", "NotConfirmed"], told.stderr
    # Of the two seconds, and what a busy machine takes to run anything at all.
    assert all(float(line[1]) < stretched(2 * 2) for line in lines)


@pytest.mark.parametrize("what", ["action", "job"])
def test_a_call_that_was_not_confirmed_and_its_repeat_are_one_task(idle, what):
    call = create_profile.apply_async if what == "action" else run_job(bulk_import_profiles).apply_async
    kwargs = {"email": "a@example.com"} if what == "action" else {"profiles": [{"email": "a@example.com"}]}
    idle.end_of(create_profile.delay(email="first@example.com").id)
    idle.server.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(NotConfirmed) as caught:
            call(kwargs=kwargs)
        # Of the five seconds, and what a busy machine takes to notice.
        assert time.monotonic() - began < stretched(2 * get_settings().publish_timeout)
    finally:
        idle.server.signal(signal.SIGCONT)
    task_id = caught.value.task_id
    assert task_id in str(caught.value)

    call(kwargs=kwargs, task_id=task_id)

    assert idle.end_of(task_id).status == "SUCCESS"
    until(lambda: not idle.redis.exists("klaviyo:unacked", "klaviyo"), 20, "the end of all that was published")
    assert len(idle.sandbox.ledger("create_profile" if what == "action" else "bulk_import_profiles")) == (
        2 if what == "action" else 1
    )
