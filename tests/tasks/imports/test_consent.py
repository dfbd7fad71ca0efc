"""Consent is imported from exports whose columns tell of it, and of those only who say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.imports.interpretation import interpret
from tasks.imports.options import Options
from tasks.imports.parts import Part, split_into_parts
from tasks.imports.rejects import Rejected
from tasks.imports.sources import open_rows
from tests.tasks.action_samples import NOW
from tests.tasks.imports.import_runs import items_of
from worker.errors import InputError

FILES = Path(__file__).with_name("exports")


def consenting(path: Path, kind: str, **options: Any) -> tuple[list[Any], dict[int, Any]]:
    how = Options(consent=True, moment=NOW, **options)
    source, plan = interpret(open_rows(path), kind, how)
    made = list(split_into_parts(source, plan))
    items = [item["attributes"] for part in made if isinstance(part, Part) for item in items_of(kind, part)]
    return items, {each.row: each.original for each in made if isinstance(each, Rejected)}


def test_only_those_who_say_yes_are_subscribed_with_the_time_that_is_said():
    items, rejected = consenting(
        FILES / "shopify_customers.csv", "subscribe", params={"historical_import": True},
        fixed={"consented_at": "2024-01-31T00:00:00Z"},
    )  # fmt: skip

    assert items == [
        {
            "email": "ada@example.com",
            "phone_number": "+447700900123",
            "subscriptions": {
                "email": {"marketing": {"consent": "SUBSCRIBED", "consented_at": "2024-01-31T00:00:00+00:00"}}
            },
        }
    ]
    assert rejected == {}


def test_only_those_who_said_no_are_unsubscribed_and_nobody_who_has_not_said_yes():
    items, _ = consenting(FILES / "brevo_contacts.csv", "unsubscribe")

    assert items == [
        {
            "email": "ada@example.com",
            "phone_number": "+33611111111",
            "subscriptions": {"email": {"marketing": {"consent": "UNSUBSCRIBED"}}},
        }
    ]
    with pytest.raises(InputError, match="Shopify customers have no column for it"):
        consenting(FILES / "shopify_customers.csv", "unsubscribe")


MEMBERS = "Email Address,First Name,OPTIN_TIME,UNSUB_TIME,CLEAN_TIME,LEID,EUID\n"


def test_addresses_that_bounce_are_suppressed_and_those_who_left_unsubscribed(tmp_path: Path):
    path = tmp_path / "members.csv"
    path.write_text(
        f"{MEMBERS}a@b.co,A,2024-01-01 10:00:00,,,1,a\nb@b.co,B,,2024-02-01 10:00:00,,2,b\nc@b.co,C,,,2/28/24,3,c\n"
    )

    suppressed, rejected = consenting(path, "suppress")
    unsubscribed, _ = consenting(path, "unsubscribe")

    assert (suppressed, rejected) == ([{"email": "c@b.co"}], {})
    assert [each["email"] for each in unsubscribed] == ["b@b.co"]
    with pytest.raises(InputError, match="Mailchimp audience have no column for it"):
        consenting(path, "subscribe")


@pytest.mark.parametrize(
    ("name", "kind"), [("subscribed", "subscribe"), ("unsubscribed", "unsubscribe"), ("cleaned", "suppress")]
)
def test_the_name_of_a_file_of_mailchimps_says_what_all_of_its_people_want(tmp_path: Path, name: str, kind: str):
    path = tmp_path / f"{name}_members_export_0c4d.csv"
    path.write_text(f"{MEMBERS}a@b.co,A,2024-01-01 10:00:00,,,1,a\nb@b.co,B,2024-01-01 10:00:00,,,2,b\n")

    items, rejected = consenting(path, kind)

    assert ([each["email"] for each in items], rejected) == (["a@b.co", "b@b.co"], {})
    others = {"subscribe", "unsubscribe", "suppress"} - {kind}
    for other in others:
        with pytest.raises(InputError, match="have no column for it"):
            consenting(path, other)


def test_of_a_file_that_nobody_knows_no_consent_is_guessed(tmp_path: Path):
    path = tmp_path / "people.csv"
    path.write_text("email,newsletter\na@b.c,yes\n")

    with pytest.raises(InputError, match="--consent needs a known export"):
        consenting(path, "subscribe")
