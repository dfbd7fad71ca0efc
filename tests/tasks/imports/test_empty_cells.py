"""An empty cell changes nothing, unless it is asked to clear."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tasks.imports.import_runs import Run
from worker.errors import InputError


def test_an_empty_cell_changes_nothing(run: Run):
    made = run("profiles", "email,first_name,properties.plan\na@b.c,,\n")

    assert made.items == [{"type": "profile", "attributes": {"email": "a@b.c"}}]


def test_an_empty_cell_unsets_its_property_where_that_is_asked_for(run: Run):
    table = "email,first_name,properties.plan,properties.tags\na@b.c,,NULL,\nb@b.c,B,gold,\nc@b.c,C,gold,x\n"

    made = run("profiles", table, mapping=("properties.tags=properties.tags:list",), clear_empty=True)

    assert [item.get("meta") for item in made.items] == [
        {"patch_properties": {"unset": ["plan", "tags"]}},
        {"patch_properties": {"unset": ["tags"]}},
        None,
    ]
    assert [item["attributes"].get("properties") for item in made.items] == [
        None, {"plan": "gold"}, {"plan": "gold", "tags": ["x"]},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "rows", "told"),
    [
        ("coupon_codes", "coupon_id,unique_code\n", "Klaviyo unsets properties of profiles only"),
        ("profiles", [{"email": "a@b.c"}], "only where rows have cells"),
        ("profiles", "email,patch_properties.unset\n", "use one of them"),
    ],
)
def test_what_empty_cells_cannot_clear_is_reported(run: Run, kind: str, rows: Any, told: str):
    with pytest.raises(InputError, match=told):
        run(kind, rows, clear_empty=True)
