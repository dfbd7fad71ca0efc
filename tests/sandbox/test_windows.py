"""The exact windows, without a server."""

import random

from sandbox.front.windows import Bucket, Windows, phase_of

BUCKET = Bucket("default", "get_lists", (3, 10))
EXTRA = Bucket("default", "include=lists", (1, 15))
NOW = 1_790_000_000.0


def test_a_burst_is_admitted_up_to_its_limit() -> None:
    windows = Windows(seed=1)
    admitted = [windows.draw([BUCKET], NOW).admitted for _ in range(5)]
    assert admitted == [True, True, True, False, False]


def test_a_throttled_request_is_counted_in_no_window() -> None:
    windows = Windows(seed=1)
    for _ in range(9):
        windows.draw([BUCKET], NOW)
    assert windows.steady(BUCKET, NOW).remaining == 7


def test_a_request_draws_on_all_of_its_buckets_or_on_none() -> None:
    windows = Windows(seed=1)
    assert windows.draw([BUCKET, EXTRA], NOW).admitted
    assert not windows.draw([BUCKET, EXTRA], NOW).admitted
    assert windows.steady(BUCKET, NOW).remaining == 9
    assert windows.draw([BUCKET], NOW).admitted


def test_waiting_out_retry_after_always_succeeds() -> None:
    dice = random.Random(7)
    for seed in range(200):
        windows = Windows(seed)
        now = NOW + dice.uniform(0, 200)
        while (draw := windows.draw([BUCKET, EXTRA], now)).admitted:
            now += dice.uniform(0, 2)
        assert windows.draw([BUCKET, EXTRA], now + draw.retry_after).admitted


def test_no_window_ever_holds_more_than_its_limit() -> None:
    dice = random.Random(3)
    windows = Windows(seed=3)
    admitted: list[float] = []
    now = NOW
    for _ in range(5000):
        now += dice.expovariate(4)
        if windows.draw([BUCKET], now).admitted:
            admitted.append(now)
    for seconds, limit in zip((1, 60), BUCKET.limits, strict=True):
        phase = phase_of(3, BUCKET, seconds)
        held: dict[int, int] = {}
        for at in admitted:
            index = int((at - phase) // seconds)
            held[index] = held.get(index, 0) + 1
        assert max(held.values()) <= limit


def test_the_history_has_every_whole_window_and_not_the_first_partial_one() -> None:
    windows = Windows(seed=2)
    start = phase_of(2, BUCKET, 60) + 60 * 1000
    windows.draw([BUCKET], start + 30)
    windows.draw([BUCKET], start + 70)
    windows.draw([BUCKET], start + 200)
    full = windows.report(start + 200)["default"]["get_lists"]["full_windows"]
    assert full["60"] == [(start + 60, 1), (start + 120, 0)]  # type: ignore[index]


def test_a_daily_window_outlasts_its_minutes() -> None:
    windows = Windows(seed=4)
    daily = Bucket("default", "create_list", (10, 150, 5))
    day = phase_of(4, daily, 86_400)
    now = day + 86_400 * 20_000
    assert [windows.draw([daily], now + 61 * n).admitted for n in range(6)] == [True] * 5 + [False]
    assert windows.draw([daily], now + 366).retry_after > 80_000
    assert windows.draw([daily], now + 86_400).admitted


def test_phases_differ_between_buckets_and_not_between_runs() -> None:
    assert phase_of(1, BUCKET, 60) == phase_of(1, BUCKET, 60)
    assert phase_of(1, BUCKET, 60) != phase_of(1, EXTRA, 60) != phase_of(2, EXTRA, 60)
