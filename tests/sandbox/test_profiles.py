"""Profiles, lists, segments and consent."""

from typing import Any

import pytest

from tests.sandbox.in_process import Sandbox, pointers, profile


def attributes(sandbox: Sandbox, id: str, **params: str) -> dict[str, Any]:
    found: dict[str, Any] = sandbox.get(f"/api/profiles/{id}", **params).json()["data"]["attributes"]
    return found


def patched(id: str, meta: dict[str, Any] | None = None, **sent: Any) -> dict[str, Any]:
    return {"data": {"type": "profile", "id": id, "attributes": sent, "meta": meta or {}}}


def members(*ids: str) -> dict[str, Any]:
    return {"data": [{"type": "profile", "id": id} for id in ids]}


def with_consent(kind: str, consent: str, list_id: str, **sent: Any) -> dict[str, Any]:
    sent["subscriptions"] = {"email": {"marketing": {"consent": consent}}}
    return {
        "data": {
            "type": f"profile-subscription-bulk-{kind}-job",
            "attributes": {"profiles": {"data": [{"type": "profile", "attributes": sent}]}},
            "relationships": {"list": {"data": {"type": "list", "id": list_id}}},
        }
    }


@pytest.mark.parametrize(
    "same", [{"email": "ADA@example.com"}, {"phone_number": "+447700900001"}, {"external_id": "c-1"}]
)
def test_an_identifier_that_is_taken_is_a_409_with_the_id_of_its_owner(free: Sandbox, same: dict[str, str]) -> None:
    id = free.profile(email="ada@example.com", phone_number="+447700900001", external_id="c-1")
    refused = free.post("/api/profiles", profile(**same))
    assert refused.status_code == 409
    error = refused.json()["errors"][0]
    assert (error["code"], error["meta"]["duplicate_profile_id"]) == ("duplicate_profile", id)


def test_an_identifier_is_free_again_when_its_owner_changes_it(free: Sandbox) -> None:
    id = free.profile(email="ada@example.com")
    assert free.patch(f"/api/profiles/{id}", patched(id, email="new@example.com")).status_code == 200
    assert free.profile(email="ada@example.com") != id


@pytest.mark.parametrize(
    "bad", [{"email": "nope"}, {"email": "a@b"}, {"phone_number": "07700 900001"}, {"title": "Ms"}]
)
def test_a_bad_or_missing_identifier_is_a_400(free: Sandbox, bad: dict[str, str]) -> None:
    assert free.post("/api/profiles", profile(**bad)).status_code == 400


def test_left_out_is_untouched_and_null_clears(free: Sandbox) -> None:
    id = free.profile(email="ada@example.com", first_name="Ada", title="Ms", properties={"size": "M", "tier": 1})
    free.patch(f"/api/profiles/{id}", patched(id, first_name=None, properties={"size": None}))
    now = attributes(free, id)
    assert (now["first_name"], now["title"], now["properties"]) == (None, "Ms", {"tier": 1})


def test_properties_are_appended_to_taken_from_and_unset(free: Sandbox) -> None:
    id = free.profile(email="ada@example.com", properties={"likes": ["tea"], "old": 1})
    meta = {"patch_properties": {"append": {"likes": ["jam", "tea"]}, "unset": "old"}}
    free.patch(f"/api/profiles/{id}", patched(id, meta))
    assert attributes(free, id)["properties"] == {"likes": ["tea", "jam", "tea"]}
    free.patch(f"/api/profiles/{id}", patched(id, {"patch_properties": {"unappend": {"likes": "tea"}}}))
    assert attributes(free, id)["properties"] == {"likes": ["jam"]}


def test_an_upsert_is_201_for_a_new_profile_and_200_for_one_that_is_there(free: Sandbox) -> None:
    new = free.post("/api/profile-import", profile(email="ada@example.com"))
    old = free.post("/api/profile-import", profile(email="ada@example.com", first_name="Ada"))
    assert (new.status_code, old.status_code) == (201, 200)
    assert new.json()["data"]["id"] == old.json()["data"]["id"]


def test_an_upsert_that_means_two_profiles_is_a_409(free: Sandbox) -> None:
    free.profile(email="ada@example.com")
    free.profile(phone_number="+447700900001")
    both = profile(email="ada@example.com", phone_number="+447700900001")
    assert free.post("/api/profile-import", both).status_code == 409


def test_fields_are_sparse_and_additional_ones_are_given_on_request(free: Sandbox) -> None:
    id = free.profile(email="ada@example.com", location={"city": "Bristol", "zip": "BS1"})
    sparse = attributes(free, id, **{"fields[profile]": "email,location.city"})
    assert sparse == {"email": "ada@example.com", "location": {"city": "Bristol"}}
    assert "subscriptions" not in attributes(free, id)
    assert "email" in attributes(free, id, **{"additional-fields[profile]": "subscriptions"})["subscriptions"]
    assert free.get(f"/api/profiles/{id}", **{"fields[profile]": "shoe_size"}).status_code == 400


def test_members_of_a_list_are_seen_from_both_ends(free: Sandbox) -> None:
    ada, bob, vip = free.profile(email="ada@example.com"), free.profile(email="bob@example.com"), free.list()
    assert free.post(f"/api/lists/{vip}/relationships/profiles", members(ada, bob)).status_code == 204
    assert free.delete(f"/api/lists/{vip}/relationships/profiles", members(bob)).status_code == 204
    inside = free.get(f"/api/lists/{vip}/profiles").json()["data"]
    assert [one["id"] for one in inside] == [ada]
    assert inside[0]["attributes"]["joined_group_at"]
    assert [one["id"] for one in free.get(f"/api/profiles/{ada}/lists").json()["data"]] == [vip]
    assert free.get(f"/api/profiles/{bob}/relationships/lists").json()["data"] == []
    included = free.get(f"/api/profiles/{ada}", include="lists").json()["included"]
    assert [one["id"] for one in included] == [vip]
    counted = free.get(f"/api/lists/{vip}", **{"additional-fields[list]": "profile_count"}).json()
    assert counted["data"]["attributes"]["profile_count"] == 1


def test_at_most_a_thousand_members_are_taken_at_once_and_unknown_ones_are_a_404(free: Sandbox) -> None:
    path = f"/api/lists/{free.list()}/relationships/profiles"
    assert free.post(path, members(*("x" for _ in range(1001)))).status_code == 400
    assert free.post(path, members("nobody")).status_code == 404


def test_a_deleted_list_is_gone_from_its_members(free: Sandbox) -> None:
    ada, vip = free.profile(email="ada@example.com"), free.list()
    free.post(f"/api/lists/{vip}/relationships/profiles", members(ada))
    assert free.delete(f"/api/lists/{vip}").status_code == 204
    assert free.get(f"/api/lists/{vip}").status_code == 404
    assert free.get(f"/api/profiles/{ada}/lists").json()["data"] == []


def test_subscribing_gives_consent_and_unsubscribing_from_the_list_ends_membership(free: Sandbox) -> None:
    vip = free.list()
    subscribe = with_consent("create", "SUBSCRIBED", vip, email="ada@example.com")
    assert free.post("/api/profile-subscription-bulk-create-jobs", subscribe).status_code == 202
    id = free.get(f"/api/lists/{vip}/profiles").json()["data"][0]["id"]

    def email() -> dict[str, Any]:
        extra = {"additional-fields[profile]": "subscriptions"}
        state: dict[str, Any] = attributes(free, id, **extra)["subscriptions"]["email"]["marketing"]
        return state

    assert (email()["consent"], email()["can_receive_email_marketing"]) == ("SUBSCRIBED", True)
    unsubscribe = with_consent("delete", "UNSUBSCRIBED", vip, email="ada@example.com")
    assert free.post("/api/profile-subscription-bulk-delete-jobs", unsubscribe).status_code == 202
    assert email()["list_suppressions"][0]["list_id"] == vip
    assert free.get(f"/api/lists/{vip}/profiles").json()["data"] == []
    free.post("/api/profile-subscription-bulk-delete-jobs", unsubscribe)
    assert email()["consent"] == "UNSUBSCRIBED"


def test_consent_that_is_not_spelled_out_is_refused(free: Sandbox) -> None:
    wrong = with_consent("create", "UNSUBSCRIBED", free.list(), email="ada@example.com")
    refused = free.post("/api/profile-subscription-bulk-create-jobs", wrong)
    place = "/data/attributes/profiles/data/0/attributes/subscriptions/email/marketing/consent"
    assert pointers(refused) == [place]


def test_a_merge_moves_events_and_memberships_and_ends_the_source(free: Sandbox) -> None:
    ada, old, vip = free.profile(email="ada@example.com"), free.profile(phone_number="+447700900001"), free.list()
    free.post(f"/api/lists/{vip}/relationships/profiles", members(old))
    merge = {"type": "profile-merge", "id": ada, "relationships": {"profiles": members(old)}}
    assert free.post("/api/profile-merge", {"data": merge}).status_code == 201
    assert free.get(f"/api/profiles/{old}").status_code == 404
    assert attributes(free, ada)["phone_number"] == "+447700900001"
    assert [one["id"] for one in free.get(f"/api/profiles/{ada}/lists").json()["data"]] == [vip]


def test_a_deleted_profile_is_a_404_afterwards_and_its_email_is_free(free: Sandbox) -> None:
    id = free.profile(email="ada@example.com")
    job = {"type": "data-privacy-deletion-job", "attributes": {"profile": profile(email="ada@example.com")}}
    assert free.post("/api/data-privacy-deletion-jobs", {"data": job}).status_code == 202
    assert free.get(f"/api/profiles/{id}").status_code == 404
    assert free.profile(email="ada@example.com") != id


def test_everyone_is_in_the_segment_of_everyone(free: Sandbox) -> None:
    id = free.profile(email="ada@example.com")
    segments = free.get(f"/api/profiles/{id}/segments").json()["data"]
    assert [one["attributes"]["name"] for one in segments] == ["Everyone"]
