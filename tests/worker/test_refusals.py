"""What Klaviyo's refusal of an account's credentials does to the account's tasks."""

import logging

import pytest

from worker.carrying_out import pause_account, pause_if_all_forbidden
from worker.errors import Forbidden, Unauthorized
from worker.governor import get_governor
from worker.one_per_process import forget
from worker.pauses import FIRST_PROBE_S, MAX_FORBIDDEN_IN_A_ROW

SAID = [{"id": "e-1", "detail": "Incorrect authentication credentials."}]


@pytest.fixture(autouse=True)
def governor(settings, client):
    settings.setenv("KLAVIYO_REDIS_URL", f"unix://{client.connection_pool.connection_kwargs['path']}")
    forget()
    return get_governor()


def test_a_refused_key_pauses_its_account_and_one_line_says_what_to_do(governor, caplog):
    caplog.set_level(logging.ERROR)
    for _ in range(3):
        pause_account(Unauthorized("create_profile", "default", 401, SAID))

    [pause] = governor.paused()
    assert pause.what == "account:default"
    assert 0 < pause.tried <= FIRST_PROBE_S
    [record] = caplog.records
    assert "KLAVIYO_API_KEY" in record.getMessage()
    assert "pk_secret" not in record.getMessage() + pause.key


def test_a_missing_scope_pauses_nothing(governor):
    for _ in range(MAX_FORBIDDEN_IN_A_ROW - 1):
        pause_if_all_forbidden(Forbidden("create_profile", "default", 403, SAID))

    assert governor.paused() == []


def test_a_key_that_lacks_everything_pauses_its_account(governor):
    for _ in range(MAX_FORBIDDEN_IN_A_ROW):
        pause_if_all_forbidden(Forbidden("create_profile", "default", 403, SAID))

    assert [pause.what for pause in governor.paused()] == ["account:default"]
