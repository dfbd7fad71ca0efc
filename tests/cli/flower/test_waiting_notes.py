"""Why a task waits and until when."""

import pytest

from cli.flower.waiting_notes import explain_wait
from worker.governor import Pause
from worker.governor.backlog import LineBacklog, Waiting

NOW = 1_800_000_000.0
LINE = LineBacklog("eu:get_profiles", "klaviyo.l;eu:get_profiles=10:1000,150:60000", now=4, bulk=1_000, later=0)


def told(place=1, lane="now", not_before=None, line=LINE, blocked=None, pauses=()):
    return explain_wait(Waiting("id", lane, place, not_before, None), line, blocked or {}, pauses, NOW)


def pause(what):
    return Pause(what, "night-shift", "the shop moves", NOW, None, "")


def test_the_first_of_a_line_is_the_next_one():
    assert told() == "waits for Klaviyo's limits on account eu: the next of 1,004"


def test_one_further_back_says_how_many_are_before_it_and_when_it_may_go_at_the_earliest(monkeypatch):
    monkeypatch.setattr("cli.flower.waiting_notes._clock", lambda moment: f"+{moment - NOW:.0f} s")

    # 150 a minute; the lane now goes before.
    assert told(place=147, lane="bulk") == (
        "waits for Klaviyo's limits on account eu, until +60 s at the earliest: 150 before it in lane bulk"
    )


@pytest.mark.parametrize("what", ["account:eu", "action:get_profiles", "action:eu:get_profiles", "tier:klaviyo.l"])
def test_what_is_paused_says_by_whom_and_what_lets_it_go_on(what):
    said = told(pauses=[pause("account:us"), pause(what)])

    assert said.startswith("waits: the ")
    assert " is paused by night-shift: the shop moves. To resume it, run `klaviyo resume --" in said


@pytest.mark.parametrize("name", ["eu:get_profiles", "eu:get_profiles+include"])
def test_a_bucket_that_is_blocked_says_until_when(monkeypatch, name):
    monkeypatch.setattr("cli.flower.waiting_notes._clock", lambda moment: f"+{moment - NOW:.0f} s")
    line = LineBacklog("eu:get_profiles", f"{LINE.spec};eu:get_profiles+include=1:1000,15:60000", 1, 0, 0)

    blocked = {name: (NOW + 30, ""), "us:other": (NOW + 99, "no token yet")}
    assert told(line=line, blocked=blocked) == "waits until +30 s: Klaviyo answered 429"
    assert told(line=line, blocked={name: (NOW + 30, "no token yet")}) == "waits until +30 s: no token yet"
    assert told(line=line, blocked={name: (NOW - 1, "")}) == "waits for Klaviyo's limits on account eu: the next of 1"


def test_one_whose_time_has_not_come_says_when_that_is(monkeypatch):
    monkeypatch.setattr("cli.flower.waiting_notes._clock", lambda moment: f"+{moment - NOW:.0f} s")

    assert told(place=0, not_before=NOW + 600) == "waits until +600 s: its time has not come"
