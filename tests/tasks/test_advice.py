"""What the message of each check tells to do makes a valid call."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tasks import rules
from tasks.images import read_file
from tests.cases import for_each
from tests.tasks.action_samples import annotation_at, declaration, sample, smallest_call
from worker.action import ACTIONS
from worker.api.seed_names import Dropped
from worker.api.wire import put
from worker.errors import InputError

ALL = sorted(name for name in ACTIONS if declaration(name).package == "tasks")
WITH_CHECKS = [name for name in ALL if declaration(name).checks]


def told(name: str, given: dict[str, Any]) -> str:
    with pytest.raises(InputError) as caught:
        declaration(name).bind(given)
    return str(caught.value)


def unnamed(name: str) -> dict[str, Any]:
    """A call that names nobody and nothing, but has what must be there."""
    given = smallest_call(name)
    required = {each.name for each in declaration(name).parameters.values() if each.required}
    given = {key: value for key, value in given.items() if key in required}
    return given | ({"profile": {}} if "profile" in given else {})


@for_each(WITH_CHECKS)
def test_each_name_that_a_check_asks_for_makes_a_valid_call(name: str):
    given = unnamed(name)
    try:
        declaration(name).bind(given)
    except InputError as error:
        message = str(error)
    else:
        return  # what is required is enough here
    paths = re.findall(r"'([\w.]+)'", message.partition(" one of ")[2])
    assert paths, message

    for path in paths:
        keys = path.split(".")
        followed = {key: dict(value) if isinstance(value, dict) else value for key, value in given.items()}
        put(followed, tuple(keys), sample(annotation_at(name, keys)))

        declaration(name).bind(followed)


@for_each(WITH_CHECKS)
def test_nothing_that_klaviyo_no_longer_has_hides_what_is_missing(name: str):
    gone = [
        each
        for each, target in declaration(name).aliases.items()
        if isinstance(target, Dropped) and each.startswith("profile.")
    ]
    for each in gone:
        message = told(name, unnamed(name) | {"profile": {each.removeprefix("profile."): "A1"}})

        assert "give at least one of 'profile." in message
        assert each not in message


def test_following_the_message_for_a_bulk_event_makes_a_valid_call():
    call: dict[str, Any] = {"events": [{"profile": {}, "events": [{"metric": "M"}]}]}
    names = re.findall(r"\w+", told("bulk_create_events", call).partition("give one of ")[2].partition(".")[0])
    assert names

    for each in names:
        call["events"][0]["profile"] = {each: "ada@example.com" if each == "email" else "+15005550006"}
        declaration("bulk_create_events").bind(call)


@pytest.mark.parametrize("name", ["get_campaigns", "get_coupon_codes"])
def test_the_filter_that_a_message_shows_is_taken(name: str):
    message = told(name, {"filter": "equals(name,'x')" if name == "get_campaigns" else ""})

    (shown,) = re.findall(r"equals\(.*?\)", message.partition("must name")[2])
    declaration(name).bind({"filter": shown})


def test_the_channels_that_a_message_tells_are_taken():
    message = told("get_campaigns", {"channel": "fax"})

    channels = re.findall(r"\w+", message.partition("one of ")[2].partition(".")[0])
    assert channels
    for each in channels:
        declaration("get_campaigns").bind({"channel": each})


def test_times_days_and_numbers_written_as_the_advice_says_are_accepted():
    with pytest.raises(ValueError, match=r"tzinfo=timezone\.utc\) or end the text in 'Z'"):
        rules.moment("2026-01-02T03:04:05")
    assert rules.moment("2026-01-02T03:04:05Z") == rules.moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

    with pytest.raises(ValueError, match="write it like") as caught:
        rules.day("2.1.1990")
    assert rules.day(str(caught.value).partition("like ")[2])

    with pytest.raises(ValueError, match=r"'\+', country code, number, without blanks"):
        rules.phone_number("500 555 0006")
    assert rules.phone_number("+15005550006")


def test_a_file_given_as_the_advice_says_is_accepted(tmp_path: Path):
    (tmp_path / "dot.gif").write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match=r"give a pathlib\.Path, bytes, or the file's name and its content in base64"):
        read_file(7)

    assert read_file(tmp_path / "dot.gif") == read_file({"filename": "dot.gif", "content": "R0lGODlh"})
    assert read_file(b"GIF89a")["content"] == "R0lGODlh"


@for_each(ALL)
def test_the_name_that_is_guessed_is_one_that_counts(name: str):
    found = declaration(name)
    for gone in [each for each, target in found.aliases.items() if isinstance(target, Dropped)]:
        message = told(name, {**smallest_call(name), f"{gone}s": "x"})

        assert f"did you mean '{gone}'" not in message
