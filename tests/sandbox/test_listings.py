"""Pages, cursors, sorting and filtering of what is stored."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.in_process import Sandbox, pointers, profile


def pages(sandbox: Sandbox, path: str, **params: str) -> Iterator[list[dict[str, Any]]]:
    answer = sandbox.get(path, **params).json()
    yield answer["data"]
    while answer["links"]["next"]:
        answer = sandbox.get(answer["links"]["next"].removeprefix("http://sandbox")).json()
        yield answer["data"]


def emails(rows: list[dict[str, Any]]) -> list[str]:
    return [row["attributes"]["email"] for row in rows]


@pytest.fixture
def crowd(free: Sandbox) -> Sandbox:
    for n in range(25):
        free.profile(email=f"p{n:02}@example.com")
        free.clock.advance(1)
    return free


@pytest.mark.parametrize("sort", ["email", "-email", "created", "-created", "id", "-updated"])
def test_all_pages_together_hold_everything_once(crowd: Sandbox, sort: str) -> None:
    found = list(pages(crowd, "/api/profiles", sort=sort, **{"page[size]": "7"}))
    assert [len(page) for page in found] == [7, 7, 7, 4]
    rows = emails([row for page in found for row in page])
    assert len(set(rows)) == 25
    if sort != "id":
        assert rows == sorted(rows, reverse=sort.startswith("-"))


def test_the_page_before_is_the_page_that_was(crowd: Sandbox) -> None:
    first = crowd.get("/api/profiles", sort="-email", **{"page[size]": "10"}).json()
    assert first["links"]["prev"] is None
    second = crowd.get(first["links"]["next"].removeprefix("http://sandbox")).json()
    back = crowd.get(second["links"]["prev"].removeprefix("http://sandbox")).json()
    assert emails(back["data"]) == emails(first["data"])


def test_a_row_that_comes_or_goes_between_two_pages_shifts_no_other(crowd: Sandbox) -> None:
    reading = pages(crowd, "/api/profiles", sort="email", **{"page[size]": "10"})
    first = next(reading)
    crowd.profile(email="a-newcomer@example.com")
    gone = profile(email="p03@example.com")
    job = {"type": "data-privacy-deletion-job", "attributes": {"profile": gone}}
    crowd.post("/api/data-privacy-deletion-jobs", {"data": job})
    rest = [email for page in reading for email in emails(page)]
    assert emails(first) + rest == [f"p{n:02}@example.com" for n in range(25)]


def test_page_sizes_are_klaviyos(crowd: Sandbox) -> None:
    assert len(crowd.get("/api/profiles").json()["data"]) == 20
    assert crowd.get("/api/profiles", **{"page[size]": "100"}).status_code == 200
    assert pointers(crowd.get("/api/profiles", **{"page[size]": "101"})) == ["page[size]"]
    assert pointers(crowd.get("/api/lists", **{"page[size]": "11"})) == ["page[size]"]


@pytest.mark.parametrize("cursor", ["nonsense", "e30", "W10"])
def test_a_bad_cursor_is_a_400(crowd: Sandbox, cursor: str) -> None:
    refused = crowd.get("/api/profiles", **{"page[cursor]": cursor})
    assert refused.status_code == 400
    assert "Invalid cursor" in refused.json()["errors"][0]["detail"]


def test_a_cursor_of_another_listing_is_a_400(crowd: Sandbox) -> None:
    links = crowd.get("/api/profiles", sort="email", **{"page[size]": "5"}).json()["links"]
    other = links["next"].removeprefix("http://sandbox").replace("sort=email", "sort=created")
    assert crowd.get(other).status_code == 400


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('equals(email,"p03@example.com")', ["p03@example.com"]),
        ('any(email,["p03@example.com","p01@example.com","x@example.com"])', ["p01@example.com", "p03@example.com"]),
        ('equals(email,"p03@example.com"),greater-than(created,2100-01-01T00:00:00Z)', []),
        ("less-than(created,2001-01-01T00:00:00Z)", []),
    ],
)
def test_profiles_are_filtered(crowd: Sandbox, text: str, found: list[str]) -> None:
    assert emails(crowd.get("/api/profiles", filter=text).json()["data"]) == found


def test_greater_than_a_moment_leaves_that_moment_out(crowd: Sandbox) -> None:
    rows = crowd.get("/api/profiles", sort="created").json()["data"]
    moment = rows[9]["attributes"]["created"].replace("+00:00", "Z")
    later = crowd.get("/api/profiles", sort="created", filter=f"greater-than(created,{moment})").json()["data"]
    assert emails(later) == [f"p{n:02}@example.com" for n in range(10, 25)]


def test_what_an_operation_does_not_take_is_a_400_that_names_the_parameter(crowd: Sandbox) -> None:
    assert pointers(crowd.get("/api/profiles", filter='contains(email,"a")')) == ["filter"]
    assert pointers(crowd.get("/api/profiles", filter='equals(first_name,"a")')) == ["filter"]
    assert pointers(crowd.get("/api/profiles", sort="first_name")) == ["sort"]
    assert pointers(crowd.get("/api/profiles", include="lists")) == ["include"]
    assert pointers(crowd.get("/api/campaigns")) == ["filter"]
