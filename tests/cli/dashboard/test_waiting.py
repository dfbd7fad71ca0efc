"""The page with the tasks of one bucket: exactly those that the page Limits counts, in the order of their sending."""

from dataclasses import replace

from cli.dashboard import limits, waiting
from cli.dashboard.table import PAGE_ROWS
from tasks.lists import get_lists
from tasks.profiles import create_profile, get_profile
from tests.cli.screens import AT, LOOKS, SLOTS, look
from worker.governor import get_governor


def bucket(name, account="default"):
    return next(each for each in limits.read().rows if each.row.name == f"{account}:{name}")


def column(title, row):
    return next(each for each in limits.TAB.columns if each.title == title).cell(row)


def test_a_number_of_waiting_tasks_leads_to_those_of_its_account_its_bucket_and_its_lane():
    row = limits.Overview().reading(LOOKS, [], AT, SLOTS).rows[0]

    links = {title: column(title, row).link for title in ("Now", "Bulk")}

    assert links == {
        "Now": "waiting/default%3Acreate_event?lane=now",
        "Bulk": "waiting/default%3Acreate_event?lane=bulk",
    }


def test_a_page_has_the_tasks_that_are_counted_in_the_order_in_which_they_are_sent(settings, real_redis):
    settings.setenv("KLAVIYO_ACCOUNTS__B__API_KEY", "pk_b")
    later, soon = (get_profile.on(countdown=seconds).delay(id="01H") for seconds in (600, 60))
    first, second = (get_profile.delay(id="01H") for _ in range(2))
    bulk = get_profile.on(lane="bulk").delay(id="01H")
    get_profile.on("b").delay(id="01H")
    get_lists.delay()
    limit = bucket("get_profile")

    found = {lane: waiting.read_anew(limit, lane, 1) for lane in waiting.LANES}

    assert {lane: [(row.place, row.id) for row in page.rows] for lane, page in found.items()} == {
        "now": [(1, first.id), (2, second.id)],
        "bulk": [(1, bulk.id)],
        "later": [(1, soon.id), (2, later.id)],
    }
    assert found["now"].counts == [("now", 2), ("bulk", 1), ("later", 2)]


def test_a_task_that_was_tried_is_found_and_says_how_often(settings, real_redis):
    task = get_profile.delay(id="01H")
    real_redis.hset("klaviyo:attempts", task.id, 2)

    [row] = waiting.read_anew(bucket("get_profile"), "now", 1).rows

    assert (row.id, row.attempts) == (task.id, 2)


def test_a_row_has_the_names_of_the_parameters_and_no_value(settings, real_redis):
    create_profile.delay(email="ada@example.com", first_name="Ada")

    [row] = waiting.read_anew(bucket("create_profile"), "now", 1).rows

    assert (row.action, row.parameters) == ("create_profile", "email, first_name")
    assert "ada@" not in str(row)


def test_a_page_goes_on_where_the_one_before_it_ended(settings, real_redis):
    ids = [get_profile.delay(id="01H").id for _ in range(PAGE_ROWS + 2)]
    limit = bucket("get_profile")

    last = waiting.read_anew(limit, "now", 99)

    assert (last.page, last.pages) == (2, 2)
    assert [(row.place, row.id) for row in last.rows] == [(51, ids[50]), (52, ids[51])]


def test_an_account_on_anothers_buckets_has_a_row_of_its_own_with_what_waits_for_it():
    one, two = (look(alias, [("get_tags", ((5, 10, 1_000),), 0)], "m", now=n) for n, alias in ((1, "one"), (2, "two")))
    joined = replace(two, buckets=one.buckets)

    found = limits.Overview().reading([one, joined], [], AT, SLOTS)

    assert {each.row.name: each.waiting for each in found.rows} == {"one:get_tags": 1, "two:get_tags": 2}
    assert [cell.text.partition(" waiting")[0] for cell in found.summary] == ["two: 2", "one: 1"]


def test_a_page_of_what_is_paused_says_how_that_ends(settings, real_redis):
    get_profile.delay(id="01H")
    get_governor().pause("account:default", "ann", "for now", since=1.0)

    facts = dict(waiting.read_anew(bucket("get_profile"), "now", 1).facts)

    assert facts["Stands still"] == (
        "The account default is paused by ann: for now. To resume it, run `klaviyo resume --account default`."
    )


def test_a_bucket_of_which_nothing_waits_any_more_has_an_empty_page(settings, real_redis):
    get_profile.delay(id="01H")
    limit = bucket("get_profile")
    get_governor().purge("klaviyo.l")

    assert waiting.read_anew(limit, "now", 1).rows == []
