"""Klaviyo's filter language, written by the builder and held against what an action takes."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import re
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

import tasks.registry  # noqa: F401  registers every action
from sandbox.errors import ApiError
from sandbox.reading.filters import parse
from tasks.campaigns import get_campaigns
from tasks.images import get_images
from tasks.lists import get_lists
from tasks.metrics import query_metric_aggregates
from tasks.profiles import get_profiles
from tasks.reporting import query_campaign_values
from tests.cases import for_each
from worker.action import ACTIONS
from worker.api.filter_fields import OTHERS, fields_of
from worker.api.filters import F, Filter, filter_problems
from worker.errors import InputError

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (F("email").equals("ada@example.com"), 'equals(email,"ada@example.com")'),
        (F("id").any(["a", "b"]), 'any(id,["a","b"])'),
        (F("id").any(each for each in ("a",)), 'any(id,["a"])'),
        (F("name").contains("sale"), 'contains(name,"sale")'),
        (F("tags").contains_any(["a"]), 'contains-any(tags,["a"])'),
        (F("tags").contains_all(["a", "b"]), 'contains-all(tags,["a","b"])'),
        (F("name").starts_with("a"), 'starts-with(name,"a")'),
        (F("name").ends_with("z"), 'ends-with(name,"z")'),
        (F("value").less_than(25), "less-than(value,25)"),
        (F("value").less_or_equal(0.5), "less-or-equal(value,0.5)"),
        (F("created").greater_than(MOMENT), "greater-than(created,2026-01-02T03:04:05Z)"),
        (F("value").greater_or_equal(-3), "greater-or-equal(value,-3)"),
        (F("media").has(), "has(media)"),
        (F("archived").equals(True), "equals(archived,true)"),
        (F("archived").any([False, True]), "any(archived,[false,true])"),
        (F("status").equals(["Draft", "Sent"]), 'equals(status,["Draft","Sent"])'),
        (F("messages.channel").equals("email"), 'equals(messages.channel,"email")'),
        (F("Campaign Name").equals("x"), 'equals(Campaign Name,"x")'),
    ],
)
def test_every_operator_and_kind_of_value_is_written_as_klaviyo_reads_it(written, text):
    assert written == text


def test_quotes_and_backslashes_in_a_text_are_escaped():
    assert F("title").contains('6" \\ pipe') == 'contains(title,"6\\" \\\\ pipe")'
    assert F("title").contains('x"),any(id,["y') == 'contains(title,"x\\"),any(id,[\\"y")'
    assert F("title").contains("O'Neill, Zoë (1)") == 'contains(title,"O\'Neill, Zoë (1)")'


def test_datetimes_are_written_in_utc_to_the_microsecond():
    there = datetime(2026, 1, 2, 3, 4, 5, 600, timezone(timedelta(hours=5, minutes=30)))

    assert F("created").less_than(there) == "less-than(created,2026-01-01T21:34:05.000600Z)"


def test_numbers_have_no_exponent():
    assert F("value").less_than(1e-7) == "less-than(value,0.0000001)"
    assert F("value").less_than(1e20) == "less-than(value,100000000000000000000)"


def test_several_conditions_are_one_and():
    some = F("id").any(["a"]) & F("name").contains("b")

    assert some & F("archived").equals(False) == 'and(any(id,["a"]),contains(name,"b"),equals(archived,false))'
    assert F("archived").equals(False) & some == 'and(equals(archived,false),any(id,["a"]),contains(name,"b"))'


def test_text_and_a_filter_are_not_mixed():
    with pytest.raises(TypeError):
        F("id").any(["a"]) & "equals(a,1)"  # type: ignore[operator]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: F("created").greater_than(datetime(2026, 1, 1)),  # noqa: DTZ001
        lambda: F("created").greater_than(date(2026, 1, 1)),
        lambda: F("value").equals(float("nan")),
        lambda: F("value").equals(None),
        lambda: F("value").contains({"a": 1}),
        lambda: F("id").any([]),
        lambda: F("id").any("abc"),
        lambda: F(""),
        lambda: F("a,b"),
        lambda: F('a"b'),
        lambda: F("equals(a"),
    ],
)
def test_what_the_language_cannot_say_is_refused(wrong):
    with pytest.raises((TypeError, ValueError)):
        wrong()


def test_a_filter_is_text_for_everybody_else():
    some = F("id").any(["a"]) & F("name").contains("b")

    assert json.loads(json.dumps({"filter": some})) == {"filter": str(some)}
    for same in (pickle.loads(pickle.dumps(some)), copy.deepcopy(some)):
        assert same == some
        assert same.conditions == some.conditions


def test_an_action_takes_a_filter_and_the_message_carries_text():
    some = F("email").equals("ada@example.com") & F("created").greater_than(MOMENT)

    params = get_profiles.declaration.bind({"filter": some})

    assert params == {"filter": 'and(equals(email,"ada@example.com"),greater-than(created,2026-01-02T03:04:05Z))'}
    assert type(params["filter"]) is str


def test_each_filter_of_a_list_becomes_text():
    given = {"metric_id": "M", "measurements": ["count"], "filter": [F("datetime").less_than(MOMENT)]}

    params = query_metric_aggregates.declaration.bind(given)

    assert [type(each) for each in params["filter"]] == [str]


@pytest.mark.parametrize(
    ("action", "given", "told"),
    [
        (
            get_profiles,
            F("emial").equals("x"),
            r"get_profiles: parameter 'filter'.*'emial'.*mean 'email'.*phone_number",
        ),
        (
            get_profiles,
            F("email").contains("x"),
            "get_profiles: parameter 'filter': email does not take contains, only",
        ),
        (get_lists, F("updated").greater_or_equal(MOMENT), "updated does not take greater_or_equal, only greater_than"),
        (get_campaigns, F("name").contains("x") & F("name").equals("x"), "name does not take equals, only contains"),
    ],
)
def test_what_an_action_does_not_take_is_refused_at_the_call(action, given, told):
    with pytest.raises(InputError, match=told):
        action.declaration.bind({"filter": given})


def test_reports_take_their_own_fields():
    needed = {"statistics": ["opens"], "timeframe": {"key": "last_30_days"}, "conversion_metric_id": "M"}

    query_campaign_values.declaration.bind({**needed, "filter": F("send_channel").contains_any(["email"])})
    with pytest.raises(InputError, match="tag_id does not take equals"):
        query_campaign_values.declaration.bind({**needed, "filter": F("tag_id").equals("x")})


def test_mere_text_passes_as_it_is():
    text = "equals(anything,at all)"

    assert get_profiles.declaration.bind({"filter": text}) == {"filter": text}
    assert not isinstance(text, Filter)


EVERY_FIELD = [
    (name, field)
    for name, action in sorted(ACTIONS.items())
    for field in fields_of(action.declaration.package, name) or {}
    if field != OTHERS
]

#: A value of each kind, and one of a neighbouring kind that is easily taken for it.
FITS = {"string": "x", "boolean": True, "integer": 4, "number": 0.5, "date-time": MOMENT}
NEIGHBOURS = {"string": 7, "boolean": "yes", "integer": 4.5, "number": "7", "date-time": "2026-01-02T03:04:05Z"}
BUILT = {"any": F.any, "contains-any": F.contains_any, "contains-all": F.contains_all}


def conditions(name, field, value):
    """A filter with each of a field's operators, in each form that it takes."""
    known = fields_of("tasks", name)[field]
    for operator in known.single:
        method = getattr(F, operator.replace("-", "_"))
        yield method(F(field)) if operator == "has" else method(F(field), value)
    for operator in known.several:
        yield BUILT.get(operator, F.equals)(F(field), [value, value])


def refused_by(name, given):
    """What the call says of a filter, and what a Klaviyo says that reads its text."""
    fields = fields_of("tasks", name)
    with contextlib.suppress(ApiError):
        parse(str(given), fields)
        return filter_problems(given, fields), None
    with pytest.raises(ApiError) as caught:
        parse(str(given), fields)
    return filter_problems(given, fields), caught.value.errors[0]["detail"]


@for_each(EVERY_FIELD)
def test_every_field_takes_its_own_kind_of_value_and_no_neighbouring_one(name, field):
    known = fields_of("tasks", name)[field]
    for given in conditions(name, field, known.values[0] if known.values else FITS.get(known.kind)):
        assert refused_by(name, given) == ([], None)
    if known.kind:
        for given in conditions(name, field, "fax" if known.values else NEIGHBOURS[known.kind]):
            told, answered = refused_by(name, given)
            assert len(told) == 1, given
            assert field in told[0]
            assert answered


@pytest.mark.parametrize(
    ("action", "given", "told"),
    [
        (
            get_profiles,
            F("created").greater_than("2026-01-01T00:00:00Z"),
            "created is compared with a datetime with a time zone, not with text",
        ),
        (get_campaigns, F("archived").equals("yes"), "archived is compared with True or False, not with text"),
        (get_campaigns, F("archived").equals(1), "archived is compared with True or False, not with a whole number"),
        (get_campaigns, F("messages.channel").equals("fax"), "channel is one of 'email', 'sms', 'mobile_push'"),
        (get_campaigns, F("archived").equals([True]), "archived takes one value in equals, not a list"),
        (get_images, F("id").any([7]), "id is compared with text, not with a whole number"),
        (get_images, F("size").less_than(True), "size is compared with a whole number, not with True or False"),
        (get_profiles, F("email").equals(MOMENT), "email is compared with text, not with a datetime"),
    ],
)
def test_a_value_that_a_field_does_not_have_is_refused_at_the_call(action, given, told):
    with pytest.raises(InputError, match=rf"{action.declaration.name}: parameter 'filter': .*{told}"):
        action.declaration.bind({"filter": given})


def test_a_report_takes_a_hundred_values_and_one_condition_for_each_field():
    needed = {"statistics": ["opens"], "timeframe": {"key": "last_30_days"}, "conversion_metric_id": "M"}
    query_campaign_values.declaration.bind({**needed, "filter": F("tag_id").contains_any(map(str, range(100)))})

    for wrong, told in (
        (F("tag_id").contains_any(map(str, range(101))), "tag_id takes at most 100 values in contains_any"),
        (F("campaign_id").equals("a") & F("campaign_id").equals("b"), "campaign_id can be in one condition only"),
    ):
        with pytest.raises(InputError, match=told):
            query_campaign_values.declaration.bind({**needed, "filter": wrong})


@pytest.mark.parametrize("text", ['say "hi", [you]\\', "true", "7", "2026-01-01", "a\nb", "\\", '"'])
def test_a_text_is_a_text_whatever_it_looks_like(text):
    for given in (F("email").equals(text), F("email").any([text, "x"])):
        assert refused_by("get_profiles", given) == ([], None)
        assert parse(given, fields_of("tasks", "get_profiles"))[0].values[0] == text
    assert refused_by("get_campaigns", F("messages.channel").equals(text))[0]


def test_what_nothing_is_known_of_is_left_to_klaviyo():
    given = {"metric_id": "M", "measurements": ["count"], "filter": [F("Campaign Name").equals("x")]}

    query_metric_aggregates.declaration.bind(given)
    with pytest.raises(InputError, match="datetime is compared with a datetime"):
        query_metric_aggregates.declaration.bind({**given, "filter": [F("datetime").less_than("2026-01-01")]})


ADA, NEW = F("email").equals("ada@example.com"), F("created").greater_than(MOMENT)


@pytest.mark.parametrize(
    ("joined", "said"),
    [
        (lambda: ADA and NEW, "combine two with &"),
        (lambda: ADA or NEW, "combine two with &"),
        (lambda: not ADA, "combine two with &"),
        (lambda: ADA | NEW, "have no 'or'"),
        (lambda: ADA | "any(id,[])", "have no 'or'"),
        (lambda: ~ADA, "have no 'not'"),
    ],
)
def test_what_klaviyos_language_has_no_word_for_is_refused_where_it_is_written(joined, said):
    with pytest.raises(TypeError, match=re.escape(said)):
        joined()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([ADA, NEW], "combine its filters with &"),
        ((ADA,), "combine its filters with &"),
        (F("email"), "a field without a condition; write F('email').equals("),
    ],
)
def test_filters_that_are_not_combined_get_an_error_that_says_how(given, said):
    with pytest.raises(InputError, match=re.escape(said)):
        get_profiles.si(filter=given)
