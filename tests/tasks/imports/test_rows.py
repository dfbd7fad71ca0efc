"""What is looked at in a row, for each kind of import."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest

from tasks.imports.kinds import KINDS
from tests.tasks.action_samples import declaration
from tests.tasks.imports.import_runs import Run
from worker.errors import InputError

BAD_PROFILES = [
    ("ada.example.com,", "email: this is not an email address"),
    ("a da@example.com,", "email: this is not an email address"),
    (",0170 1234567", "phone_number: this phone number has no country code"),
    (",", "there is no identifier: give one of email, phone_number"),
    ("ADA@example.com,", "email: an earlier row has the same"),
    (",+4917012345678", "phone_number: an earlier row has the same"),
    ("a@b.c,,,x", "there are more cells than columns: 5, and the header has 3"),
]


def test_cells_are_read_as_spreadsheets_and_people_write_them(run: Run):
    table = (
        "email;phone_number;location.country;location.zip;last_name\n"
        " Ada <ada@example.com> ;(512) 555-0188;United States;'04403;'t Hooft\n"
        "NULL;'+31612345678;\\N;NULL;\n"
        "grace@example.com;070-111 22 33;;;\n"
    )

    made = run("profiles", table, country="Sweden")

    assert [item["attributes"] for item in made.items] == [
        {
            "email": "ada@example.com", "phone_number": "+15125550188", "last_name": "'t Hooft",
            "location": {"country": "United States", "zip": "04403"},
        },
        {"phone_number": "+31612345678"},
        {"email": "grace@example.com", "phone_number": "+46701112233"},
    ]  # fmt: skip


@pytest.mark.parametrize("others", ["", "grace@example.com\n", "Grace <grace@example.com>\n"])
def test_an_address_loses_its_quotes_whatever_else_is_in_its_column(run: Run, others: str):
    made = run("profiles", f"email\n{others}'ada@example.com'\n")

    assert made.items[-1]["attributes"] == {"email": "ada@example.com"}


def test_a_country_that_is_none_is_refused(run: Run):
    with pytest.raises(InputError, match="'Atlantis' is not a country; write it like 'SE' or 'Sweden'"):
        run("profiles", "email\na@b.c\n", country="Atlantis")


def test_empty_cells_may_be_missing_at_the_end_of_a_row_or_too_many(run: Run):
    made = run("profiles", "email,first_name,title\na@b.c\nb@b.c,B,,,\nc@b.c,C\n")

    assert [item["attributes"] for item in made.items] == [
        {"email": "a@b.c"},
        {"email": "b@b.c", "first_name": "B"},
        {"email": "c@b.c", "first_name": "C"},
    ]


@pytest.mark.parametrize(("cells", "told"), BAD_PROFILES)
def test_a_bad_row_is_set_aside_and_the_others_go_on(run: Run, cells: str, told: str):
    bad = f"{cells},x"

    made = run(
        "profiles",
        f"email,phone_number,title\nada@example.com,,x\n,+4917012345678,x\n{bad}\nlast@example.com,,x\n",
    )

    assert made.rows == [1, 2, 4]
    assert list(made.reasons) == [3]
    assert made.reasons[3].startswith(told)
    assert made.rejected[0].original == bad.split(",")
    assert made.rejected[0].stage.startswith("duplicate " if "an earlier row" in told else "check")


def test_a_reason_repeats_no_value(run: Run):
    made = run("profiles", "email,phone_number\nsecret,\n,999\na@b.c,\na@b.c,\n")

    assert len(made.rejected) == 3
    assert not [each for each in made.rejected if any(text in each.reason for text in ("secret", "999", "a@b.c"))]


def test_a_row_that_is_too_large_does_not_stand_in_the_way_of_a_smaller_one(run: Run):
    rows = [
        {"email": "a@example.com", "properties": {"note": "x" * 100_000}},
        {"email": "a@example.com", "properties": {"note": "x" * 99_000}},
    ]

    made = run("profiles", rows)

    assert made.reasons == {1: "the row is 100,082 bytes; Klaviyo takes 100,000"}
    assert made.rows == [2]


def test_an_empty_cell_is_left_out(run: Run):
    made = run("profiles", "email,location.city,properties.a,title\na@example.com,,,\nb@example.com,Ulm,,Dr\n")

    assert [item["attributes"] for item in made.items] == [
        {"email": "a@example.com"},
        {"email": "b@example.com", "title": "Dr", "location": {"city": "Ulm"}},
    ]


@pytest.mark.parametrize("text", ['"', "\\", "\t", "\x00", "a\nb", "100 %", "%s", "Zoë 😀", "\u2028", "\x7f"])
def test_any_text_arrives_as_it_was(run: Run, text: str):
    cell = text.replace('"', '""')

    made = run("profiles", f'email,title,properties.%s "{{}}\na@b.c,"{cell}",x\n'.replace('%s "{}', "%s {}"))

    assert made.items[0]["attributes"] == {"email": "a@b.c", "title": text, "properties": {"%s {}": "x"}}


def test_the_decimals_of_databases_are_numbers_and_identifiers(run: Run):
    spent = {"orders": Decimal(9007199254740993), "spent": Decimal("12.50"), "last": [Decimal("NaN")]}

    made = run("profiles", [{"external_id": Decimal(4711), "properties": spent}])

    properties = {"orders": 9007199254740993, "spent": 12.5, "last": [None]}
    assert made.items[0]["attributes"] == {"external_id": "4711", "properties": properties}


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"emial": "a@b.c"}, "'emial' is not a field of profiles"),
        ({"email": 7}, "email: this is not a text"),
        ({"email": "a@b.c", "location": "Ulm"}, "'location' is not a field of profiles"),
        ({"email": "a@b.c", "location": {"town": "Ulm"}}, "'location.town' is not a field of profiles"),
        ({"email": "a@b.c", "properties": ["x"]}, "properties: this is not an object"),
        ({"email": "a@b.c", "title": "\ud800"}, "title: this has characters that cannot be encoded as text"),
        ({"email": "a@b.c", "properties": {"x": object()}}, "this cannot be written as JSON"),
        ({"email": "a@b.c", "location": {"latitude": "north"}}, "location.latitude: this is not a number"),
        ({"email": "a@b.c", "title": "x", "first_name": "y", "title ": 1}, "'title ' is not a field"),
        ({"email": "a@b.c", "location.city": "x", "location": {"city": "y"}}, "location.city: this is given twice"),
        ({"email": "a@b.c", "patch_properties": {"append": {"skus": "1"}}}, "use update_profile"),
        ({"email": None}, "there is no identifier"),
        ("a@b.c", "this is not a mapping"),
    ],
)
def test_a_bad_record_is_set_aside(run: Run, record: Any, told: str):
    made = run("profiles", [{"email": "first@example.com"}, record])

    assert made.rows == [1]
    assert told in made.reasons[2]


def test_a_record_is_the_item_that_the_action_takes_or_has_dotted_names(run: Run):
    nested = {
        "email": "a@b.c", "id": "01", "location": {"city": "Ulm", "latitude": 48.4}, "first_name": None,
        "properties": {"n": 1, "deep": {"x": [None]}}, "patch_properties": {"unset": "plan"},
    }  # fmt: skip
    dotted = {
        "email": "b@b.c", "id": "02", "location.city": "Ulm", "location.latitude": 48.4, "properties.n": 1,
        "properties.deep": {"x": [None]}, "patch_properties.unset": "plan",
    }  # fmt: skip

    first, second = run("profiles", [nested, dotted]).items

    assert first == {
        "type": "profile",
        "id": "01",
        "attributes": {
            "email": "a@b.c",
            "location": {"city": "Ulm", "latitude": 48.4},
            "properties": {"n": 1, "deep": {"x": [None]}},
        },
        "meta": {"patch_properties": {"unset": "plan"}},
    }
    assert second == {**first, "id": "02", "attributes": {**first["attributes"], "email": "b@b.c"}}


def test_records_may_each_have_other_fields(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tasks.imports.sources.BATCH_ROWS", 1)
    monkeypatch.setattr("tasks.imports.plan.MAX_LAYOUTS", 2)
    names = [name for name, each in KINDS["profiles"].fields.items() if each.form == "text"]

    made = run("profiles", [{"email": f"{name}@b.c", name: "x"} for name in names])

    assert len(made.items) == len(names)


def test_a_cell_may_hold_all_properties(run: Run):
    made = run("profiles", 'email;properties\na@b.c;{"n": 1}\nb@b.c;[1]\n')

    assert made.items[0]["attributes"]["properties"] == {"n": 1}
    assert made.reasons == {2: "properties: this is not an object"}


def test_a_record_may_hold_what_a_database_gives(run: Run):
    row = {"email": "a@b.c", "location.latitude": Decimal("48.40"), "properties.since": date(2026, 1, 31)}

    made = run("profiles", [row])

    assert made.items[0]["attributes"]["location"] == {"latitude": 48.4}
    assert made.items[0]["attributes"]["properties"] == {"since": "2026-01-31"}


def test_records_can_be_mapped_too(run: Run):
    made = run(
        "profiles",
        [{"Mail": "a@b.c", "n": 1, "t": "2", "Note": "x"}],
        mapping=("Mail=email", "t=properties.t:number", "Note=", "*=properties.*"),
    )

    assert made.items[0]["attributes"] == {"email": "a@b.c", "properties": {"n": 1, "t": 2}}


ITEM = {"external_id": "A", "title": "T", "description": "D", "url": "https://x.example"}
SMALLEST: dict[str, dict[str, Any]] = {
    **{kind: {"email": "a@b.c"} for kind in KINDS},
    "events": {"email": "a@b.c", "metric": "M"},
    "create_catalog_items": ITEM,
    "create_catalog_variants": {**ITEM, "item_id": "I", "sku": "S", "inventory_quantity": 0, "price": 1.5},
    "create_catalog_categories": {"external_id": "A", "name": "N"},
    **{
        f"{verb}_catalog_{what}": {"id": "A"}
        for verb in ("update", "delete")
        for what in ("items", "variants", "categories")
    },
    "coupon_codes": {"coupon": "10OFF", "code": "X"},
}


def options_of(kind: str) -> dict[str, Any]:
    return {"channels": ("email",)} if KINDS[kind].consents else {}


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("profiles", "external_id"),
        ("events", "profile.external_id"),
        ("create_catalog_items", "external_id"),
        ("create_catalog_variants", "item_id"),
        ("update_catalog_items", "id"),
        ("coupon_codes", "code"),
    ],
)
def test_a_key_that_is_a_whole_number_is_its_digits(run: Run, kind: str, field: str):
    record = {**SMALLEST[kind], field: "7"}

    for whole in (7, Decimal(7)):
        assert run(kind, [{**record, field: whole}]).items == run(kind, [record]).items
    for other in (7.0, True, Decimal("7.0")):
        assert run(kind, [{**record, field: other}]).reasons[1].endswith(": this is not a text")


def test_a_list_of_keys_may_hold_whole_numbers(run: Run):
    rows = [{**SMALLEST["create_catalog_items"], "external_id": n, "category_ids": ids}
            for n, ids in enumerate(([7, "8"], "7|8", "[7, 8]", [7.0], [True]))]  # fmt: skip

    made = run("create_catalog_items", rows)

    linked = [item["relationships"]["categories"]["data"] for item in made.items]
    assert linked == [[{"type": "catalog-category", "id": f"$custom:::$default:::{n}"} for n in (7, 8)]] * 3
    assert set(made.reasons) == {4, 5}


def test_a_number_is_a_text_in_no_other_field(run: Run):
    made = run("profiles", [{"email": "a@b.c", "title": 7}, {"phone_number": 491701234567}])

    assert made.reasons == {1: "title: this is not a text", 2: "phone_number: this is not a text"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_body_is_the_request_that_the_action_makes(run: Run, kind: str):
    made = run(kind, [SMALLEST[kind]], **options_of(kind))

    found = declaration(KINDS[kind].action)
    taken = found.parameters[KINDS[kind].items].codec.parse(made.items)
    request = found.request(found.bind({KINDS[kind].items: taken}))
    assert request.body is not None
    assert orjson.loads(made.parts[0].body) == orjson.loads(request.body)


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_row_of_the_same_identity_is_set_aside(run: Run, kind: str):
    row = {**SMALLEST[kind], **({"unique_id": "1"} if kind == "events" else {})}

    made = run(kind, [row, row], **options_of(kind))

    assert made.rows == [1]
    assert made.reasons[2].endswith(": an earlier row has the same")


def test_an_address_in_another_spelling_is_the_same_and_an_id_is_not(run: Run):
    rows = [
        {"email": "Ada@example.com"},
        {"email": "ada@EXAMPLE.com"},
        {"external_id": "A1"},
        {"external_id": "a1"},
    ]

    assert run("profiles", rows).rows == [1, 3, 4]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("profiles", "subscribe", "unsubscribe")])
def test_a_row_without_what_klaviyo_requires_is_set_aside(run: Run, kind: str):
    fields = KINDS[kind].fields
    for name in SMALLEST[kind]:
        rows = [{key: value for key, value in SMALLEST[kind].items() if key != name}]

        made = run(kind, rows)

        assert made.parts == []
        assert made.reasons[1] == f"{fields[name].name}: is missing" or made.reasons[1].startswith(
            "there is no identifier"
        )


def test_the_ids_of_the_catalog_may_be_external_ids(run: Run):
    made = run("delete_catalog_items", "external_id\nA\n$custom:::$default:::B\n")
    more = run("update_catalog_items", 'id,category_ids,images\nA,C|$custom:::$default:::D,"[""x|y""]"\n')

    assert [item["id"] for item in made.items] == ["$custom:::$default:::A", "$custom:::$default:::B"]
    linked = [each["id"] for each in more.items[0]["relationships"]["categories"]["data"]]
    assert linked == ["$custom:::$default:::C", "$custom:::$default:::D"]
    assert more.items[0]["attributes"] == {"images": ["x|y"]}


def test_the_same_thing_under_its_id_and_its_external_id_is_one(run: Run):
    made = run("delete_catalog_items", [{"external_id": "A"}, {"id": "$custom:::$default:::A"}])

    assert made.reasons == {2: "id: an earlier row has the same"}


def test_a_value_that_is_none_of_the_choices_is_set_aside(run: Run):
    header = "external_id,item_id,title,description,sku,inventory_quantity,price,url,inventory_policy"
    made = run("create_catalog_variants", f"{header}\nA,I,T,D,S,1,2,U,3\nB,I,T,D,S,1,2,U,2\n")

    assert made.reasons == {1: "inventory_policy: this is not one of 0, 1, 2"}
    assert made.items[0]["attributes"]["inventory_policy"] == 2


# Consent.


def test_channels_apply_to_whoever_has_the_address(run: Run):
    made = run(
        "subscribe", "email,phone_number\na@b.c,+4917012345678\nb@b.c,\n,+4917012345679\n", channels=("email", "sms")
    )

    agreed = {"marketing": {"consent": "SUBSCRIBED"}}
    assert [item["attributes"]["subscriptions"] for item in made.items] == [
        {"email": agreed, "sms": agreed}, {"email": agreed}, {"sms": agreed},
    ]  # fmt: skip


def test_a_row_without_an_address_for_the_channel_is_set_aside(run: Run):
    made = run("unsubscribe", "email,phone_number\n,+4917012345678\n", channels=("email",))

    assert made.reasons == {1: "there is no address for email"}


def test_a_row_may_say_its_channels_itself(run: Run):
    made = run(
        "subscribe", "email,subscriptions.email.marketing.consent\na@b.c,SUBSCRIBED\nb@b.c,UNSUBSCRIBED\nc@b.c,\n"
    )

    assert made.rows == [1]
    assert made.reasons == {
        2: "subscriptions.email.marketing.consent: this is not one of SUBSCRIBED",
        3: "there is no channel: subscriptions is empty",
    }


def test_consent_that_is_brought_over_says_when_it_was_given(run: Run):
    made = run(
        "subscribe",
        "email,consented_at\na@b.c,2020-01-01\nb@b.c,\nc@b.c,2099-01-01\n",
        channels=("email",),
        time_zone="UTC",
        params={"historical_import": True, "list_id": "L1"},
    )

    given = {"consent": "SUBSCRIBED", "consented_at": "2020-01-01T00:00:00+00:00"}
    assert [item["attributes"]["subscriptions"] for item in made.items] == [{"email": {"marketing": given}}]
    assert made.reasons == {
        2: "consented_at: is missing, and historical_import wants it",
        3: "consented_at: is not in the past",
    }


def test_a_time_of_consent_goes_with_historical_import_only(run: Run):
    made = run("subscribe", [{"email": "a@b.c", "consented_at": "2020-01-01T00:00:00Z"}], channels=("email",))

    assert made.reasons == {1: "consented_at: needs historical_import"}
