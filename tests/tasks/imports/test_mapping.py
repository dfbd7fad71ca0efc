"""Which column becomes which field, and what is refused before anything is read."""

from __future__ import annotations

import pytest

from tests.tasks.imports.import_runs import Run
from worker.errors import InputError


def test_a_column_named_like_a_field_maps_by_itself(run: Run):
    made = run("profiles", "email,first_name,location.city,properties.shoe size\nada@example.com,Ada,London,38\n")

    assert made.items[0]["attributes"] == {
        "email": "ada@example.com",
        "first_name": "Ada",
        "location": {"city": "London"},
        "properties": {"shoe size": "38"},
    }


def test_columns_are_renamed_left_out_and_put_into_properties(run: Run):
    made = run(
        "profiles",
        "E-Mail,Note,Plan,Total = €\nada@example.com,secret,pro,12.50\n",
        mapping=("E-Mail=email", "Note=", "*=properties.*", "Total = €=properties.total:number"),
    )

    assert made.items[0]["attributes"] == {"email": "ada@example.com", "properties": {"Plan": "pro", "total": 12.5}}


@pytest.mark.parametrize(
    ("type", "cell", "value"),
    [
        ("text", "0012", "0012"),
        ("number", " -12.50 ", -12.5),
        ("number", "7", 7),
        ("number", "123456789012345678901", 123456789012345678901.0),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("date", "2026-01-31", "2026-01-31T00:00:00+01:00"),
        ("date", "2026-07-31 12:00", "2026-07-31T12:00:00+02:00"),
        ("date", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00+00:00"),
        ("date", "2026-05-01 10:00:00 +0300", "2026-05-01T10:00:00+03:00"),
        ("date", "Jan 31, 2026, 3:14 PM", "2026-01-31T15:14:00+01:00"),
        ("day-first", "02/01/2026 09:30", "2026-01-02T09:30:00+01:00"),
        ("month-first", "02/01/2026", "2026-02-01T00:00:00+01:00"),
        ("number", "$1,234.50", 1234.5),
        ("decimal-comma", "1.234", 1234),
        ("decimal-point", "1,234", 1234),
        ("boolean", " Nein ", False),
        ("boolean", "Y", True),
        ("list", "retail, ag-exempt", ["retail", "ag-exempt"]),
        ("list", '"VIP","Blog, Sverige"', ["VIP", "Blog, Sverige"]),
        ("list", '["a", "b"]', ["a", "b"]),
        ("json", '{"a": [1, "100 %"]}', {"a": [1, "100 %"]}),
    ],
)
def test_a_property_holds_the_type_that_was_said(run: Run, type: str, cell: str, value: object):
    quoted = cell.replace('"', '""')

    made = run(
        "profiles",
        f'email,x\na@example.com,"{quoted}"\n',
        mapping=(f"x=properties.x:{type}",),
        time_zone="Europe/Berlin",
    )

    assert made.items[0]["attributes"]["properties"] == {"x": value}


def test_a_property_without_a_time_zone_says_as_much_as_the_cell(run: Run):
    table = "email,x\na@example.com,2026-01-31\nb@example.com,2026-01-31 12:00\nc@example.com,2026-01-31T12:00:00Z\n"

    made = run("profiles", table, mapping=("x=properties.x:date",))

    said = [item["attributes"]["properties"]["x"] for item in made.items]
    assert said == ["2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00:00+00:00"]


@pytest.mark.parametrize(
    ("type", "cell"),
    [
        ("number", "5 apples"), ("number", "nan"), ("number", "1e999"), ("number", "1_000"),
        ("number", "٣"), ("boolean", "maybe"), ("date", "32.01.2026"),
        ("date", "12:01"),
        ("json", "{"),
    ],
)  # fmt: skip
def test_a_cell_of_another_type_is_turned_down_without_being_repeated(run: Run, type: str, cell: str):
    made = run("profiles", f'email,x\na@example.com,"{cell}"\n', mapping=(f"x=properties.x:{type}",))

    assert made.items == []
    assert made.reasons[1].startswith("properties.x: this ")
    assert cell not in made.reasons[1]


@pytest.mark.parametrize(
    ("header", "mapping", "told"),
    [
        ("E-Mail", (), "column 'E-Mail' is not a field of profiles; map it with --map 'E-Mail=email'"),
        ("email,City", (), "--map 'City=location.city'"),
        ("email,First Name", (), "--map 'First Name=first_name'"),
        ("Email Address", (), "--map 'Email Address=email'"),
        ("email,Address Zip - 1", (), "--map 'Address Zip - 1=properties.Address Zip - 1'"),
        ("email,Confirm time", (), "--map 'Confirm time=properties.Confirm time'"),
        ("email,LAST_CHANGED", (), "--map 'LAST_CHANGED=properties.LAST_CHANGED'"),
        ("email,LEID", (), "--map 'LEID=properties.LEID'"),
        ("email,Q7", (), "--map 'Q7=properties.Q7' or leave it out with --map 'Q7='"),
        ("email,plan", ("plna=properties.plan",), "there is no column 'plna' for its mapping; did you mean 'plan'?"),
        (
            "email,plan",
            ("plan=proprties.plan",),
            "'proprties.plan' is not a field of profiles; did you mean 'properties'?",
        ),
        ("email,plan", ("plan",), "the mapping 'plan' has no '='"),
        ("email,plan", ("plan=", "plan=title"), "the column 'plan' is mapped twice"),
        ("email,plan", ("plan=title:number",), "the field 'title' is always of type text"),
        ("email,plan", ("*=title",), "all other columns can go to 'properties.*', not to 'title'"),
        ("email,Mail", ("Mail=email",), "columns 'email' and 'Mail' both lead to 'email'"),
        ("email,email", (), "column 'email (2)' is not a field of profiles"),
        ("email,email", ("email (2)=email",), "columns 'email' and 'email (2)' both lead to 'email'"),
        (
            "email,properties,properties.a",
            (),
            "column 'properties' holds all of 'properties', but 'properties.a' holds a part of it",
        ),
        ("first_name", (), "there is no column for an identifier, which is one of email, phone_number"),
    ],
)
def test_a_column_that_leads_nowhere_is_refused_before_a_row_is_read(
    run: Run, header: str, mapping: tuple[str, ...], told: str
):
    with pytest.raises(InputError) as refused:
        run("profiles", f"{header}\n", mapping=mapping)

    assert told in str(refused.value)
    assert str(refused.value).startswith("import profiles: ")


@pytest.mark.parametrize("kind", ["profiles", "events"])
@pytest.mark.parametrize(
    ("column", "mapping"),
    [
        ("patch_properties.append", ()),
        ("patch_identifiers.unappend.email", ()),
        ("skus", ("skus=patch_properties.append.skus",)),
        ("skus", ("*=patch_properties.unappend.*",)),
    ],
)
def test_an_edit_that_is_not_safe_to_repeat_is_refused(run: Run, kind: str, column: str, mapping: tuple[str, ...]):
    with pytest.raises(InputError) as refused:
        run(kind, f"email,{column}\n", mapping=mapping, fixed={"metric": "M"} if kind == "events" else {})

    advice = "an import may send a row twice and would edit twice; use update_profile"
    assert f"column {column!r}: {advice}" in str(refused.value)


def test_all_columns_that_lead_nowhere_are_reported_at_once(run: Run):
    with pytest.raises(InputError) as refused:
        run("profiles", "email,Town,Plan\n")

    assert "'Town'" in str(refused.value)
    assert "'Plan'" in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "header", "told"),
    [
        ("events", "email,value\n", "there is no column for metric"),
        ("create_catalog_items", "external_id,title\n", "there is no column for description, url"),
        ("coupon_codes", "code\n", "there is no column for coupon_id"),
        ("profils", "email\n", "did you mean 'profiles'?"),
        ("subscribe", "email\n", "say for which channels: email, sms or whatsapp"),
        ("subscribe", "email,subscriptions.email.marketing.consent,consented_at\n", "needs historical_import"),
    ],
)
def test_what_every_row_would_lack_is_refused_before_a_row_is_read(run: Run, kind: str, header: str, told: str):
    with pytest.raises(InputError) as refused:
        run(kind, header)

    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"time_zone": "Mars/Olympus"}, "'Mars/Olympus' is not a time zone"),
        ({"fixed": {"plan": "pro"}}, "'plan' is not a field of profiles"),
        ({"fixed": {"location.latitude": "north"}}, "location.latitude: this is not a number"),
        ({"channels": ("email",)}, "profiles have no channels"),
        ({"params": {"list_ids": "Y6nRLr"}}, "parameter 'list_ids'"),
        ({"params": {"lists": ["Y6nRLr"]}}, "parameter 'lists' is not known; did you mean 'list_ids'?"),
        ({"params": {"fields_profile_bulk_import_job": ["status"]}}, "does not belong to an import"),
    ],
)
def test_a_wrong_option_is_refused_before_a_row_is_read(run: Run, options: dict[str, object], told: str):
    with pytest.raises(InputError) as refused:
        run("profiles", "email\n", **options)

    assert told in str(refused.value)


def test_a_fixed_field_fills_the_rows_that_have_none(run: Run):
    made = run("profiles", "email,title\na@example.com,Dr\nb@example.com,\n", fixed={"title": "Ms", "locale": "en-GB"})

    assert [item["attributes"]["title"] for item in made.items] == ["Dr", "Ms"]
    assert {item["attributes"]["locale"] for item in made.items} == {"en-GB"}
