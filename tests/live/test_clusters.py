"""In a cluster: a slot that migrates, and a node that dies, under load. Each thing is done, and once."""

from __future__ import annotations

import signal

import pytest

from tasks.jobs import run_job
from tasks.profiles import bulk_import_profiles, create_profile
from tasks.templates import create_template
from tests.live.nodes import Cluster
from tests.live.publishing_to import publishing_to
from tests.live.system import until
from tests.soak import SOAK
from worker.redis.cluster_keys import SLOT, TAG

PROFILES, TEMPLATES = 60, 6


@pytest.fixture(scope="module")
def cluster(server_binary, no_process_is_left, tmp_path_factory):
    made = Cluster(server_binary, tmp_path_factory.mktemp("cluster"), replicas=1)
    yield made
    made.close()


@pytest.fixture
def system(cluster, live_sandbox, tmp_path):
    live_sandbox.reset()
    live_sandbox.limits(off=True)
    live_sandbox.fault("latency", seconds=0.1, times=None)
    with publishing_to(cluster, live_sandbox, tmp_path) as system:
        system.worker().ready()
        yield system
    live_sandbox.clear_faults()
    live_sandbox.limits(off=False)


def migrated(cluster):
    cluster.migrate()


def killed(cluster):
    cluster.fail_over(killed=True)


def switched(cluster):
    cluster.fail_over()


def held_up(cluster):
    # Longer than the others wait for it: they promote its replica, and it comes back as one.
    node = cluster.primary()
    replica = cluster.replica_of(node)
    node.signal(signal.SIGSTOP)
    until(lambda: replica.role() == "master", 20, "the promotion of the replica")
    node.signal(signal.SIGCONT)


@pytest.mark.soak
@pytest.mark.parametrize("change", [migrated, switched, killed, held_up] if SOAK else [migrated, killed])
def test_work_goes_on_when_the_slot_moves_and_nothing_is_lost_or_doubled(system, cluster, change):
    sandbox = system.sandbox
    until(cluster.ready, 20, "a cluster that serves")
    published = [create_profile.delay(email=f"p{n}@example.com").id for n in range(PROFILES)]
    # They must not be repeated, and have no window of a day: what a replica may have missed can fill that.
    templates = [
        create_template.delay(name=f"template {n}", editor_type="CODE", html="<p>Hi</p>").id for n in range(TEMPLATES)
    ]
    job = run_job(bulk_import_profiles).delay(profiles=[{"email": "job@example.com"}]).id
    before = sandbox.arrived()
    until(lambda: sandbox.arrived() > before + 10, 20, "work in full flow")

    change(cluster)

    arrived = sandbox.arrived()
    until(lambda: sandbox.arrived() > arrived or system.ends([*published, job]), 5, "work to go on")
    ends = system.ended([*published, *templates, job], 60)
    assert {ends[each].error for each in published} <= {None, "Conflict"}, system.story(ends)
    assert {ends[each].error for each in templates} <= {None, "OutcomeUnknown"}
    assert ends[job].status == "SUCCESS"
    assert set(sandbox.names("/api/templates", "name").values()) == {1}
    until(lambda: not system.redis.exists("klaviyo:unacked"), 30, "an empty record of what is held")


def test_every_key_is_in_one_slot(system, cluster):
    result = create_profile.delay(email="ada@example.com")
    assert result.get(timeout=120)["successful"]

    for node in cluster.nodes:
        if node.role() == "master":
            assert (node is cluster.primary(SLOT)) == bool(node.redis.dbsize())
            assert {key for key in node.redis.scan_iter() if not key.startswith(TAG)} == set()
