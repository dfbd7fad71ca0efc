"""How many rows a stream has, estimated from a few of its pages."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.plan.density import MAX_PAGES, Curve, Sample, Survey
from schedules.plan.probes import MAX_COUNTED_PAGES, Probes
from schedules.pull.streams import STREAMS
from tests.schedules.listing import DAY, NOW, Listing, spread
from tests.soak import sized

UNTIL = datetime.fromtimestamp(NOW + 1, UTC)
PROFILES, EVENTS = STREAMS["profiles"], STREAMS["events"]


def survey(stream, times, since=None, until=UNTIL):
    listing = Listing(times, stream.time.name)
    return Probes(listing).survey(stream, stream.partitions[0], stream.time, since, until), listing


KINDS = (
    "even", "growing", "doubling each quarter", "an import on the first day", "a burst in the last hours",
    "by day and by night",
)  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("stream", "count", "days"),
    [(PROFILES, 2_500, 30), (PROFILES, 40_000, 400), (EVENTS, 90_000, 30)],
    ids=["few profiles", "profiles", "events"],
)
def test_a_plan_is_within_a_tenth_however_the_rows_lie(stream, count, days, kind, seed):
    found, listing = survey(stream, spread(kind, count, days, seed))

    assert abs(found.curve.total / count - 1) <= 0.1, (found.curve.total, found.uncertainty, len(listing.asked))
    assert len(listing.asked) <= MAX_PAGES
    assert found.whole


def test_even_rows_need_few_pages_whatever_their_number():
    asked = [len(survey(EVENTS, spread("even", count, 30, 1))[1].asked) for count in (20_000, 80_000, 320_000)]

    assert max(asked) <= 16


def test_a_page_that_is_the_whole_answer_is_the_only_one_that_is_requested():
    found, listing = survey(PROFILES, spread("even", 99, 30, 1))

    assert (found.curve.total, found.uncertainty, len(listing.asked)) == (99, 0.0, 1)


def test_no_row_at_all_is_an_answer():
    found, listing = survey(PROFILES, [])

    assert (found.curve.total, len(listing.asked)) == (0, 1)


def test_a_short_window_is_not_asked_for_more_than_it_would_take_to_read_it():
    found, listing = survey(EVENTS, spread("even", 3_500, 1, 1))

    assert found.curve.total == 3_500
    assert len(listing.asked) <= 5


def test_rows_of_the_same_second_are_counted_by_cursor():
    found, listing = survey(PROFILES, [NOW - 60] * 640)

    assert (found.curve.total, found.whole) == (640, True)
    assert len(listing.asked) == 7


def test_a_second_that_does_not_end_is_reported_as_at_least():
    found, listing = survey(PROFILES, [NOW - 60] * 100_000)

    assert not found.whole
    assert found.curve.total >= MAX_COUNTED_PAGES * 100
    assert len(listing.asked) <= 10 * MAX_COUNTED_PAGES


def test_nothing_but_times_is_requested_after_the_first_page():
    _, listing = survey(PROFILES, spread("even", 5_000, 30, 1))

    first, *others = listing.asked
    assert "fields_profile" not in first
    assert {tuple(each["fields_profile"]) for each in others} == {("updated",)}
    assert not any("additional_fields_profile" in each for each in others)


@pytest.mark.parametrize("name", [name for name, stream in STREAMS.items() if stream.time])
def test_every_stream_with_a_time_can_be_requested_from_either_end_and_for_its_times_alone(name):
    stream = STREAMS[name]
    bind = stream.action.declaration.bind

    class Checked(Listing):
        def __call__(self, action, params):
            bind(params)
            return super().__call__(action, {"page_size": 10, **params})

    listing = Checked(spread("even", 5_000, 30, 1), stream.time.name)
    Probes(listing).survey(stream, stream.partitions[0], stream.time, datetime.fromtimestamp(NOW - 29 * DAY, UTC), None)

    assert {each["sort"] for each in listing.asked} == {stream.time.name, f"-{stream.time.name}"}


def test_a_list_without_a_time_is_counted_to_its_end_or_reported_as_at_least():
    stream = STREAMS["catalog_items"]

    short = Probes(Listing(range(250), "created")).count(stream, stream.partitions[0])
    long = Probes(Listing(range(5_000), "created")).count(stream, stream.partitions[0])

    assert short == (250, 3, True)
    assert long == (100 * MAX_COUNTED_PAGES, MAX_COUNTED_PAGES, False)


@pytest.mark.soak
@given(
    st.lists(st.integers(0, 100_000), min_size=1, max_size=300),
    st.integers(2, 50),
)
@settings(max_examples=sized(25, 500))
def test_an_estimate_is_never_less_than_what_was_seen_and_exact_if_all_was_read(times, size):
    times = sorted(map(float, times))
    found = Survey(size)
    found.add(Sample.read(0.0, times[0] + 1, [each for each in times if each < times[0] + 1]))
    found.add(Sample.read(max(times) + 1, 100_001.0, [], backwards=True))
    while (look := found.next_time()) is not None:
        rows = [each for each in times if each >= look]
        end = max(look + 1, rows[min(size, len(rows)) - 1]) if rows else 100_001.0
        found.add(Sample.read(look, end, [each for each in rows if each < end]))

    curve = found.curve()
    seen = {each for page in found.pages for each in page.times}
    assert found.rows >= len(seen) - 1e-6
    if found.error == 0:
        assert found.rows == len(times)
    assert list(curve.ranks) == sorted(curve.ranks)
    assert list(curve.times) == sorted(curve.times)
    assert curve.total == pytest.approx(found.rows)


def test_a_curve_converts_times_to_rows_and_back():
    curve = Curve([0.0, 10.0, 10.0, 20.0], [0.0, 10.0, 50.0, 60.0])

    assert [curve.rank(time) for time in (-1, 5, 10, 15, 99)] == [0, 5, 10, 55, 60]
    assert [curve.time(rank) for rank in (0, 5, 30, 55, 99)] == [0, 5, 10, 15, 20]
    assert curve.followed_by(Curve([20.0, 30.0], [0.0, 5.0])).total == 65
