"""What the titles of the tabs count, so that an operator at night sees where to click, and how pages show texts."""

import asyncio
from dataclasses import replace

import pytest

from cli.dashboard import accounts, failures, imports, jobs, limits, schedules
from cli.dashboard.handlers import TABS, elsewhere, summarize, to_html
from cli.dashboard.snapshots import COUNT_INTERVAL_S, Snapshots
from cli.dashboard.table import Query, Reading, Tab, arrange, choose, lay_out, text_column
from cli.failures.advice import advice
from tests.cli.screens import AT, JOB, LOOKS, RUN, SLOTS
from worker.accounts.credentials import Account
from worker.failures.groups import Group
from worker.failures.kept import Count
from worker.governor import Pause


def numbers(read, name="Numbers"):
    return Tab(name, read, (text_column("Name", str),), str, "", troubles=lambda number: number)


def test_a_tab_counts_what_needs_attention():
    group = Group("get_tags-1", "get_tags", "NotFound", "404")
    [eu] = accounts.list_accounts([Account("eu", None, "A")], [Pause("account:eu", "root", "moved", AT, None)], {})
    [us] = accounts.list_accounts([Account("us", None, "B")], [], {})

    assert failures.TAB.troubles(failures.GroupRow(Count(group, 7, AT, AT))) == 7
    assert [jobs.TAB.troubles(jobs.JobRow(job, "", 1.0)) for job in (JOB, replace(JOB, rejected=0))] == [1, 0]
    assert [accounts.TAB.troubles(each) for each in (eu, us)] == [1, 0]
    assert [
        imports.TAB.troubles(imports.ImportRow(run, AT))
        for run in (RUN, replace(RUN, state="failed", checked=0, rejected=0), replace(RUN, checked=0, rejected=0))
    ] == [1, 1, 0]
    assert advice(group).rank > 0


def test_the_first_visitor_is_shown_the_counts_and_later_ones_cost_no_reading():
    async def looking():
        now, reads = [0.0], []
        snapshots = Snapshots(lambda: now[0])
        tab = numbers(lambda: Reading([len(reads), *[1, reads.append(1)][:1]]))
        told = [await snapshots.troubles([tab])]
        now[0] = COUNT_INTERVAL_S - 1
        told.append(await snapshots.troubles([tab]))
        now[0] = COUNT_INTERVAL_S
        told.append(await snapshots.troubles([tab]))
        await snapshots.latest(tab)
        told.append(snapshots.known_troubles([tab]))
        return told, len(reads)

    told, reads = asyncio.run(looking())

    assert told == [{"Numbers": 1}, {"Numbers": 1}, {"Numbers": 1}, {"Numbers": 2}]
    assert reads == 2


def test_a_tab_that_cannot_be_read_has_no_count():
    def fail():
        raise OSError("away")

    assert asyncio.run(Snapshots().troubles([numbers(fail)])) == {}


def test_the_entry_in_flowers_navigation_bar_counts_all_and_says_of_what():
    assert summarize({"Failures": 1_200, "Jobs": 3, "Imports": 0}) == ("1,203", "1,200 failures, 3 jobs")
    assert summarize({"Failures": 0}) is None


def test_the_page_of_failures_names_what_failed_elsewhere_and_leads_there():
    told = elsewhere({"Failures": 6, "Jobs": 3, "Imports": 1, "Accounts": 0}, failures.TAB)

    assert told == [("3 jobs", "jobs"), ("1 import", "imports")]


def test_without_an_account_the_pages_name_what_reads_a_new_key_at_its_start():
    for tab in (accounts.TAB, schedules.TAB):
        assert tab.empty.endswith("Workers, beat and Flower read settings as they start: restart them after a change.")


def test_a_tab_with_a_count_says_what_it_counts():
    assert [tab.title for tab in TABS if bool(tab.counted) != bool(tab.troubles)] == []


def test_titles_that_need_it_say_what_they_mean():
    rows = limits.Overview().reading(LOOKS, [], AT, SLOTS).rows

    view = lay_out(limits.TAB, choose(arrange(limits.TAB, rows, Query()), len(rows), Query()))

    hints = {header.title: header.hint for header in view.headers}
    assert hints["Bulk"] == "waiting in the lane for what can wait: what is in Now goes first"
    assert hints["Account"] == ""
    assert limits.TAB.legend.keys() <= hints.keys()


def test_a_narrow_window_leaves_out_columns_but_none_that_says_what_could_go_and_why_it_does_not():
    left_out = {column.title for column in limits.TAB.columns if column.minor}

    assert left_out == {"Tier", "Later", "Per minute", "Under way"}


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("run `klaviyo resume --account <b>`.", "run <code>klaviyo resume --account &lt;b&gt;</code>."),
        ("create_profile", "create_profile"),
        ("get_errors_for_bulk_jobs", "get_<wbr>errors_<wbr>for_<wbr>bulk_<wbr>jobs"),
        ("/data/attributes/profiles", "/<wbr>data/<wbr>attributes/<wbr>profiles"),
    ],
)
def test_a_command_stands_out_and_a_long_name_breaks_between_its_parts(text, html):
    assert to_html(text) == html
