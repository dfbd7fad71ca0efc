"""Queries whose every row would be rejected are refused before one is read."""

from __future__ import annotations

import pytest

from schedules.push.kinds import Push
from schedules.push.mapping import open_and_map
from worker.errors import InputError


@pytest.fixture
def plan(tmp_path):
    """Return the result for a query that selects these columns and no rows."""
    url = f"sqlite:///{tmp_path}/shop.db"
    (tmp_path / "shop.db").touch()

    def make(selected, kind="catalog_items", name="shop", **how):
        wanted = Push(kind, f"sql:SELECT {selected} WHERE 1 = 0", name, url, **how)
        return open_and_map(wanted, wanted.checked())

    return make


ITEM = "'Mug' AS title, 'T' AS description, 'https://x.example' AS url"


def test_a_query_without_what_names_its_records_is_one_sentence(plan):
    with pytest.raises(InputError) as refused:
        plan(f"7 AS id, {ITEM}")

    [problem] = refused.value.problems
    assert problem == (
        "the query has no column for external_id, which Klaviyo needs for every row: name it in the query, "
        "`… AS external_id`, or map it with KLAVIYO_PUSHES__SHOP__MAP='column=external_id'"
    )


def test_a_query_that_lacks_several_columns_names_them_all(plan):
    with pytest.raises(InputError, match="no column for external_id, description, url, which"):
        plan("'Mug' AS title")
    with pytest.raises(InputError, match="no column for email or phone_number or external_id or id or _kx, which"):
        plan("'Ada' AS first_name", kind="profiles")


def test_a_column_that_leads_nowhere_is_reported_with_the_setting_that_leaves_it_out(plan):
    with pytest.raises(InputError, match="leave it out with KLAVIYO_PUSHES__MY_SHOP__MAP='maker='"):
        plan(f"7 AS external_id, 'ACME' AS maker, {ITEM}", name="my-shop")


@pytest.mark.parametrize(
    ("selected", "how"),
    [
        (f"7 AS external_id, {ITEM}", {}),
        (f"7 AS id, {ITEM}", {"mapping": ("id=external_id",)}),
        (f"7 AS external_id, 'x' AS maker, {ITEM}", {"mapping": ("*=custom_metadata.*",)}),
        ("7 AS external_id, 'Mug' AS title, 'T' AS description", {"fixed": {"url": "https://x.example"}}),
        ("'ada@example.com' AS email", {"kind": "profiles"}),
        ("'ada@example.com' AS email", {"kind": "events", "fixed": {"metric": "Seen"}}),
        ("'{}' AS profile, 'Seen' AS metric", {"kind": "events"}),
    ],
)
def test_a_query_with_all_that_is_needed_is_taken(plan, selected, how):
    source, _ = plan(selected, **how)

    assert list(source.batches()) == []
