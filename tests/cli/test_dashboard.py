"""The rows of the Klaviyo pages, without Flower, Redis or a store."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import date, timedelta

import pytest
import redis
from pydantic import SecretStr

from cli import schedules
from cli.dashboard import accounts, failures, imports, jobs, limits, syncs
from cli.dashboard.handlers import TABS
from cli.dashboard.looks import SHARED_S, Looks
from cli.dashboard.snapshots import INTERVAL_S, MAX_ARRANGED, PAUSE_FACTOR, Snapshot, Snapshots
from cli.dashboard.table import (
    PAGE_ROWS,
    Query,
    Reading,
    Tab,
    arrange,
    choose,
    clock_or_date,
    count_column,
    lay_out,
    text_column,
)
from cli.jobs.view import failure_sentence
from schedules.entries import scheduled_entries
from schedules.entry_runs import EntryRecord
from schedules.stream_status import LatestRun
from tasks.lists import create_list
from tasks.profiles import create_profile
from tests.cli.screens import AT, ERRORS, JOB, LONG_RUN, LOOKS, NOW, OTHER, PAUSES, RUN, SHOP, SLOTS, look, pull
from tests.failing import ADA, LOST, fail, refused
from worker.accounts.credentials import Account, Grant
from worker.governor import Pause, get_governor
from worker.settings import Settings
from worker.tiers import Bucket, Limits, Line

NUMBERS = Tab(
    "Numbers", lambda: Reading([]), (text_column("Name", str), count_column("Count", lambda n: n or None)), str, ""
)


def column(tab, title, row):
    """What a row shows under a title."""
    return next(each for each in tab.columns if each.title == title).cell(row)


def shown(tab, rows, query):
    return lay_out(tab, choose(arrange(tab, rows, query), len(rows), query))


# What a visitor asks for.


def test_rows_keep_their_order_until_another_is_asked_for():
    view = shown(NUMBERS, [3, 1, 2], Query())

    assert [row[0].text for row in view.rows] == ["3", "1", "2"]
    assert [header.order for header in view.headers] == ["none", "none"]


def test_numbers_are_sorted_the_largest_first_and_missing_ones_come_last_either_way():
    [_, count] = shown(NUMBERS, [0, 10, 9], Query()).headers
    assert count.address == "?sort=-count"

    for sort, order in (("-count", ["10", "9", "0"]), ("count", ["9", "10", "0"])):
        assert [row[0].text for row in shown(NUMBERS, [0, 10, 9], Query.parse({"sort": sort})).rows] == order


def test_a_search_finds_the_rows_that_have_every_word():
    tab = replace(NUMBERS, words=lambda number: f"Shop-{number} create_event")

    view = shown(tab, [1, 2, 12], Query.parse({"search": " EVENT shop-1 "}))

    assert [row[0].text for row in view.rows] == ["1", "12"]
    assert (view.found, view.total) == (2, 3)


def test_a_page_beyond_the_last_one_is_the_last():
    view = shown(NUMBERS, list(range(2 * PAGE_ROWS + 1)), Query.parse({"page": "99"}))

    assert (view.query.page, view.pages, len(view.rows)) == (3, 3, 1)


@pytest.mark.parametrize("page", ["", "0", "-1", "x", "²", "9" * 5_000])
def test_a_page_that_is_no_number_is_the_first(page):
    assert Query.parse({"page": page}).page == 1


def test_an_address_keeps_what_was_asked_for():
    query = Query.parse({"search": "a&b <x>", "sort": "-count", "page": "2"})

    assert query.address(page=3) == "?search=a%26b+%3Cx%3E&sort=-count&page=3"


# Limits.


def overview(looks, pauses=(), slots=SLOTS):
    """The page Limits of these lines."""
    return limits.Overview().reading(looks, pauses, AT, slots)


def test_the_longest_queue_comes_first_with_a_bar_for_each_window():
    first = overview(LOOKS).rows[0]

    assert (first.account, first.bucket, first.waiting) == (OTHER, "create_event", 49_415)
    bars = column(limits.TAB, "Used", first).bars
    assert [(bar.text, bar.tone) for bar in bars] == [
        ("312 of 350 a second", "text-warning"),
        ("3,211 of 3,500 a minute", "text-warning"),
    ]


def test_a_blocked_bucket_says_until_when_and_why():
    blocked = next(each for each in overview(LOOKS).rows if each.bucket == "create_list")

    assert (blocked.until, blocked.row.why) == (AT + 64_800, "Klaviyo answered 429")
    assert column(limits.TAB, "Blocked", blocked).text.endswith(": Klaviyo answered 429")


@pytest.mark.parametrize(
    "what", [f"account:{SHOP}", "action:create_event", f"action:{SHOP}:create_event", "tier:klaviyo.xl"]
)
def test_a_paused_bucket_says_who_paused_it_and_why(what):
    looks = [look(SHOP, [("create_event", ((0, 350, 1_000),), 0)], "xl", now=1)]

    found = overview(looks, [Pause(what, "root", "Klaviyo refuses its key", AT, None, "")])

    assert found.rows[0].row.why.endswith("is paused by root: Klaviyo refuses its key")
    assert column(limits.TAB, "Blocked", found.rows[0]).text == "paused by root: Klaviyo refuses its key"
    assert "klaviyo resume" in found.notes[0]


def test_a_bucket_whose_minute_is_full_says_so_and_when_the_next_request_goes():
    [tags] = [look(SHOP, [("get_tags", ((3, 10, 1_000), (150, 150, 60_000)), 0)], "m", now=1)]
    told = replace(tags, buckets=(replace(tags.buckets[0], back=((), (11.0, 60.0))),))
    eaten = replace(tags, buckets=(replace(tags.buckets[0], windows=((0, 10, 1_000), (0, 150, 60_000)), foreign=90),))

    [full], [free] = overview([told]).rows, overview([eaten]).rows

    assert column(limits.TAB, "Blocked", full).text == f"minute full, next by {clock_or_date(AT + 11)}"
    assert column(limits.TAB, "Blocked", free).text == "-"


def test_the_reason_of_a_pause_is_there_as_a_whole_however_long_it_is():
    looks = [look(SHOP, [("get_tags", ((0, 10, 1_000),), 0)], "m", now=1)]
    refused = "Klaviyo answered 401 to get_tags: Incorrect authentication credentials"

    short, long = (
        column(limits.TAB, "Blocked", overview(looks, [Pause(f"account:{SHOP}", by, why, AT, None)]).rows[0])
        for by, why in (("a worker", refused), ("root", f"{refused} {refused}"))
    )

    assert (short.text, short.whole) == (f"paused automatically: {refused}", "")
    assert (long.text.endswith(" …"), long.whole) == (True, f"paused by root: {refused} {refused}")


def test_a_pause_elsewhere_blocks_nothing():
    assert not any(each.row.why for each in overview(LOOKS[:1], PAUSES).rows)


def test_a_row_says_when_its_queue_will_be_empty_and_at_what_pace_it_goes():
    found = overview(LOOKS).rows[0]

    assert 800 < found.empty_at - AT <= 900  # 49,415 at 3,500 a minute
    assert column(limits.TAB, "Per minute", found).text == "3,500"


def test_other_softwares_share_of_a_quota_is_shown_as_a_part_of_it():
    [each] = [look(SHOP, [("get_tags", ((0, 10, 1_000), (0, 150, 60_000)), 0)], "m", now=1)]
    [eaten] = [replace(each, buckets=(replace(each.buckets[0], foreign=60),))]

    [row] = overview([eaten]).rows

    assert column(limits.TAB, "Others' share", row).text == "40%, about 60 of 150 a minute"
    assert "other programs with access to the same Klaviyo account" in limits.TAB.legend["Others' share"]


def test_without_a_worker_a_queue_has_no_end_and_says_why():
    [row] = overview([look(SHOP, [("get_tags", ((0, 10, 1_000),), 0)], "m", now=1)], slots={}).rows

    assert (row.empty_at, row.row.why) == (None, "no worker takes tasks of this tier")
    assert column(limits.TAB, "Blocked", row).text == "no worker takes tasks of this tier"


def test_the_page_says_how_many_wait_for_each_account_and_until_when():
    found = overview([*LOOKS, look(SHOP, [("get_tags", ((0, 10, 1_000), (0, 150, 60_000)), 0)], "m", now=3)], PAUSES)

    busy, paused = found.summary
    assert busy.text.startswith(f"{OTHER}: 49,418 waiting, empty at ")
    assert (busy.link, busy.tone) == (f"limits?search={OTHER}%3A", "")
    assert (paused.text, paused.tone) == (f"{SHOP}: 3 waiting, paused", "text-danger")


def test_the_page_says_of_part_of_an_accounts_tasks_that_they_stand_still():
    tags, lists = ((name, ((0, 150, 60_000),), 0) for name in ("get_tags", "get_lists"))
    looks = [look(SHOP, [tags], "m", now=3), look(SHOP, [lists], "m", now=1)]

    [one] = overview(looks, [Pause(f"action:{SHOP}:get_lists", "root", "why", AT, None, "")]).summary
    [unserved] = overview(looks, slots={}).summary

    assert (one.text.endswith(", but 1 of them stands still"), one.tone) == (True, "text-danger")
    assert unserved.text == f"{SHOP}: 4 waiting, all of which stand still"


def test_the_page_names_the_buckets_of_which_another_program_takes_most():
    [tags] = [look(SHOP, [("get_tags", ((0, 10, 1_000), (0, 150, 60_000)), 0)], "m")]
    eaten = replace(tags, buckets=(replace(tags.buckets[0], foreign=60),))

    [told] = overview([eaten, *[replace(each, now=0, bulk=0) for each in LOOKS]]).summary

    assert told.text == f"{SHOP}: another program takes 40% of get_tags"


def test_of_many_pauses_the_first_are_named_and_the_others_counted():
    pauses = [Pause(f"account:shop-{n}", "root", "why", AT, None, "") for n in range(1_000)]

    told = overview(LOOKS, pauses).notes

    assert (len(told), told[-1]) == (limits.MAX_PAUSES + 1, "995 more are paused: `klaviyo limits` lists them all.")


def test_of_many_accounts_those_with_the_longest_queues_are_named_and_the_others_counted():
    shops = [look(f"shop-{n}", [("get_tags", ((0, 150, 60_000),), 0)], "m", bulk=n + 1) for n in range(20)]

    found = overview(shops).summary

    assert found[0].text.startswith("shop-19: 20 waiting")
    assert found[-1].text == f"14 other accounts: {sum(range(1, 15))} waiting"
    assert len(found) == limits.MAX_ACCOUNTS + 1


class Lines:
    """A governor of so many lines, and how often each was looked at."""

    def __init__(self, number):
        self.names, self.looked = [f"{SHOP}:{n:02}" for n in range(number)], []

    def counts(self):
        return {name: (0, len(self.looked) + 1, 0) for name in self.names}

    def specs(self, lines):
        return [f"klaviyo.m;{line}=10:1000" for line in lines]

    def look(self, lines):
        self.looked += lines
        return [look(SHOP, [(line.partition(":")[2], ((5, 10, 1_000),), 0)], "m", bulk=9) for line in lines]


def test_of_many_lines_some_are_looked_at_in_turn_and_who_waits_is_known_of_all():
    governor, looks = Lines(5), Looks(most=2)

    first = overview(looks.read(governor)).rows
    assert [(row.waiting, row.share) for row in first] == [(1, 0.5), (1, 0.5), (1, 0.0), (1, 0.0), (1, 0.0)]
    assert {(row.row.tier, row.row.why) for row in first} == {("M", "")}
    for _ in range(3):
        found = overview(looks.read(governor)).rows

    assert governor.looked == [f"{SHOP}:{n:02}" for n in (0, 1, 2, 3, 4, 0, 1, 2)]
    assert [(row.waiting, row.share) for row in found] == [(7, 0.5)] * 5


def test_of_few_lines_all_are_looked_at_each_time_and_none_twice():
    governor, looks = Lines(3), Looks(most=10)

    looks.read(governor)
    looks.read(governor)

    assert sorted(governor.looked) == sorted(governor.names * 2)


def test_only_the_rows_of_an_account_whose_lines_have_changed_are_made_again():
    one, two = (look(alias, [("get_tags", ((0, 10, 1_000),), 0)], "m", now=1) for alias in ("one", "two"))
    page = limits.Overview()
    before = {each.account: each for each in page.reading([one, two], [], AT, SLOTS).rows}

    after = {each.account: each for each in page.reading([one, replace(two, now=2)], [], AT + 60, SLOTS).rows}

    assert after["one"] is before["one"]
    assert (before["two"].waiting, after["two"].waiting) == (1, 2)


def test_a_pause_and_workers_that_come_or_go_make_all_rows_again():
    [one] = [look(SHOP, [("get_tags", ((0, 10, 1_000),), 0)], "m", now=1)]
    page, pause = limits.Overview(), Pause("tier:klaviyo.m", "root", "why", AT, None, "")

    found = [
        page.reading([one], *under).rows[0].row.why for under in (([], AT, SLOTS), ([pause], AT, SLOTS), ([], AT, {}))
    ]

    assert found == ["", "the tier M is paused by root: why", "no worker takes tasks of this tier"]


def test_a_line_that_is_gone_has_no_row():
    page = limits.Overview()
    page.reading(LOOKS, [], AT, SLOTS)

    assert page.reading([], [], AT, SLOTS).rows == []


def test_accounts_of_one_company_are_shown_together_as_they_draw_on_the_same_bucket():
    one, two = (look(alias, [("get_tags", ((5, 10, 1_000),), 0)], "m", now=1) for alias in ("one", "two"))
    joined = replace(two, buckets=one.buckets)

    found = overview([one, joined]).rows

    assert {each.row.name: each.lines for each in found}["one:get_tags"] == ["one:get_tags", "two:get_tags"]


def test_a_line_that_one_visitor_was_just_shown_is_not_read_again_for_another():
    governor, now = Lines(3), [100.0]
    looks = Looks(clock=lambda: now[0])

    for moment, wanted in ((100.0, (0, 1)), (101.0, (1, 2)), (100.0 + SHARED_S, (1, 2))):
        now[0] = moment
        looks.read_anew(governor, [governor.names[n] for n in wanted])

    assert governor.looked == [governor.names[n] for n in (0, 1, 2, 1)]


def test_the_rows_that_are_shown_are_read_again_with_those_that_share_their_buckets(settings, real_redis):
    shared = Bucket("include=lists", Limits.parse("1/s 15/m"))
    one, two = (Line(SHOP, (Bucket(name, Limits.parse("10/s 150/m")), shared)) for name in ("one", "two"))
    for number, each in enumerate((one, two, one, two)):
        get_governor().wait((each.name, each.spec), "bulk", f"task-{number}", "{}")
    get_governor().beat("worker", 0, [], 10)
    old = [replace(row, row=replace(row.row, bulk=99)) for row in limits.read().rows if row.row.name == one.name]

    [new] = limits.refresh(old)

    assert set(old[0].lines) == {one.name, two.name}
    assert (new.row.bulk, new.row.name) == (2, one.name)


# Jobs.


def test_a_job_leads_to_its_errors_and_says_how_many_records_failed():
    row = jobs.JobRow(JOB, "main", 250.0)

    assert column(jobs.TAB, "Kind", row).link == f"jobs/{JOB.id}"
    assert column(jobs.TAB, "Failed", row).text == "12"
    state = column(jobs.TAB, "State", row)
    assert (state.text, state.tone) == ("complete, 12 failed", "text-warning")
    assert column(jobs.TAB, "State", replace(row, job=replace(JOB, rejected=0))).text == "complete"


def test_a_jobs_page_has_its_errors_and_nothing_that_names_a_record():
    page = jobs.job_page(JOB, [*ERRORS, {"name": "ada@example.com", "title": "Invalid"}], AT)

    assert dict(page.facts)["Rows"].text == "1 to 10,000"
    assert [each.places for each in page.reasons] == ["18", "9413", ""]
    assert "ada@example.com" not in str(page)


def test_a_jobs_page_counts_the_errors_that_it_leaves_out():
    page = jobs.job_page(JOB, [{"index": place, "title": f"reason {place}"} for place in range(70)], AT)

    assert (len(page.reasons), page.left_out) == (50, 20)


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        (ERRORS[:1], "The phone number provided either does not exist or is ineligible (index 17, from 0)"),
        ([{"index": n, "title": "Invalid."} for n in range(5)], "Invalid (indexes 0-4, from 0)"),
        (
            [{"index": n, "title": f"reason {n}"} for n in range(3)],
            "reason 0 (index 0, from 0); reason 1 (index 1, from 0); and 1 other reason",
        ),
        ([], ""),
    ],
)
def test_a_job_says_in_its_row_which_records_failed_and_why(errors, told):
    assert jobs.explain(replace(JOB, run="", rows=""), errors) == told


def test_a_job_of_an_import_says_which_rows_of_its_source_failed():
    part = replace(JOB, rows="1-76,78-10001")

    assert jobs.explain(part, [{"index": n, "title": "Invalid"} for n in (3, 398)]) == "Invalid (rows 4, 400)"


def test_a_job_that_klaviyo_refused_says_so_in_its_row():
    stuck = replace(JOB, status="vanished", rejected=0)

    assert jobs.explain(stuck, ERRORS) == f"{failure_sentence(stuck)} (rows 1-10000)"


# Imports.


def test_an_import_leads_to_its_reasons_and_the_jobs_that_ended_badly():
    page = imports.import_page(RUN, [(*each, "") for each in RUN.reasons], [JOB], AT)

    facts = dict(page.facts)
    assert facts["Not landed"].text == "15: 3 before sending, 12 by Klaviyo"
    assert facts["Reject file"].text.startswith(RUN.rejects)
    assert facts["Source"].text == "customers.csv"  # of the path, its name
    assert page.reasons[0][1] == 12
    assert [(job.id, job.rows, job.failed) for job in page.jobs] == [(JOB.id, "1 to 10,000", 12)]
    assert column(imports.TAB, "State", imports.ImportRow(RUN, AT)).text == "complete, 15 failed"
    for title in ("Run", "Not landed"):
        assert column(imports.TAB, title, imports.ImportRow(RUN, AT)).link == f"imports/{RUN.id}"


def test_an_import_halfway_through_its_file_is_ready_after_as_long_again():
    half = replace(
        RUN, state="running", started=AT - 100, ended=None, seen=AT, rows=1_000, landed=1_000, checked=0, rejected=0,
        read=50, size=100,
    )  # fmt: skip
    row = imports.ImportRow(half, AT)

    assert (row.rate, row.ready_at) == (10.0, AT + 100)
    assert column(imports.TAB, "Progress", row).bars[0].text == "50%"


def test_an_import_of_unknown_size_has_no_time_at_which_it_is_ready():
    row = imports.ImportRow(replace(LONG_RUN, size=0), AT)

    assert row.ready_at is None
    assert column(imports.TAB, "Progress", row).text == "1,000,000 rows read"


def test_an_import_that_has_ended_is_all_there_whatever_its_size():
    assert column(imports.TAB, "Progress", imports.ImportRow(replace(RUN, size=0, read=0), AT)).bars[0].text == "100%"


def test_an_import_shows_no_path():
    row = imports.ImportRow(
        replace(RUN, source="/home/ada/customers.csv", rejects="/home/ada/customers.rejects.csv"), AT
    )

    assert column(imports.TAB, "Source", row).text == "customers.csv"
    assert column(imports.TAB, "Reject file", row).text == "customers.rejects.csv"


# Syncs and accounts.


def test_syncs_that_failed_come_first_then_those_that_go_on():
    found = [
        LatestRun(OTHER, state, NOW, pull(state=state, closed=3, windows=7, error="no" if state == "failed" else None))
        for state in ("done", "running", "failed")
    ]

    rows = syncs.arranged(found, NOW + timedelta(seconds=1), {})

    assert [row.stream for row in rows] == ["failed", "running", "done"]
    assert [syncs.remarks(row.run) for row in rows] == ["no", "windows 3/7", ""]


def test_a_stream_says_when_it_is_read_next_and_which_time_was_missed(settings):
    plan = [each for each in scheduled_entries(Settings()) if each.entry.name in ("profiles-events", "full-scan")]
    known = list(schedules.rows(plan, [EntryRecord(since=NOW - timedelta(days=30)), EntryRecord()], NOW))
    [row] = syncs.arranged([LatestRun("default", "profiles", NOW, pull())], NOW, syncs.due_times(plan, known))

    assert row.next_run == min(each.next_run for each in known)
    assert row.missed == known[0].missed
    assert column(syncs.TAB, "Missed", row).tone == "text-warning"


#: What is said of an account that somebody has paused.
PAUSED = "paused by root: moved. To resume it, run `klaviyo resume --account eu`."


def test_accounts_tell_what_they_have_and_nothing_of_it(settings):
    grant = Grant("g", SecretStr("at_secret"), SecretStr("rt_secret"), AT, AT + 3600, frozenset({"lists:read"}))
    some = [
        Account("default", SecretStr("pk_secret"), "ABC123"),
        Account("eu", None, "DEF456"),
        Account("us", None, None, grant=grant, generation=7),
        Account("uk", None, None, generation=8, unreadable="its key is not known"),
    ]

    found = accounts.list_accounts(some, [Pause("account:eu", "root", "moved", AT, None, "")], {"us": AT})

    assert [(each.row.alias, each.row.kind, each.row.where, each.row.state) for each in found] == [
        ("eu", "company id", "settings", PAUSED),
        ("uk", "", "store", "its key is not known"),
        ("default", "private key and company id", "settings", "ready"),
        ("us", "OAuth", "store", "ready"),
    ]
    assert (found[3].row.scopes, found[3].row.expires, found[3].row.used) == (["lists:read"], AT + 3600, AT)
    assert column(accounts.TAB, "State", found[0]).text == PAUSED
    assert "secret" not in str(found)


def test_a_revision_is_counted_down_until_klaviyo_retires_it():
    left = {day: accounts.describe_revision("2026-07-15", date(2028, 7, day)) for day in (13, 14, 15)}

    assert left[13].endswith("revision 2026-07-15 for 2 more days.")
    assert left[14].endswith("revision 2026-07-15 for 1 more day.")
    assert left[15].endswith("since 2028-07-15: upgrade the worker.")


def test_every_tab_has_an_address_of_its_own():
    assert len({tab.name for tab in TABS}) == len(TABS)
    for tab in TABS:
        assert len({column.name for column in tab.columns}) == len(tab.columns), tab.title


# Snapshots.


class Source:
    """A tab whose readings a test lets through, and a clock that it sets."""

    def __init__(self):
        self.now, self.read, self.failure, self.takes = 0.0, 0, None, 0.0
        self.tab = replace(NUMBERS, read=self.reading)

    def reading(self):
        self.read += 1
        self.now += self.takes
        if self.failure:
            raise self.failure
        return Reading([self.read])

    def look(self, *at):
        """The rows and failures that visitors see at these times."""

        async def looking():
            snapshots, found = Snapshots(lambda: self.now), []
            for moment in at:
                self.now = max(self.now, moment)
                found.append(await snapshots.latest(self.tab))
            return found

        return asyncio.run(looking())


def test_however_many_look_redis_is_asked_once_in_an_interval():
    source = Source()

    seen = source.look(0.0, 0.1, INTERVAL_S - 0.1, INTERVAL_S)

    assert [each.reading.rows for each in seen] == [[1], [1], [1], [2]]


def test_rows_in_an_order_that_was_asked_for_before_are_not_sorted_again():
    keys = []
    counting = replace(NUMBERS, columns=[replace(NUMBERS.columns[1], key=lambda row: keys.append(row) or row)])
    snapshot = Snapshot(Reading([1, 3, 2]))

    orders = [snapshot.arranged(counting, Query(sort="count", page=page)) for page in (1, 2)]
    for number in range(MAX_ARRANGED):
        snapshot.arranged(counting, Query(search=str(number)))
    again = snapshot.arranged(counting, Query(sort="count"))

    assert [*orders, again] == [[1, 2, 3]] * 3
    assert len(keys) == 2 * 3


def test_a_reading_that_took_long_is_repeated_the_later():
    source = Source()
    source.takes = 7.0
    due = 7.0 + 7.0 * PAUSE_FACTOR

    seen = source.look(0.0, due - 0.1, due)

    assert [each.reading.rows for each in seen] == [[1], [1], [2]]


def test_without_redis_what_was_read_last_stays_and_a_sentence_says_why(settings):
    source = Source()

    async def looking():
        snapshots = Snapshots(lambda: source.now)
        await snapshots.latest(source.tab)
        source.failure, source.now = redis.ConnectionError("refused"), 10.0
        return await snapshots.latest(source.tab)

    seen = asyncio.run(looking())

    assert seen.reading.rows == [1]
    assert "Redis cannot be reached at" in seen.failure


def test_an_error_that_nobody_expected_shows_its_name_alone(caplog):
    source = Source()
    source.failure = ValueError("ada@example.com")

    [seen] = source.look(0.0)

    assert seen.failure == "This could not be read (ValueError); Flower's log says more."


def test_a_visitor_waits_no_longer_than_a_moment_where_there_is_something_to_show(monkeypatch):
    monkeypatch.setattr("cli.dashboard.snapshots.PATIENCE_S", 0.0)
    source, go_on = Source(), threading.Event()

    async def looking():
        snapshots = Snapshots(lambda: source.now)
        await snapshots.latest(source.tab)
        source.now = 10.0
        slow = replace(source.tab, read=lambda: go_on.wait(30) and source.reading())
        stale = await snapshots.latest(slow)
        go_on.set()
        return stale

    assert asyncio.run(looking()).reading.rows == [1]


# Failures.


def test_a_groups_page_shows_its_first_tasks_and_no_value(settings, real_redis):
    for number in range(failures.MAX_SHOWN + 1):
        fail(create_profile, ADA, refused(), task_id=f"task-{number}")
    [found] = failures.read().rows
    count = found.count

    page = failures.read_group(count.group.id)

    assert column(failures.TAB, "Group", found).link == f"failures/{count.group.id}"
    assert (len(page.shown), page.count.failures) == (failures.MAX_SHOWN, failures.MAX_SHOWN + 1)
    assert page.shown[0].parameters == "email"
    assert ADA["email"] not in str(page)


def test_a_group_is_repeated_once_and_what_may_have_been_carried_out_only_by_who_has_looked(settings, real_redis):
    fail(create_list, {"name": "News"}, LOST, task_id="list")
    [found] = failures.read().rows
    count = found.count

    assert "nothing was repeated" in failures.replay_group(count.group.id, yes_again=False)[0]
    assert failures.replay_group(count.group.id, yes_again=True) == [f"{count.group.id}: 1 task waits again."]
    assert failures.replay_group(count.group.id, yes_again=True) == [failures.GONE]


def test_a_tab_that_was_changed_is_read_again_at_once():
    async def look_twice():
        clock = iter(range(100))
        snapshots, reads = Snapshots(lambda: next(clock) / 1_000), []
        tab = replace(NUMBERS, read=lambda: Reading([len(reads), reads.append(1)][:1]))
        first = await snapshots.latest(tab)
        snapshots.forget(tab)
        return first.reading.rows, (await snapshots.latest(tab)).reading.rows

    assert asyncio.run(look_twice()) == ([0], [1])
