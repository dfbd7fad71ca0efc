"""Coupons, their codes, and the bulk job for codes."""

from typing import Any

import pytest

from tests.sandbox.in_process import Sandbox, pointers

JOBS = "/api/coupon-code-bulk-create-jobs"


@pytest.fixture
def ten(free: Sandbox) -> Sandbox:
    """A sandbox with the coupon TEN."""
    data = {"type": "coupon", "attributes": {"external_id": "TEN", "description": "10 % off"}}
    assert free.post("/api/coupons", {"data": data}).json()["data"]["id"] == "TEN"
    return free


def code(unique_code: str, coupon: str = "TEN", **attributes: Any) -> dict[str, Any]:
    link = {"coupon": {"data": {"type": "coupon", "id": coupon}}}
    return {"type": "coupon-code", "attributes": {"unique_code": unique_code} | attributes, "relationships": link}


def codes(*all: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"type": "coupon-code-bulk-create-job", "attributes": {"coupon-codes": {"data": list(all)}}}}


def test_an_external_id_is_taken_once(ten: Sandbox) -> None:
    again = {"data": {"type": "coupon", "attributes": {"external_id": "TEN"}}}
    assert ten.post("/api/coupons", again).status_code == 409


def test_a_code_belongs_to_its_coupon_and_lasts_a_year_unless_it_says(ten: Sandbox) -> None:
    made = ten.post("/api/coupon-codes", {"data": code("A1")})
    assert made.status_code == 200
    shown = made.json()["data"]
    assert (shown["id"], shown["attributes"]["status"]) == ("A1-TEN", "UNASSIGNED")
    assert shown["attributes"]["expires_at"].startswith("2027-09-21")
    assert ten.get("/api/coupon-codes/A1-TEN/coupon").json()["data"]["id"] == "TEN"
    assert ten.post("/api/coupon-codes", {"data": code("A1")}).status_code == 409
    assert ten.post("/api/coupon-codes", {"data": code("A1", coupon="NONE")}).status_code == 404
    later = ten.post("/api/coupon-codes", {"data": code("A2", expires_at="2030-01-01T00:00:00Z")}).json()
    assert later["data"]["attributes"]["expires_at"] == "2030-01-01T00:00:00+00:00"


def test_codes_are_listed_by_coupon_or_profile_only(ten: Sandbox) -> None:
    ten.post("/api/coupon-codes", {"data": code("A1")})
    assert pointers(ten.get("/api/coupon-codes")) == ["filter"]
    assert pointers(ten.get("/api/coupon-codes", filter='equals(status,"USED")')) == ["filter"]
    found = ten.get("/api/coupon-codes", filter='equals(coupon.id,"TEN"),equals(status,"UNASSIGNED")').json()["data"]
    assert [one["id"] for one in found] == ["A1-TEN"]
    assert ten.get("/api/coupons/TEN/relationships/coupon-codes").json()["data"][0]["id"] == "A1-TEN"


def test_a_code_is_changed_and_deleted_unless_a_profile_has_it(ten: Sandbox) -> None:
    ten.post("/api/coupon-codes", {"data": code("A1")})
    path = "/api/coupon-codes/A1-TEN"

    def change(**attributes: Any) -> Any:
        return ten.patch(path, {"data": {"type": "coupon-code", "id": "A1-TEN", "attributes": attributes}})

    assert pointers(change(status="LOST")) == ["/data/attributes/status"]
    assert change(status="ASSIGNED_TO_PROFILE").status_code == 200
    assert ten.delete(path).status_code == 400
    change(status="UNASSIGNED")
    assert ten.delete(path).status_code == 204


def test_a_coupon_goes_with_its_codes(ten: Sandbox) -> None:
    ten.post("/api/coupon-codes", {"data": code("A1")})
    assert ten.delete("/api/coupons/TEN").status_code == 204
    assert ten.get("/api/coupon-codes/A1-TEN").status_code == 404


def test_a_job_creates_codes_and_tells_which_failed(ten: Sandbox) -> None:
    id = ten.post(JOBS, codes(code("A1"), code("reject-2"), code("A1"), code("A4"))).json()["data"]["id"]
    assert ten.get("/api/coupons/TEN/coupon-codes").json()["data"] == []
    ten.clock.advance(1)
    answer = ten.get(f"{JOBS}/{id}", include="coupon-codes").json()
    job = answer["data"]["attributes"]
    assert (job["status"], job["completed_count"], job["failed_count"]) == ("complete", 2, 2)
    assert [row["meta"]["external_id"] for row in job["errors"]] == ["reject-2", "A1"]
    assert [one["id"] for one in answer["included"]] == ["A1-TEN", "A4-TEN"]


def test_a_malformed_code_refuses_the_request(ten: Sandbox) -> None:
    alone = {"type": "coupon-code", "attributes": {"unique_code": "A2"}}
    place = "/data/attributes/coupon-codes/data/1"
    refused = ten.post(JOBS, codes(code("A1"), alone, code("A3", expires_at="soon")))
    assert pointers(refused) == [
        f"{place}/relationships/coupon",
        "/data/attributes/coupon-codes/data/2/attributes/expires_at",
    ]


def test_a_hundred_jobs_are_in_progress_at_one_time(ten: Sandbox) -> None:
    answers = [ten.post(JOBS, codes(code(f"A{n}"))).status_code for n in range(101)]
    assert (set(answers[:100]), answers[100]) == ({202}, 400)
    ten.clock.advance(1)
    assert ten.post(JOBS, codes(code("B1"))).status_code == 202
    assert len(ten.get(JOBS, filter='equals(status,"complete")').json()["data"]) == 100
