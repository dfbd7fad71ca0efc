"""Which job failed for which rows: on the pages Jobs and Imports, and on those of one job and of one import."""

from dataclasses import replace

import pytest

from cli.dashboard import imports, jobs
from cli.imports.history import rows_by_reason
from cli.imports.history import state as import_state
from cli.jobs import view as jobs_view
from tasks.imports.reasons import MAX_SPANS, Reasons
from tasks.jobs.ledger import JobOutcome, get_ledger
from tests.cli.screens import AT, JOB, RUN
from worker.api.jsonapi import Request
from worker.errors import BadRequest

PART = replace(JOB, rows="1-76,78-2000", items=1_999, rejected=5, landed=1_994)
REFUSED = replace(
    JOB, run="", rows="", status="refused", items=3, counters={}, rejected=0, landed=0,
    failure={"type": "BadRequest", "args": ["bulk_import_profiles", "default", 400, [{"title": "Invalid"}]]},
)  # fmt: skip


def facts(page):
    return {name: cell.text for name, cell in page.facts}


def test_a_jobs_page_names_every_row_as_the_file_numbers_it():
    errors = [
        {"index": row - 2, "title": "Invalid", "pointer": f"/data/{row - 2}/email"} for row in range(400, 2001, 400)
    ]

    page = jobs.job_page(PART, errors, AT, "customers.rejects.csv")

    assert facts(page)["Rows that did not land"] == "400, 800, 1200, 1600, 2000"
    assert facts(page)["Reject file"] == "customers.rejects.csv"
    assert [(each.count, each.places, each.pointer) for each in page.reasons] == [
        (5, "400, 800, 1200, 1600, 2000", "/data/…/email")
    ]
    assert page.counted == "Row of the source, without its header"


def test_whatever_signs_an_id_has_its_page_is_found():
    job = replace(PART, id="order/47?a#b%c", run="may/1")
    [by_kind, *_, to_import] = [column.cell(jobs.JobRow(job, "main", 1.0)).link for column in jobs.TAB.columns]

    assert (by_kind, to_import) == ("jobs/order%2F47%3Fa%23b%25c", "imports/may%2F1")
    assert dict(jobs.job_page(job, [], AT).facts)["Import"].link == "imports/may%2F1"


def test_many_rows_in_a_row_are_one_stretch_and_those_left_out_are_counted():
    errors = [{"index": place, "title": "Invalid"} for place in [*range(10), *range(20, 400, 2)]]

    assert jobs.explain(replace(PART, rows="1-2000"), errors) == (
        "Invalid (rows 1-10, 21, 23, 25, 27, 29, 31, 33 and 183 more)"
    )


def test_a_job_of_no_import_counts_its_records_as_klaviyo_does_and_says_so():
    job = replace(JOB, run="", rows="")

    page = jobs.job_page(job, [{"index": 0, "title": "Invalid"}], AT)

    assert (page.counted, page.reasons[0].places) == ("Index, from 0", "0")
    assert "Rows that did not land" not in facts(page)


def test_rows_that_klaviyo_refused_before_the_job_began_are_on_its_page(settings, real_redis):
    ledger = get_ledger()
    ledger.open("R-1", "bulk_import_profiles", "default", Request("POST", "/", {}, None), run="R", rows="1-9", items=9)
    ledger.mark_sending("R-1", 60_000, "holder")
    ledger.accept("R-1", "K", own=True)
    ledger.end("R-1", "complete", {"total": 7, "completed": 6, "failed": 1}, [])
    rejects = [{"row": row, "stage": "refused", "reason": "no such email", "sent": None} for row in (3, 4)]
    ledger.settle("R-1", JobOutcome("complete", {"errors": [{"index": 0, "title": "Invalid"}]}, 6, 3, 0, rejects))

    page = jobs.read_job("R-1")

    assert facts(page)["Rows that did not land"] == "3-4 and 1 more"
    assert page.reasons[0].said == "no such email"


@pytest.mark.parametrize(
    ("job", "state", "style"),
    [
        (JOB, "complete", "yellow"),
        (replace(JOB, rejected=0), "complete", "green"),
        (REFUSED, "refused", "red"),
        (replace(REFUSED, status="stuck", failure=None), "stuck", "red"),
    ],
)
def test_a_state_is_green_where_all_landed_yellow_where_some_did_not_and_red_where_the_job_failed(job, state, style):
    shown = jobs_view.state_text(job)

    assert (shown.plain, shown.style) == (state, style)


def test_an_import_some_of_whose_rows_did_not_land_has_the_colour_of_such_a_job():
    assert import_state(RUN, AT).style == jobs_view.state_text(JOB).style == "yellow"
    assert import_state(replace(RUN, checked=0, rejected=0), AT).style == "green"


def test_a_job_that_klaviyo_refused_has_failed_with_all_its_records():
    assert jobs_view.failure_count(REFUSED) == 3
    assert BadRequest.__name__ == REFUSED.failure["type"]


@pytest.mark.parametrize(
    ("job", "told"),
    [
        (REFUSED, "Klaviyo would refuse the same job again: call it again with other values."),
        (
            replace(REFUSED, failure={"type": "Unavailable", "args": ["a", "default", "down"]}),
            "Call it again once the cause is gone.",
        ),
        (replace(REFUSED, status="unknown", failure=None), "Look in Klaviyo whether it was carried out"),
        (replace(REFUSED, run="R", rows="1-3", rejected=3), "Its rows are in the reject file of its import"),
    ],
)
def test_the_page_of_a_job_that_did_not_begin_says_what_to_do(job, told):
    assert facts(jobs.job_page(job, [], AT))["What to do"].startswith(told)


def test_the_page_of_a_job_that_began_asks_for_nothing():
    assert "What to do" not in facts(jobs.job_page(JOB, [], AT))


def test_a_kind_has_one_name_in_the_list_and_on_its_page():
    [kind] = [each for each in jobs.TAB.columns if each.title == "Kind"]

    shown = kind.cell(jobs.JobRow(JOB, "main", 1.0)).text
    assert shown == facts(jobs.job_page(JOB, [], AT))["Kind"] == "bulk_import_profiles"


def test_an_imports_page_names_the_rows_rejected_before_sending_and_by_klaviyo():
    run = replace(
        RUN,
        checked=1,
        rejected=3,
        reasons=(("email: is missing", 1), ("refused", 3)),
        reason_rows=("77", "400,801-802"),
    )

    page = imports.import_page(run, rows_by_reason(run), [], AT)

    assert facts(page)["Rows that did not land"] == "77, 400, 801-802"
    assert page.reasons == [("email: is missing", 1, "77"), ("refused", 3, "400, 801-802")]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/srv/shop/customers.rejects.csv", "/srv/shop/customers.rejects.csv"),
        ("/home/ada/shop/customers.rejects.csv", "~/shop/customers.rejects.csv"),
        ("C:\\Users\\ada\\customers.rejects.csv", "~\\customers.rejects.csv"),
    ],
)
def test_the_page_says_where_the_reject_file_is_and_names_nobody(path, told):
    page = imports.import_page(replace(RUN, rejects=path), [], [], AT)

    assert facts(page)["Reject file"] == f"{told}, on the machine where the import ran"


def test_the_page_says_what_comes_next_and_how_rows_are_counted():
    page = facts(imports.import_page(RUN, [("refused", 1, "400")], [], AT))

    assert page["What to do"].startswith("Mend the rows in the reject file, then run `klaviyo import … FILE`")
    assert page["Row numbers"] == "counted from 1; the header line and empty rows do not count"


def test_an_import_all_of_whose_rows_landed_asks_for_nothing():
    assert "What to do" not in facts(imports.import_page(replace(RUN, checked=0, rejected=0), [], [], AT))


def test_the_rows_of_an_earlier_version_that_kept_none_are_counted_alone():
    run = replace(RUN, reason_rows=())

    assert [(count, rows) for _, count, rows in rows_by_reason(run)] == [(12, ""), (3, "")]


def test_reasons_remember_their_rows_up_to_a_bound():
    reasons = Reasons()
    for row in (7, 8, 9, *range(20, 20 + 2 * MAX_SPANS, 2), 3):
        reasons.add("Invalid", row)

    kept = reasons.rows("Invalid").split(",")
    assert (kept[:2], len(kept)) == (["7-9", "20"], MAX_SPANS)
    assert reasons.first_rows("Invalid") == [7, 8, 9, 20, 22]
