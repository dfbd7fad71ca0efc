"""Asynchronous jobs, followed to their true end by real workers."""

from __future__ import annotations

from tasks.jobs import run_job
from tasks.profiles import bulk_import_profiles


def people(number, domain="example.com"):
    return [{"email": f"p{n}@{domain}"} for n in range(number)]


def test_a_job_is_one_result_with_its_counters(system):
    system.worker().ready()

    task = run_job(bulk_import_profiles).delay(profiles=[*people(3), {"email": "no@reject.example"}])
    end = system.end_of(task.id)

    data = end.result["data"]
    assert (data["status"], data["total"], data["completed"], data["failed"]) == ("complete", 4, 3, 1)
    assert [each["index"] for each in data["errors"]] == [3]
    assert data["seconds"] > 0
    assert system.sandbox.state()["profile"] == 3
