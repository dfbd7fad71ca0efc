"""Limits, tiers and lines."""

import pytest

from worker.tiers import Bucket, Limits, Line, Tier


@pytest.mark.parametrize(
    ("limits", "tier"),
    [
        ("1/s 15/m", Tier.XS), ("1/s 2/m 225/d", Tier.XS), ("3/s 60/m", Tier.S), ("3/s 100/m 100/d", Tier.S),
        ("10/s 150/m", Tier.M), ("75/s 750/m", Tier.L), ("150/s 1400/m", Tier.L), ("350/s 3500/m", Tier.XL),
    ],
)  # fmt: skip
def test_the_tier_follows_from_the_steady_limit(limits, tier):
    assert Limits.parse(limits).tier is tier


def test_limits_print_as_they_are_written():
    assert str(Limits.parse("225/d 1/s 2/m")) == "1/s 2/m 225/d"


def test_a_costly_variant_waits_in_the_queue_of_its_tightest_bucket():
    line = Line(
        "eu", (Bucket("get_profile", Limits.parse("75/s 750/m")), Bucket("include=lists", Limits.parse("1/s 15/m")))
    )

    assert line.queue == "klaviyo.xs"
    assert line.name == "eu:get_profile+include=lists"
    assert line.spec == "klaviyo.xs;eu:get_profile=75:1000,750:60000;eu:include=lists=1:1000,15:60000"
