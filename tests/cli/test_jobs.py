"""`klaviyo jobs` as a user types it, on a Redis of its own."""

from __future__ import annotations

import json
import re

import pytest

from cli.jobs.command import MAX_ROWS
from cli.terminal.times import duration, moment
from tasks.jobs.ledger import JobOutcome, Ledger
from tests.cli.typed import run
from worker.api.jsonapi import Request

pytestmark = pytest.mark.usefixtures("settings")

KIND, LEASE = "bulk_import_profiles", 75_000
REQUEST = Request("POST", "/api/profile-bulk-import-jobs", {}, b'{"data":{}}')
ERROR = {
    "index": 1,
    "code": "invalid",
    "detail": "The address was refused.",
    "pointer": "/data/attributes/profiles/data/1/attributes/email",
    "sent": {"email": "ada@example.com"},
}


@pytest.fixture
def ledger(fake_redis):
    return Ledger(fake_redis)


def accepted(ledger, id, **how):
    ledger.open(id, KIND, "default", REQUEST, **{"items": 3, **how})
    ledger.mark_sending(id, LEASE, "holder")
    ledger.accept(id, f"K-{id}", own=True)


def completed(ledger, id, failed=0, **how):
    accepted(ledger, id, **how)
    ledger.end(id, "complete", {"total": 3, "completed": 3 - failed, "failed": failed})
    ledger.settle(id, JobOutcome("complete", {"status": "complete", "errors": [ERROR] * failed}))


def listed(*words):
    return json.loads(run("jobs", "--json", *words).stdout)


def test_before_the_first_job_there_is_nothing_to_show(fake_redis):
    result = run("jobs")

    assert (result.exit_code, result.stdout) == (0, "")
    assert re.search(
        r"No job has started since \d\d [A-Z][a-z]{2} \d\d:\d\d; --since looks further back.", result.stderr
    )


def test_jobs_in_progress_come_before_those_that_are_over(ledger):
    accepted(ledger, "older")
    completed(ledger, "newer")

    assert [(job["id"], job["state"], job["status"]) for job in listed()] == [
        ("older", "accepted", None),
        ("newer", "settled", "complete"),
    ]
    assert [line.split()[1] for line in run("jobs").stdout.splitlines()[1:]] == ["default", "default"]


def test_a_job_that_goes_on_is_shown_however_old_it_is(ledger, fake_redis):
    accepted(ledger, "old")
    completed(ledger, "done")
    for id in ("old", "done"):
        fake_redis.zadd("klaviyo:jobs", {id: 1_000})

    assert [job["id"] for job in listed("--since", "2h")] == ["old"]


def test_failed_shows_jobs_that_ended_badly_or_with_failed_records(ledger):
    completed(ledger, "good")
    completed(ledger, "partly", failed=1)
    accepted(ledger, "cancelled")
    ledger.end("cancelled", "cancelled", {})
    accepted(ledger, "going on")

    assert {job["id"] for job in listed("--failed")} == {"partly", "cancelled"}
    assert [job["failed"] for job in listed("--failed") if job["id"] == "partly"] == [1]


def test_records_that_a_refusal_set_aside_count_as_failed_though_klaviyo_never_had_them(ledger):
    ledger.open("R-1", KIND, "default", REQUEST, items=3, run="R", rows="1-3")
    ledger.mark_sending("R-1", LEASE, "holder")
    ledger.resend_without("R-1", [{"row": 2, "reason": "bad"}], request=REQUEST, rows="1,3", items=2)
    ledger.mark_sending("R-1", LEASE, "holder")
    ledger.accept("R-1", "K", own=True)
    ledger.end("R-1", "complete", {"total": 2, "completed": 2, "failed": 0})
    ledger.settle("R-1", JobOutcome("complete", {}, landed=2))

    [job] = listed()
    assert (job["records"], job["done"], job["failed"], job["run"]) == (3, 2, 1, "R")


@pytest.mark.parametrize("id", ["ours", "K-ours"])
def test_one_job_is_shown_by_either_id_with_its_errors_and_nobodys_address(ledger, id):
    completed(ledger, "ours", failed=1)

    shown = run("jobs", id).stdout
    for part in ("K-ours", KIND, "complete", "invalid", "The address was refused.", ERROR["pointer"]):
        assert part in shown
    told = json.loads(run("jobs", id, "--json").stdout)
    assert [(each["index"], each["code"]) for each in told["errors"]] == [(1, "invalid")]
    assert "ada@example.com" not in shown + json.dumps(told)


def test_a_job_that_did_not_begin_says_why(ledger):
    accepted(ledger, "job")
    failure = {"type": "Forbidden", "args": [KIND, "default", 403, [{"detail": "no scope"}]]}
    ledger.end("job", "refused", {}, failure=failure)

    assert "Klaviyo answered 403: no scope" in run("jobs", "job").stdout


@pytest.mark.parametrize(("count", "is_said"), [(MAX_ROWS, False), (MAX_ROWS + 1, True)])
def test_that_more_jobs_are_kept_than_shown_is_said_only_where_it_is_so(ledger, count, is_said):
    for number in range(count):
        completed(ledger, f"job-{number}")

    result = run("jobs")

    assert len(result.stdout.splitlines()) == MAX_ROWS + 1
    assert (f"Only the first {MAX_ROWS} are shown" in result.stderr) == is_said


def test_an_unknown_job_is_one_sentence_and_exit_code_2(fake_redis):
    result = run("jobs", "nonesuch")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("There is no job 'nonesuch'")


@pytest.mark.parametrize(("words", "what"), [(["jobs", "--watch"], "--watch"), (["top"], "klaviyo top")])
def test_watching_needs_a_terminal(fake_redis, words, what):
    result = run(*words)

    assert result.exit_code == 2
    assert f"{what} needs a terminal" in result.stderr


def test_an_invalid_time_is_one_sentence(fake_redis):
    result = run("jobs", "--since", "yesterday")

    assert result.exit_code == 2
    assert result.stderr.startswith("'yesterday' is not a time: write it like 5m")


@pytest.mark.parametrize("typed", ["999999w", "9999-12-31T23:59-23:00"])
@pytest.mark.parametrize("command", ["jobs", "reimport", "sync"])
def test_a_time_that_no_clock_can_show_is_one_sentence(fake_redis, command, typed):
    result = run(command, "--since", typed)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{typed!r} is not a time: write it like 5m")


@pytest.mark.parametrize("words", [("a-job", "--watch"), ("a-job", "--failed"), ("--json", "--watch")])
def test_an_option_that_would_be_ignored_is_refused(fake_redis, words):
    result = run("jobs", *words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert words[-1] in result.stderr


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("90s", 1_000_000 - 90),
        ("30min", 1_000_000 - 1_800),
        ("5m", 1_000_000 - 300),
        ("5M", 1_000_000 - 300),
        ("1w", 1_000_000 - 604_800),
        ("2h", 1_000_000 - 7_200),
        ("3 d", 1_000_000 - 259_200),
        ("1970-01-02T00:00Z", 86_400),
        ("1970-01-02T01:00+01:00", 86_400),
    ],
)
def test_a_time_is_a_span_ago_or_a_date(typed, seconds):
    assert moment(typed, 1_000_000.0) == seconds


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, "-"), (0.44, "0.4 s"), (35, "35 s"), (250, "4 min"), (64_800, "18.0 h"), (302_400, "3.5 d")],
)
def test_a_duration_is_shown_in_the_unit_that_a_person_would_take(seconds, told):
    assert duration(seconds) == told
