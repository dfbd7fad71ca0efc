"""Reports: which days a night reads, what fits into today's requests, and what is left to the next night."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from schedules.pull import pages as pull
from schedules.reports import conversion
from schedules.reports import pages as reports
from schedules.reports.conversion import conversion_metric
from schedules.reports.days import RESERVED_REQUESTS, due_days, fit_days
from schedules.reports.pages import ReportPageRef
from schedules.store import runs, tables
from schedules.store.connection import reading, transaction
from worker.errors import SettingsError
from worker.settings import get_settings

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 5, tzinfo=UTC)
YESTERDAY = NOW.date() - timedelta(days=1)


class Died(BaseException):
    """A worker has died; nothing catches that."""


def die(*_):
    raise Died


def ago(days):
    return TODAY - timedelta(days=days)


def test_the_first_night_reads_thirty_days_the_newest_first():
    days = due_days(TODAY, {})

    assert (days[0], days[-1], len(days)) == (ago(1), ago(30), 30)


def test_a_day_is_read_each_night_for_a_week_and_then_three_times_more():
    nights = [age for age in range(1, 40) if ago(age) in due_days(TODAY, {ago(age): TODAY - timedelta(days=1)})]

    assert nights == [1, 2, 3, 4, 5, 6, 7, 14, 21, 30]


def test_a_missed_night_is_made_up_for():
    assert ago(16) in due_days(TODAY, {ago(16): ago(3)})
    assert ago(16) not in due_days(TODAY, {ago(16): ago(2)})


def test_a_day_is_read_once_a_night():
    assert due_days(TODAY, {ago(age): TODAY for age in range(1, 31)}) == []


def test_what_does_not_fit_waits_and_no_older_day_overtakes_it():
    fits, waits = fit_days([ago(1), ago(2), ago(3)], {ago(1): 2, ago(2): 9, ago(3): 1}, left=RESERVED_REQUESTS + 10)

    assert fits == {ago(1): 2}
    assert waits == [ago(2), ago(3)]


def test_a_day_that_was_never_read_is_believed_to_be_as_full_as_the_fullest():
    fits, waits = fit_days([ago(1), ago(2), ago(3)], {ago(2): 4}, left=RESERVED_REQUESTS + 8)

    assert (fits, waits) == ({ago(1): 4, ago(2): 4}, [ago(3)])


@pytest.fixture
def night(store, monkeypatch):
    """A night with a budget; requests and reported ends are recorded."""

    class Night:
        left, asked, told = 225, [], []

        def start_run(self):
            reports.start_run("default", "R1", "campaign_values")

        def answer(self, results=(), following=None):
            """Give Klaviyo's answer to the last request."""
            params, about = self.asked[-1]
            envelope = {"data": {"attributes": {"results": list(results)}}, "links": {"next": following}}
            self.left -= 1
            reports.page.answered(envelope, params, "default", about)

        def run(self):
            with reading() as connection:
                return runs.latest(connection, "default", "campaign_values", "pull")

        def rows(self):
            with reading() as connection:
                return list(connection.execute(select(tables.campaign_values)).mappings())

    made = Night()
    made.asked, made.told = [], []
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_test")
    monkeypatch.setattr(reports, "current_time", lambda: NOW)
    monkeypatch.setattr(reports, "requests_left_today", lambda account, action: made.left)
    monkeypatch.setattr(pull, "renew_reminder", lambda *which: None)
    monkeypatch.setattr(pull, "end_stream", lambda *how: made.told.append(how))
    monkeypatch.setattr(reports.page, "read", lambda account, params, about: made.asked.append((params, about)))
    with transaction() as connection:
        row = {"account": "default", "id": "M1", "name": "Placed Order", "synced_at": datetime.now(UTC)}
        connection.execute(insert(tables.metrics).values(**row))
    return made


def result(campaign, opens):
    groups = {"campaign_id": campaign, "campaign_message_id": f"{campaign}-1", "send_channel": "email"}
    return {"groupings": groups, "statistics": {"opens": opens}}


def test_a_day_is_requested_in_the_accounts_own_time_and_with_every_statistic(night):
    night.start_run()

    params, about = night.asked[0]
    assert about == ReportPageRef("R1", night.run()["id"], "campaign_values", YESTERDAY.isoformat(), "M1")
    assert params["timeframe"] == {
        "start": f"{YESTERDAY}T00:00:00+00:00",
        "end": f"{YESTERDAY + timedelta(days=1)}T00:00:00+00:00",
    }
    assert params["conversion_metric_id"] == "M1"
    assert len(params["statistics"]) == 31


def test_a_run_whose_page_is_given_up_has_failed_and_shows_nobodys_data(night):
    night.start_run()

    reports.page.give_up(LookupError("ada@example.com"), "default", night.asked[0][1])

    assert (night.run()["state"], night.run()["report"]["error"]) == ("failed", "LookupError")
    assert night.told == [("default", "R1", "campaign_values", "LookupError")]


def test_the_pages_of_a_day_are_written_once_and_then_comes_the_day_before(night):
    night.start_run()
    night.answer([result("C1", 3)], following="https://a.klaviyo.com/api/campaign-values-reports?page_cursor=x")
    second = night.asked[-1]
    night.answer([result("C2", 5)])
    reports.page.answered({"data": {"attributes": {"results": [result("C9", 1)]}}}, *second[:1], "default", second[1])

    assert second[0]["page_cursor"] == "x"
    assert {row["campaign_id"]: row["statistics"] for row in night.rows()} == {"C1": {"opens": 3}, "C2": {"opens": 5}}
    assert {(row["since"], row["until"]) for row in night.rows()} == {(YESTERDAY, YESTERDAY + timedelta(days=1))}
    assert night.asked[2][1].day == (YESTERDAY - timedelta(days=1)).isoformat()


def test_a_night_reads_what_fits_and_says_what_is_left_to_the_next(night):
    night.left = RESERVED_REQUESTS + 3
    night.start_run()
    for _ in range(3):
        night.answer()

    report = night.run()["report"]
    assert (night.run()["state"], len(night.asked), report["planned"], len(report["waits"])) == ("done", 3, 3, 27)
    assert report["note"] == f"27 days are left to the next night, {YESTERDAY - timedelta(days=29)} to " + str(
        YESTERDAY - timedelta(days=3)
    )
    assert night.told == [("default", "R1", "campaign_values", None)]


def test_a_day_of_more_pages_than_were_planned_leaves_the_others_to_the_next_night(night):
    night.left = RESERVED_REQUESTS + 30
    night.start_run()
    for number in range(20):
        night.answer(following=f"https://a.klaviyo.com/api/campaign-values-reports?page_cursor={number}")
    night.answer()

    assert night.run()["state"] == "done"
    assert len(night.run()["report"]["waits"]) == 29


def test_the_next_night_continues_with_what_was_left(night):
    night.left = RESERVED_REQUESTS + 3
    night.start_run()
    for _ in range(3):
        night.answer()
    night.left = 225

    night.start_run()

    assert night.asked[-1][1].day == (YESTERDAY - timedelta(days=3)).isoformat()


def test_a_run_whose_worker_has_died_is_continued(night):
    night.start_run()
    night.answer([result("C1", 3)])
    first = night.run()["id"]

    night.start_run()

    assert night.run()["id"] == first
    assert night.asked[-1] == night.asked[-2]


def test_the_next_day_is_read_even_if_the_worker_that_wrote_the_previous_one_died_before_requesting_it(
    night, monkeypatch
):
    night.start_run()
    last = night.asked[0][1]
    with monkeypatch.context() as patch:
        patch.setattr(reports, "read_next_day", die)
        with pytest.raises(Died):
            night.answer([result("C1", 3)])

    assert not reports.page.needed(last)
    reports.page.answered_before("default", last)

    assert night.asked[-1][1].day == (YESTERDAY - timedelta(days=1)).isoformat()


def test_a_metric_that_does_not_exist_ends_the_run_with_what_to_set(night, monkeypatch):
    class Empty:
        def on(self, *_, **__):
            return self

        def pages(self):
            return iter([{"data": []}])

    monkeypatch.setenv("KLAVIYO_CONVERSION_METRIC", "Sold")
    get_settings.cache_clear()
    monkeypatch.setattr(conversion, "get_metrics", Empty())

    night.start_run()

    error = night.run()["report"]["error"]
    assert night.run()["state"] == "failed"
    assert error == "account 'default' has no metric 'Sold': set KLAVIYO_CONVERSION_METRIC to a metric's name or id"
    with pytest.raises(SettingsError):
        conversion_metric("default")


def test_an_id_is_meant_before_a_name_and_of_one_name_the_metric_that_was_updated_last(night, monkeypatch):
    with transaction() as connection:
        for id, name, updated in (("M2", "Placed Order", 2), ("M3", "M1", 1)):
            moment = datetime(2026, 11, updated, tzinfo=UTC)
            row = {"account": "default", "id": id, "name": name, "updated": moment, "synced_at": moment}
            connection.execute(insert(tables.metrics).values(**row))

    by_name = conversion_metric("default")
    monkeypatch.setenv("KLAVIYO_CONVERSION_METRIC", "M1")
    get_settings.cache_clear()

    assert by_name == ("M2", "Placed Order")
    assert conversion_metric("default") == ("M1", "Placed Order")


def test_a_run_continues_with_another_metric_once_the_setting_says_so(night, monkeypatch):
    night.left = RESERVED_REQUESTS + 2
    night.start_run()
    with transaction() as connection:
        row = {"account": "default", "id": "M2", "name": "Sold", "synced_at": datetime.now(UTC)}
        connection.execute(insert(tables.metrics).values(**row))
    monkeypatch.setenv("KLAVIYO_CONVERSION_METRIC", "Sold")
    get_settings.cache_clear()

    night.start_run()
    for _ in range(2):
        night.answer()

    days = [YESTERDAY.isoformat(), (YESTERDAY - timedelta(days=1)).isoformat()]
    assert [(about.metric, about.day) for _, about in night.asked] == [
        ("M1", days[0]),
        ("M2", days[0]),
        ("M2", days[1]),
    ]
    assert night.run()["state"] == "done"
