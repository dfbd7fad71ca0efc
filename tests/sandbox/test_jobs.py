"""Jobs: their states over time, their counters and errors."""

from typing import Any

from tests.sandbox.in_process import Sandbox, pointers

JOBS = "/api/profile-bulk-import-jobs"


def importing(*profiles: dict[str, Any], list_id: str | None = None) -> dict[str, Any]:
    job: dict[str, Any] = {
        "type": "profile-bulk-import-job",
        "attributes": {"profiles": {"data": [{"type": "profile", "attributes": one} for one in profiles]}},
    }
    if list_id:
        job["relationships"] = {"lists": {"data": [{"type": "list", "id": list_id}]}}
    return {"data": job}


def started(sandbox: Sandbox, *profiles: dict[str, Any], list_id: str | None = None) -> str:
    answer = sandbox.post(JOBS, importing(*profiles, list_id=list_id))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["id"])


def people(count: int) -> list[dict[str, Any]]:
    return [{"email": f"p{n}@example.com"} for n in range(count)]


def status(sandbox: Sandbox, id: str) -> dict[str, Any]:
    found: dict[str, Any] = sandbox.get(f"{JOBS}/{id}").json()["data"]["attributes"]
    return found


def test_a_job_is_queued_then_processed_then_complete(free: Sandbox) -> None:
    id = started(free, *people(100))
    assert status(free, id)["status"] == "queued"
    free.clock.advance(0.6)
    halfway = status(free, id)
    assert halfway["status"] == "processing"
    assert 0 < halfway["completed_count"] < 100
    free.clock.advance(0.4)
    done = status(free, id)
    assert (done["status"], done["completed_count"], done["failed_count"]) == ("complete", 100, 0)
    assert done["completed_at"]


def test_a_job_does_its_work_even_if_nobody_looks_at_it(free: Sandbox) -> None:
    vip = free.list()
    started(free, *people(3), list_id=vip)
    free.clock.advance(5)
    assert len(free.get(f"/api/lists/{vip}/profiles").json()["data"]) == 3


def test_what_the_job_itself_refuses_is_counted_and_kept_with_its_payload(free: Sandbox) -> None:
    id = started(free, {"email": "ada@example.com"}, *({"email": f"{n}@reject.example"} for n in range(25)))
    free.clock.advance(1)
    done = status(free, id)
    assert (done["status"], done["completed_count"], done["failed_count"]) == ("complete", 1, 25)
    first = free.get(f"{JOBS}/{id}/import-errors").json()
    assert len(first["data"]) == 20
    rest = free.get(first["links"]["next"].removeprefix("http://sandbox")).json()
    assert len(rest["data"]) == 5
    assert len(free.get(f"{JOBS}/{id}/import-errors", **{"page[size]": "100"}).json()["data"]) == 25
    assert pointers(free.get(f"{JOBS}/{id}/import-errors", **{"page[size]": "101"})) == ["page[size]"]
    row = first["data"][0]["attributes"]
    assert row["source"]["pointer"] == "/data/attributes/profiles/data/1/attributes/email"
    assert row["original_payload"]["attributes"] == {"email": "0@reject.example"}


def test_one_bad_profile_refuses_the_whole_import_and_all_bad_ones_are_pointed_at(free: Sandbox) -> None:
    refused = free.post(JOBS, importing({"email": "ada@example.com"}, {"email": "nope"}, {"first_name": "Bob"}))
    assert refused.status_code == 400
    assert pointers(refused) == [
        "/data/attributes/profiles/data/1/attributes/email",
        "/data/attributes/profiles/data/2/attributes",
    ]
    free.clock.advance(5)
    assert "profile" not in free.get("/_sandbox/state").json()["default"]


def test_an_import_takes_ten_thousand_profiles_of_100_kb_at_most(free: Sandbox) -> None:
    assert pointers(free.post(JOBS, importing(*people(10_001)))) == ["/data/attributes/profiles/data"]
    large = {"email": "ada@example.com", "properties": {"essay": "x" * 110_000}}
    assert pointers(free.post(JOBS, importing(large))) == ["/data/attributes/profiles/data/0"]


def test_an_import_writes_no_nulls(free: Sandbox) -> None:
    id = free.profile(email="ada@example.com", first_name="Ada", properties={"size": "M"})
    started(free, {"email": "ada@example.com", "first_name": None, "properties": {"size": None, "tier": 2}})
    free.clock.advance(1)
    now = free.get(f"/api/profiles/{id}").json()["data"]["attributes"]
    assert (now["first_name"], now["properties"]) == ("Ada", {"size": "M", "tier": 2})


def test_jobs_are_listed_by_status_and_lead_to_their_lists_and_profiles(free: Sandbox) -> None:
    vip = free.list()
    done = started(free, *people(2), list_id=vip)
    free.clock.advance(1)
    queued = started(free, *people(2))

    def having(status: str) -> list[str]:
        rows = free.get(JOBS, filter=f'equals(status,"{status}")', sort="-created_at").json()["data"]
        return [row["id"] for row in rows]

    assert (having("complete"), having("queued")) == ([done], [queued])
    either = free.get(JOBS, filter='any(status,["queued","complete"])', sort="created_at").json()["data"]
    assert [(row["id"], row["attributes"]["total_count"]) for row in either] == [(done, 2), (queued, 2)]
    assert [one["id"] for one in free.get(f"{JOBS}/{done}/lists").json()["data"]] == [vip]
    assert len(free.get(f"{JOBS}/{done}/relationships/profiles").json()["data"]) == 2


def test_suppressing_skips_whom_it_does_not_know_or_has_suppressed_before(free: Sandbox) -> None:
    id = free.profile(email="ada@example.com")
    path = "/api/profile-suppression-bulk-create-jobs"
    named = [{"type": "profile", "attributes": {"email": f"{name}@example.com"}} for name in ("ada", "nobody")]
    job = {"type": "profile-suppression-bulk-create-job", "attributes": {"profiles": {"data": named}}}
    job_id = free.post(path, {"data": job}).json()["data"]["id"]
    free.clock.advance(1)
    done = free.get(f"{path}/{job_id}").json()["data"]["attributes"]
    assert (done["status"], done["completed_count"], done["skipped_count"]) == ("complete", 1, 1)
    extra = {"additional-fields[profile]": "subscriptions"}
    email = free.get(f"/api/profiles/{id}", **extra).json()["data"]["attributes"]["subscriptions"]["email"]
    assert email["marketing"]["suppression"][0]["reason"] == "USER_SUPPRESSED"
    assert not email["marketing"]["can_receive_email_marketing"]
