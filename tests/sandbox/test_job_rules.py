"""Jobs that take their time, fail in part, are cancelled, hang, vanish and expire, as the side door says."""

from typing import Any

import pytest

from tests.sandbox.in_process import Sandbox
from tests.sandbox.test_catalog_jobs import done as catalog_job
from tests.sandbox.test_catalog_jobs import start
from tests.sandbox.test_catalogs import item
from tests.sandbox.test_jobs import JOBS, importing, people, started, status

IMPORT = "profile-bulk-import-job"


def rule(sandbox: Sandbox, **said: Any) -> None:
    answer = sandbox.post("/_sandbox/jobs", said)
    assert answer.status_code == 200, answer.text


def test_a_rule_says_how_long_the_next_job_takes(free: Sandbox) -> None:
    rule(free, type=IMPORT, seconds=40)
    slow, usual = started(free, *people(4)), started(free, *people(5))
    free.clock.advance(1)
    assert (status(free, slow)["status"], status(free, usual)["status"]) == ("queued", "complete")
    free.clock.advance(39)
    assert status(free, slow)["status"] == "complete"


def test_a_range_of_seconds_is_drawn_from_the_same_for_a_seed() -> None:
    def ended() -> list[str]:
        sandbox = Sandbox().unlimited()
        rule(sandbox, seconds=[1, 50], times=None)
        ids = [started(sandbox, *people(n)) for n in range(1, 9)]
        sandbox.clock.advance(25)
        states = [status(sandbox, id)["status"] for id in ids]
        sandbox.close()
        return states

    first = ended()

    assert first == ended()
    assert {"complete", "processing"} <= set(first)


def test_a_cancelled_job_has_done_what_it_came_to(free: Sandbox) -> None:
    rule(free, outcome="cancelled")
    id = started(free, *people(90))
    free.clock.advance(5)
    ended = status(free, id)

    assert (ended["status"], ended["completed_count"], ended["completed_at"]) == ("cancelled", 30, None)
    assert free.get("/_sandbox/state").json()["default"]["profile"] == 30


def test_a_stuck_job_is_processing_for_ever(free: Sandbox) -> None:
    rule(free, outcome="stuck")
    id = started(free, *people(9))
    free.clock.advance(30 * 86_400)

    assert status(free, id)["status"] == "processing"


def test_a_vanished_job_is_nowhere_to_be_read(free: Sandbox) -> None:
    rule(free, outcome="vanished")
    id = started(free, {"email": "ada@reject.example"}, *people(9))
    free.clock.advance(0.4)
    assert status(free, id)["status"] == "processing"
    free.clock.advance(0.1)

    assert free.get(f"{JOBS}/{id}").status_code == 404
    assert free.get(f"{JOBS}/{id}/import-errors").status_code == 404
    assert free.get(JOBS).json()["data"] == []


def test_a_share_of_the_items_fails_spread_evenly(free: Sandbox) -> None:
    rule(free, fail_share=0.25)
    id = started(free, *people(8))
    free.clock.advance(1)
    failed = free.get(f"{JOBS}/{id}/import-errors").json()["data"]

    assert status(free, id)["failed_count"] == 2
    assert [row["attributes"]["source"]["pointer"] for row in failed] == [
        "/data/attributes/profiles/data/3",
        "/data/attributes/profiles/data/7",
    ]


def test_a_share_fails_in_a_catalog_job_too(free: Sandbox) -> None:
    rule(free, type="catalog-item-bulk-create-job", fail_share=0.5)
    job = catalog_job(free, "item", "create", item("A-1"), item("A-2"))

    assert (job["completed_count"], job["failed_count"], job["errors"][0]["meta"]) == (1, 1, {"external_id": "A-2"})


def test_a_job_and_its_errors_are_gone_when_they_expire(free: Sandbox) -> None:
    rule(free, expires=10)
    id = started(free, {"email": "ada@reject.example"})
    free.clock.advance(10)
    assert free.get(f"{JOBS}/{id}/import-errors").json()["data"] != []
    free.clock.advance(1)

    assert free.get(f"{JOBS}/{id}").status_code == 404
    assert free.get(f"{JOBS}/{id}/import-errors").status_code == 404
    assert "import-error" not in free.get("/_sandbox/state").json()["default"]


def test_without_a_rule_a_job_expires_after_a_week(free: Sandbox) -> None:
    id = started(free, *people(1))
    free.clock.advance(7 * 86_400)
    assert status(free, id)["status"] == "complete"
    free.clock.advance(1)

    assert free.get(f"{JOBS}/{id}").status_code == 404


def test_a_cap_refuses_a_job_too_many_and_no_job_uses_it_up(free: Sandbox) -> None:
    rule(free, caps={IMPORT: 2})

    def outcome() -> int:
        return free.post(JOBS, importing(*people(1))).status_code

    assert [outcome() for _ in range(4)] == [202, 202, 400, 400]
    free.clock.advance(1)
    assert [outcome() for _ in range(3)] == [202, 202, 400]


def test_a_cap_may_be_lower_than_the_usual_one(free: Sandbox) -> None:
    rule(free, account="default", caps={"catalog-item-bulk-create-job": 1})
    rule(free, account="a", caps={"catalog-item-bulk-create-job": 0})
    start(free, "item", "create", item("A-1"))
    refused = start(free, "item", "create", item("A-2"))

    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "too_many_jobs")


def test_a_rule_is_for_its_type_and_account_and_can_be_taken_back(free: Sandbox) -> None:
    rule(free, type="catalog-item-bulk-create-job", outcome="stuck", times=None)
    rule(free, account="a", outcome="stuck")
    id = started(free, *people(1))
    free.clock.advance(1)
    assert status(free, id)["status"] == "complete"
    assert [one["outcome"] for one in free.get("/_sandbox/jobs").json()] == ["stuck", "stuck"]
    free.delete("/_sandbox/jobs")

    assert free.get("/_sandbox/jobs").json() == []


@pytest.mark.parametrize(
    "said", [{"type": "profile"}, {"outcome": "lost"}, {"fail_share": 2}, {"caps": {"job": 1}}, {"colour": "red"}]
)
def test_a_rule_that_means_nothing_is_refused(free: Sandbox, said: dict[str, Any]) -> None:
    assert free.post("/_sandbox/jobs", said).status_code == 400


def test_a_cancelled_sending_cancels_its_campaign(free: Sandbox) -> None:
    drafts = free.get("/api/campaigns", filter="equals(messages.channel,'email')").json()["data"]
    id = next(one["id"] for one in drafts if one["attributes"]["status"] == "Draft")
    rule(free, type="campaign-send-job", outcome="cancelled")
    free.post("/api/campaign-send-jobs", {"data": {"type": "campaign-send-job", "id": id}})
    free.clock.advance(1)

    job = free.get(f"/api/campaign-send-jobs/{id}").json()["data"]["attributes"]["status"]
    assert (job, free.get(f"/api/campaigns/{id}").json()["data"]["attributes"]["status"]) == ("cancelled", "Cancelled")


def test_jobs_and_sendings_that_were_asked_for_twice_are_counted(free: Sandbox) -> None:
    for count in (1, 1, 1, 2):
        started(free, *people(count))
    drafts = free.get("/api/campaigns", filter="equals(messages.channel,'email')").json()["data"]
    id = next(one["id"] for one in drafts if one["attributes"]["status"] == "Draft")
    body = {"data": {"type": "campaign-send-job", "id": id}}
    assert [free.post("/api/campaign-send-jobs", body).status_code for _ in range(2)] == [202, 409]

    state = free.get("/_sandbox/state").json()
    assert (state["default"]["doubled_jobs"], state["default"]["doubled_sends"]) == (2, 1)
    assert (state["a"]["doubled_jobs"], state["a"]["doubled_sends"]) == (0, 0)
