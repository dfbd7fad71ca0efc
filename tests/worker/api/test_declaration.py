"""A signature becomes a schema: names, places, limits; what contradicts itself is refused at import."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
import pytest
from pydantic import Field
from typing_extensions import TypedDict

from worker.api.declaration import declare
from worker.api.parameters import DeclarationError
from worker.api.repeat import SAFE, never
from worker.api.seed_names import Adds, Dropped
from worker.api.wire import At, Linkages, Resource, Resources
from worker.errors import InputError


class Location(TypedDict, total=False):
    city: str
    zip: str


class Person(TypedDict, total=False):
    id: str
    email: str
    location: Location
    born: datetime
    shop: Annotated[str, At("attributes.shop.data.attributes.name", type="shop")]
    unset: Annotated[list[str], At("meta.patch_properties.unset")]


def declared(function, route="POST /api/things", **options):
    chosen = {
        "limits": "3/s 60/m", "scopes": "things:write", "type": "thing", "repeat": SAFE, "names_2024": "", "extra": {},
        "seed": {}, "checks": (), "stamp": None, "resolve": None, "max_body": 5_000_000, "multipart": False, **options,
    }  # fmt: skip
    return declare(function, route, **chosen)


def create_thing(
    *,
    name: str,
    colour: Literal["red", "green"] | None = None,
    location: Location | None = None,
    owner: Annotated[Person, Resource("profile"), At("data.attributes.owner.data")] | None = None,
    people: Annotated[list[Person], Resources("profile", max_bytes=60), Field(max_length=2)] | None = None,
    list_ids: Annotated[list[str], At("data.relationships.lists.data"), Linkages("list")] | None = None,
    tags: list[str] | None = None,
) -> Any:
    """Create a thing."""


def get_things(
    *, fields_thing: list[str] | None = None, page_cursor: str | None = None, include: list[str] | None = None
) -> Any:
    """List things."""


def find_things(*, exact: bool | None = None) -> Any:
    """Find things."""


def update_thing(*, id: str, name: str | None = None) -> Any:
    """Change a thing."""


THING = declared(
    create_thing, seed={"place": "location.city", "red": Adds("tags", "red"), "old": Dropped("It is gone.")}
)
THINGS = declared(get_things, "GET /api/things", type=None, repeat=None, extra={"include=lists": "1/s 15/m"})
SEARCH = declared(find_things, "GET /api/things", type=None, repeat=None)
UPDATE = declared(update_thing, "PATCH /api/things/{id}")


def body(given, declaration=THING):
    return orjson.loads(declaration.request(declaration.bind(given)).body)["data"]


def test_attributes_go_below_data_attributes():
    assert body({"name": "x"}) == {"type": "thing", "attributes": {"name": "x"}}


def test_a_query_parameter_has_its_wire_name():
    request = THINGS.request(THINGS.bind({"fields_thing": ["name", "size"], "page_cursor": "abc"}))

    assert request.query == {"fields[thing]": "name,size", "page[cursor]": "abc"}
    assert request.body is None


def test_the_path_is_filled_and_escaped_and_an_update_repeats_the_id():
    request = UPDATE.request(UPDATE.bind({"id": "a/b", "name": "x"}))

    assert request.path == "/api/things/a%2Fb"
    assert orjson.loads(request.body)["data"]["id"] == "a/b"


def test_a_nested_resource_and_linkage_are_written_as_json_api():
    sent = body({"name": "x", "owner": {"email": "e", "unset": ["a"]}, "list_ids": ["L1"]})

    assert sent["attributes"]["owner"]["data"] == {
        "type": "profile", "attributes": {"email": "e"}, "meta": {"patch_properties": {"unset": ["a"]}},
    }  # fmt: skip
    assert sent["relationships"]["lists"]["data"] == [{"type": "list", "id": "L1"}]


def test_raw_json_api_items_are_accepted_too():
    raw = [{"type": "profile", "id": "1", "attributes": {"email": "e"}}]

    assert THING.bind({"name": "x", "data__attributes__people": raw})["people"] == [{"id": "1", "email": "e"}]


def test_a_nested_resource_is_parsed_and_rendered_with_its_type():
    raw = {"attributes": {"shop": {"data": {"type": "shop", "attributes": {"name": "Tea"}}}}, "type": "profile"}

    assert body({"name": "x", "owner": {"shop": "Tea"}})["attributes"]["owner"]["data"] == raw
    assert THING.bind({"name": "x", "owner": raw})["owner"] == {"shop": "Tea"}
    raw["attributes"]["shop"]["data"]["type"] = "street"
    with pytest.raises(InputError, match="attributes"):
        THING.bind({"name": "x", "owner": raw})


def test_an_item_that_is_only_an_id_still_has_attributes():
    assert body({"name": "x", "people": [{"id": "P1"}]})["attributes"]["people"] == [
        {"type": "profile", "id": "P1", "attributes": {}}
    ]


def test_left_out_means_untouched_and_none_means_null():
    assert body({"name": "x"})["attributes"] == {"name": "x"}
    assert body({"name": "x", "colour": None})["attributes"] == {"name": "x", "colour": None}


def test_a_boolean_in_the_query_is_written_as_in_json():
    asked = [SEARCH.request(SEARCH.bind({"exact": exact})).query for exact in (True, False)]

    assert asked == [{"exact": "true"}, {"exact": "false"}]


def test_a_datetime_is_written_in_iso_8601():
    at = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)

    assert body({"name": "x", "owner": {"born": at}})["attributes"]["owner"]["data"]["attributes"] == {
        "born": "2026-11-24T12:30:00+00:00"
    }


@pytest.mark.parametrize(
    "given",
    [
        {"data__attributes__name": "x", "data__attributes__location__city": "Rome", "data__type": "thing"},
        {"name": "x", "place": "Rome"},
        {"name": "x", "location": {"city": "Rome"}, "old": 3},
    ],
)
def test_every_spelling_gives_the_same_parameters(given):
    assert THING.bind(given) == {"name": "x", "location": {"city": "Rome"}}


def test_a_yes_adds_its_value_and_a_no_adds_nothing():
    assert THING.bind({"name": "x", "red": True})["tags"] == ["red"]
    assert "tags" not in THING.bind({"name": "x", "red": False})


def test_an_update_takes_its_id_in_both_places_if_they_agree():
    assert UPDATE.bind({"id": "1", "data__id": "1"}) == {"id": "1"}
    assert UPDATE.bind({"data__id": "1"}) == {"id": "1"}
    with pytest.raises(InputError, match="given twice"):
        UPDATE.bind({"id": "1", "data__id": "2"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "parameter 'name' is missing"),
        ({"name": 3}, "parameter 'name': input should be a valid string"),
        ({"nmae": "x"}, "parameter 'nmae' is not known; did you mean 'name'?"),
        ({"name": "x", "colour": "blue"}, "parameter 'colour': input should be 'red' or 'green'"),
        ({"name": "x", "location": {"town": "Rome"}}, "parameter 'location.town' is not known"),
        ({"name": "x", "data__type": "list"}, "parameter 'data__type' is always 'thing': leave it out"),
        ({"name": "x", "data__attributes__name": "x"}, "is given twice"),
        ({"name": "x", "location": {}, "place": "Rome"}, "parameter 'location' is given twice"),
        ({"name": "x", "people": [{}, {}, {}]}, "parameter 'people': list should have at most 2 items"),
        ({"name": "x", "people": [{"email": "e" * 80}]}, "items 0 of 'people' are over 60 bytes"),
    ],
)
def test_bad_input_is_refused_with_the_action_and_the_parameter(given, said):
    with pytest.raises(InputError) as caught:
        THING.bind(given)

    assert "create_thing: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("id", ["", " ", ".", ".."])
def test_an_id_that_would_make_another_address_of_it_is_refused(id):
    found = declared(update_thing, "PATCH /api/things/{id}")

    with pytest.raises(InputError, match="parameter 'id' is empty or consists of dots; it has to be an id"):
        found.bind({"id": id, "name": "One"})


class Circle(TypedDict):
    kind: Literal["circle"]
    radius: int | list[int]


class Square(TypedDict):
    kind: Literal["square"]
    side: float


def draw(*, shape: Annotated[Circle | Square, Field(discriminator="kind")], notes: dict[str, Any] | None = None) -> Any:
    """Draw a shape."""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shape": {"side": 2}}, "parameter 'shape.kind' is missing"),
        ({"shape": {"kind": "line"}}, "parameter 'shape': its 'kind' is none of 'circle', 'square'"),
        (
            {"shape": {"kind": "circle", "radius": 1.5}},
            "parameter 'shape.radius': input should be a valid integer, got a number with a fractional part, "
            "or input should be a valid list",
        ),
        (
            {"shape": {"kind": "square", "side": 2}, "notes": {7: "seven"}},
            "parameter 'notes' has a key that is not a string; JSON's keys are strings",
        ),
    ],
)
def test_what_is_wrong_is_said_in_words_that_lead_to_a_valid_call(given, said):
    with pytest.raises(InputError) as refused:
        declared(draw).bind(given)

    assert refused.value.problems == [said]


def test_errors_never_repeat_a_value():
    with pytest.raises(InputError) as caught:
        THING.bind({"name": ["ada@example.com"], "colour": "ada@example.com", "ada": "ada@example.com"})

    assert "ada@example.com" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_request_over_klaviyos_size_is_refused():
    small = declared(create_thing, max_body=100)

    with pytest.raises(InputError, match="Klaviyo takes 100"):
        small.bind({"name": "x" * 100})


def test_a_check_sees_the_parameters_and_stamp_completes_them():
    checked = declared(
        create_thing,
        checks=(lambda params: "no x, please" if params["name"] == "x" else None,),
        stamp=lambda params, key: params.setdefault("tags", ["new"]),
    )

    assert checked.bind({"name": "y"}) == {"name": "y", "tags": ["new"]}
    with pytest.raises(InputError, match="no x, please"):
        checked.bind({"name": "x"})


def test_a_parameters_value_draws_on_its_extra_bucket():
    names = [bucket.name for bucket in THINGS.buckets({"include": ["tags", "lists"]})]

    assert names == ["get_things", "include=lists"]
    assert [bucket.name for bucket in THINGS.buckets({"include": ["tags"]})] == ["get_things"]


def positional(name: str) -> Any:
    """Positional."""


def undocumented(*, name: str) -> Any: ...


@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        (create_thing, {"route": "/api/things"}, "is not a route"),
        (create_thing, {"route": "POST /api/things/{id}"}, "no parameter for id"),
        (positional, {}, "not keyword-only"),
        (undocumented, {}, "no docstring"),
        (create_thing, {"scopes": ""}, "no scopes"),
        (create_thing, {"repeat": None}, "whether it may be repeated"),
        (create_thing, {"extra": {"colour": "1/s 15/m"}}, "must name a parameter and a value"),
        (create_thing, {"extra": {"shape=round": "1/s 15/m"}}, "must name a parameter and a value"),
        (create_thing, {"seed": {"x": "nowhere.x"}}, "which is not a parameter"),
        (create_thing, {"route": "GET /api/things", "type": None}, "GET has none"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(function, options, said):
    with pytest.raises(DeclarationError, match=said):
        assert declared(function, **options).parameters


@pytest.mark.parametrize("limits", ["75", "75/s", "x/s 3/m", "0/s 3/m", "3/h 3/m"])
def test_limits_that_are_none_are_refused(limits):
    with pytest.raises(ValueError, match=r"limit|steady"):
        declared(create_thing, limits=limits)


def test_an_unrepeatable_action_says_where_to_look():
    assert not never("the lists").blindly
    assert SAFE.blindly
