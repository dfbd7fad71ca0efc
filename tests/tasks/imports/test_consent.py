"""Consent is imported from exports whose columns tell of it, and of those only who say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.imports.options import Options
from tasks.imports.parts import Part, parts
from tasks.imports.rejects import Rejected
from tasks.imports.sources import source_of
from tasks.imports.understanding import understood
from tests.tasks.action_samples import NOW
from tests.tasks.imports.import_runs import items_of
from worker.errors import InputError

FILES = Path(__file__).with_name("exports")


def consenting(path: Path, kind: str, **options: Any) -> tuple[list[Any], dict[int, Any]]:
    how = Options(consent=True, moment=NOW, **options)
    source, plan = understood(source_of(path), kind, how)
    made = list(parts(source, plan))
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
    with pytest.raises(InputError, match="Shopify customers have no column that tells of it"):
        consenting(FILES / "shopify_customers.csv", "unsubscribe")


def test_of_a_file_that_nobody_knows_no_consent_is_guessed(tmp_path: Path):
    path = tmp_path / "people.csv"
    path.write_text("email,newsletter\na@b.c,yes\n")

    with pytest.raises(InputError, match="only of known exports it is known which columns tell of consent"):
        consenting(path, "subscribe")
