"""A simulated run reads as many pages as the real one."""

from schedules.plan.density import Curve
from schedules.plan.rehearsal import rehearse
from schedules.pull.slices import MIN_PAGES_LEFT

NOW = 1_796_000_000.0


def even(rows, days=100):
    return Curve([NOW - days * 86_400, NOW], [0.0, float(rows)])


def test_one_page_is_read_of_nothing_and_of_what_fits_on_it():
    for rows in (0, 1, 100):
        assert rehearse(even(rows), NOW, NOW, 100, 8).pages == 1


def test_a_short_window_is_not_cut():
    read = rehearse(even(100 * MIN_PAGES_LEFT), NOW, NOW, 100, 8)

    assert (read.pages, read.rounds) == (MIN_PAGES_LEFT, MIN_PAGES_LEFT)


def test_a_long_window_is_cut_and_each_cut_costs_at_most_a_page():
    whole = rehearse(even(100_000), NOW, NOW, 100, 1)
    cut = rehearse(even(100_000), NOW, NOW, 100, 8)

    assert whole.pages == whole.rounds == 1_000
    assert 1_000 < cut.pages <= 1_030
    assert cut.rounds < 1_000 / 8 * 1.3


def test_windows_that_start_a_second_early_read_more_where_rows_are_dense():
    dense = even(864_000, days=0.01)  # a thousand a second

    assert rehearse(dense, NOW, NOW, 100, 8, early=1.0).pages >= rehearse(dense, NOW, NOW, 100, 8).pages + 10


def test_rows_in_the_future_are_read_where_the_window_has_no_end():
    curve = Curve([NOW - 86_400, NOW, NOW + 86_400], [0.0, 1_000.0, 2_000.0])

    assert rehearse(curve, None, NOW, 100, 1).pages == 20


def test_rows_of_one_second_are_read_through():
    curve = Curve([NOW - 10, NOW - 5, NOW - 5, NOW], [0.0, 0.0, 5_000.0, 5_000.0])

    assert rehearse(curve, NOW, NOW, 100, 8).pages == 50
