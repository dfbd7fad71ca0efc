"""Every command on a Redis that refuses: one sentence that says why, and no traceback."""

import csv

import pytest

from tasks.tags import get_tags
from tests.celery_connections import connected_to
from tests.cli.typed import run
from worker.errors import NotConfirmed
from worker.one_per_process import forget
from worker.redis import patience
from worker.settings import get_settings

#: What an operator needs most when Redis is full.
LOOKS = {
    "limits": ["limits"],
    "waiting": ["waiting"],
    "jobs": ["jobs"],
    "imports": ["imports"],
    "schedules": ["schedules"],
}

#: What only takes away, or holds work up.
EASES = {
    "waiting --drop": ["waiting", "--drop", "--yes"],
    "pause": ["pause", "--account", "default"],
    "resume": ["resume", "--account", "default"],
}

#: What would add something.
ADDS = {
    "call": ["call", "get_tags"],
    "import": ["import", "profiles", "people.csv"],
    "sync": ["sync", "profiles"],
    "push": ["push", "people"],
}


@pytest.fixture
def server(client, settings, monkeypatch, tmp_path):
    """Use a real server in this process, and let nothing wait for long."""
    path = client.connection_pool.connection_kwargs["path"]
    settings.setenv("KLAVIYO_REDIS_URL", f"unix://{path}?db=0")
    settings.setenv("KLAVIYO_STORE_URL", f"sqlite:///{tmp_path}/store.db")
    settings.setenv("KLAVIYO_PUSHES__PEOPLE__KIND", "profiles")
    settings.setenv("KLAVIYO_PUSHES__PEOPLE__SOURCE", str(tmp_path / "people.csv"))
    with (tmp_path / "people.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["email"], ["ada@example.com"]])
    forget()
    monkeypatch.setattr(patience, "CALLER_PATIENCE_S", 0.0)
    address = get_settings().redis
    with connected_to(address.broker_url, address.result_url):
        assert run("store").exit_code == 0
        yield client
        client.config_set("maxmemory", 0)
        client.replicaof("NO", "ONE")
    forget()


def full(client):
    client.config_set("maxmemory", 1)
    return "Redis is full"


def read_only(client):
    client.replicaof("127.0.0.1", 1)
    return "this Redis is a replica"


@pytest.mark.parametrize("condition", [full, read_only])
def test_a_command_that_would_add_something_says_why_it_cannot(server, condition):
    said = condition(server)
    for name, words in ADDS.items():
        result = run(*words)

        assert (name, result.exit_code) == (name, 1)
        assert said in result.stderr, name
        assert len([line for line in result.stderr.splitlines() if said in line]) == 1, result.stderr


@pytest.mark.parametrize("condition", [full, read_only])
def test_a_caller_learns_the_reason_and_is_not_asked_whether_redis_is_up(server, condition):
    said = condition(server)

    with pytest.raises(NotConfirmed, match=said) as caught:
        get_tags.delay()

    assert "Is it up" not in str(caught.value)


@pytest.mark.parametrize("condition", [full, read_only])
def test_status_commands_still_work(server, condition):
    condition(server)
    for name, words in LOOKS.items():
        assert (name, run(*words).exit_code) == (name, 0)


def test_a_full_redis_can_be_relieved_and_what_waits_held_up(server):
    full(server)
    for name, words in EASES.items():
        assert (name, run(*words).exit_code) == (name, 0)


def test_a_replica_can_be_neither(server):
    said = read_only(server)
    for words in (EASES["pause"], EASES["resume"]):
        result = run(*words)
        assert result.exit_code == 1
        assert said in result.stderr


@pytest.mark.parametrize(("condition", "said"), [(full, "Redis is full"), (read_only, "it is a replica")])
def test_check_says_so(server, condition, said):
    condition(server)

    result = run("check")

    assert result.exit_code == 1
    assert said in result.stdout
