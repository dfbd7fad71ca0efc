"""The screens of the commands, filled with long names and large numbers, at a fixed time and without Redis."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rich.console import Console, Group

import tasks.registry  # noqa: F401  registers every action
from cli import limits, push, schedules, top, waiting
from cli.accounts import command as accounts
from cli.accounts.rows import AccountRow
from cli.actions import command as actions
from cli.check import command as check
from cli.failures import command as failures
from cli.imports import history as imports
from cli.imports import plan_view, reimport
from cli.imports import view as import_view
from cli.jobs import view as jobs_view
from cli.revision import command as revision
from cli.revision.compare import Difference
from cli.sync.view import Part, parts_table, plan_table, status_table
from schedules.plan.estimate import Estimate as Plan
from schedules.push.report import PushReport
from schedules.stream_status import PullRun, StreamStatus
from tasks.imports import Estimate, Report
from tasks.imports.preview import Column, Preview
from tasks.jobs.import_runs import Run
from tasks.jobs.ledger import Job
from worker.action import ACTIONS
from worker.failures.groups import Group as FailureGroup
from worker.failures.kept import Count
from worker.governor import BucketLook, Look, Pause
from worker.tiers import QUEUES

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
AT = NOW.timestamp()
SHOP, OTHER = "a-shop-with-a-long-name", "default"
JOB = Job(
    id="0b1e7c3a-5d2f-4e8b-9a6c-1f2e3d4c5b6a", state="settled", kind="bulk_import_profiles", account=OTHER, lane="bulk",
    run="20261124-074512-7f87", rows="1-10000", items=10_000, once="", tries=1, opened=AT - 250, sent=AT - 249,
    accepted=AT - 248, ended=AT - 200, settled=AT - 199,
    job_id="cHJvZmlsZS1idWxrLWltcG9ydDphYmMxMjM6MTIz", status="complete", polled_ms=3,
    counters={"total": 10_000, "completed": 9_988, "failed": 12}, outcome=None, continuation=None, failure=None,
    landed=9_988, rejected=12,
)  # fmt: skip
JOBS = [
    replace(JOB, id="1", state="processing", kind="bulk_unsubscribe_profiles", status="", settled=None, run="",
            counters={}, rejected=0, items=5_000, job_id="01KB6ZJ5V0M3T8Q2R7W9X4Y6ZD"),
    JOB,
    replace(JOB, id="2", kind="bulk_update_catalog_categories", status="stuck", opened=AT - 64_800, counters={}, run="",
            rejected=0, job_id="bulk-update-job:category:bulk_update:f2d1c0:2026-11-23T14:00:00.000000+00:00"),
]  # fmt: skip
ERRORS = [
    {"index": 17, "code": "invalid", "detail": "The phone number provided either does not exist or is ineligible.",
     "pointer": "/data/attributes/profiles/data/17/attributes/phone_number"},
    {"index": 9_412, "code": "duplicate_profile", "detail": "A profile with this e-mail address exists already.",
     "pointer": "/data/attributes/profiles/data/9412/attributes/email"},
]  # fmt: skip
RUN = Run(
    id="20261124-074512-7f87", state="complete", kind="profiles", account=OTHER, source="customers.csv",
    asked={"path": "/srv/exports/2026/november/customers.csv"}, started=AT - 300, ended=AT - 45, rows=25_001,
    bytes=4_400_000, checked=3, unchanged=0, parts=3, settled=3, landed=24_986, rejected=12, unknown=0, withdrawn=0,
    read=4_400_000, size=4_400_000, seen=AT - 45, reason="", rejects="customers.20261124-074512-7f87.rejects.csv",
    reasons=(("The phone number provided either does not exist or is ineligible.", 12), ("email: is missing", 3)),
)  # fmt: skip
ACCOUNTS = [
    AccountRow("default", "private key and company id", "settings", "ready", None, None, AT - 12),
    AccountRow("eu-store", "OAuth", "store", "ready", ["accounts:read", "lists:read", "lists:write", "tags:read"],
               AT + 2_520, AT - 900),
    AccountRow(SHOP, "OAuth", "store", "paused automatically: Klaviyo has withdrawn its grant (invalid_grant). "
               "To resume it, run `klaviyo accounts authorize a-shop-with-a-long-name`. It goes on by itself when a "
               "try succeeds, without `klaviyo resume`.",
               ["lists:read"], AT - 60, None),
]  # fmt: skip
LONG_RUN = replace(
    RUN, id="20261123-220000-0c4d", state="running", kind="upsert_catalog_categories", ended=None, seen=AT - 900,
    source="catalogue-of-all-shops-and-warehouses-2026-11-24.jsonl.gz", checked=0, rejected=0, rows=1_000_000,
)  # fmt: skip
REPORT = Report(
    run=RUN.id, state="complete", kind="profiles", account=OTHER, rows=25_001, checked=3, unchanged=0, landed=24_986,
    rejected=12, unknown=0, withdrawn=0, jobs=3, requests=3, bytes=4_400_000, seconds=255.0, rejects=RUN.rejects,
    reasons=RUN.reasons,
)  # fmt: skip
ESTIMATE = Estimate(
    "profiles", 25_001, 1_723, 0, 3, 3, 4_400_000, 12.0, (),
    (("email: this is not an email address", 1_702, (4, 17, 21, 90, 104)),
     ("phone_number: it has to begin with + and the country's code", 21, (8, 11, 250))),
)  # fmt: skip


def look(alias, buckets, tier, now=0, bulk=0, later=0, oldest=None, blocked=0.0):
    told = tuple(
        BucketLook(f"{alias}:{name}", windows, flight, 0, 0.0) for name, windows, flight in buckets
    )  # fmt: skip
    line = f"{alias}:" + "+".join(name for name, *_ in buckets)
    return Look(line, f"klaviyo.{tier}", now, bulk, later, oldest, blocked, told)


XL = ((312, 350, 1_000), (3_211, 3_500, 60_000))
LOOKS = [
    look(OTHER, [("create_event", XL, 40)], "xl", now=1_204, bulk=48_211, oldest=13.2),
    look(OTHER, [("create_list", ((2, 10, 1_000), (150, 150, 60_000), (150, 150, 86_400_000)), 0)], "m", now=3,
         oldest=18_000.0, blocked=64_800.0),
    look(OTHER, [("get_profiles", ((10, 75, 1_000), (700, 700, 60_000)), 10),
                 ("additional-fields=predictive_analytics", ((0, 10, 1_000), (90, 150, 60_000)), 0)], "m", later=12),
]  # fmt: skip
SEVERAL = [*LOOKS, look(SHOP, [("bulk_update_catalog_categories", ((1, 75, 1_000), (12, 700, 60_000)), 1)], "l")]
PAUSES = [Pause("account:a-shop-with-a-long-name", "root", "Klaviyo refuses its key", AT, 42.0)]


def waits(action, alias=OTHER, lane="now", age=13.2, arguments="email, first_name"):
    return waiting.WaitingTask(JOB.id, action, alias, lane, age, arguments, None)


WAITING = [
    waits("create_profile"),
    waits("get_errors_for_bulk_import_profiles_job", SHOP, "bulk", -86_000.0, "id, page_cursor, page_size"),
]


def pull(**how):
    known = dict(mode="incremental", state="done", started=NOW - timedelta(seconds=200), ended=NOW, rows=1_234_567,
                 requests=12_346, windows=24, closed=24, deleted=0, note=None, error=None)  # fmt: skip
    return PullRun(1, **{**known, **how})


STATUSES = [
    StreamStatus(OTHER, "profiles", 1_234_567, NOW, pull()),
    StreamStatus(OTHER, "segment_members", 9_876_543, NOW, pull(mode="full", deleted=1_204)),
    StreamStatus(OTHER, "catalog_categories", 0, None, pull(state="failed", rows=0, error="get_catalog_categories on "
             "account default: Klaviyo answered 403: The API key lacks the scope catalogs:read.")),
]  # fmt: skip
PARTS = [Part(each.account, each.stream, each.run.state, each.run, each.run.error) for each in STATUSES]
PLANS = [
    Plan(OTHER, "profiles", "full", 1_234_567, 12_346, 0.04, False, 17.6, None, 1_056.0, "probes", 19),
    Plan(OTHER, "segment_members", "full", 9_876_543, 98_766, 0.0, True, 141.0, 0.13, 8_460.0, "the last run", 0),
]
ROWS = [
    schedules.Row("catalog", OTHER, "37 3 * * *", "UTC", NOW, NOW, 812.0, NOW, None, None, "done", "", ""),
    schedules.Row("conversations-of-the-day", OTHER, "*/15 6-22 * * 1-5", "UTC", NOW, NOW, 12.0, NOW,
                  NOW - timedelta(hours=3), 10_800.0, "failed", "no sign of life by 24 Nov 05:00", ""),
]  # fmt: skip
DIFFERENCES = [
    Difference("get_profiles", "page size", "100", "up to 200 records a page"),
    Difference("get_profiles", "scopes", "profiles:read", "profiles:read, subscriptions:read"),
    Difference("bulk_create_data_source_records", "limits", "", "10/s 150/m"),
]
PUSH = PushReport(
    1, "push:crm", OTHER, "done", 25_001, 20_000, 3, 4_000, 986, 0, 12, 0, 5, 40.0, (), "a tenth would be deleted"
)

PREVIEW = Preview(
    kind="profiles", title="Shopify customers", metric=None, order=None, encoding="cp1252", delimiter=";",
    columns=(
        Column("Customer ID", "external_id", "text", (("'7210448301122", "7210448301122"),)),
        Column("Default Address Province Code", "location.region", "text", ()),
        Column("Phone", "phone_number", "phone number", (("(415) 555-0132", "+14155550132"), ("12", ""))),
        Column("Date Joined", "properties.Date Joined", "date or time, month first", (("05/23/2024", "2024-05-23"),)),
    ),
    left_out=(
        (
            "Accepts Email Marketing",
            "it says who wants marketing; an import of profiles changes nobody's consent (see --consent)",
        ),
    ),
    rows=6_376_802, about=True, sampled=1_000,
    reasons=(("phone_number: this is not a phone number: it has too few or too many digits for its country", 17),),
)  # fmt: skip

FAILURES = [
    Count(
        FailureGroup("create_event-5f0c9a1b", "create_event", "Unavailable", "Klaviyo answered 503"), 812, AT - 5_000,
        AT,
    ),
    Count(
        FailureGroup("update_profile-c07e44d2", "update_profile", "BadRequest",
              "Klaviyo answered 400: Invalid input [/data/attributes/phone_number]"), 140, AT - 90_000, AT - 300,
    ),
    Count(
        FailureGroup("create_list-8a31b6ef", "create_list", "OutcomeUnknown",
              "no answer from Klaviyo (it did not come in time)", "the lists of this name"), 2, AT - 7_000, AT - 6_000,
    ),
]  # fmt: skip

#: What the workers take at once from each queue.
SLOTS = {queue: 24 for queue in QUEUES}

#: Everything that a command shows, by the command; of some with one account and with several.
SCREENS = {
    "klaviyo actions": lambda: actions._listed([each.declaration for each in ACTIONS.values()], with_paths=False),
    "klaviyo actions bulk_import_profiles": lambda: actions._shown(ACTIONS["bulk_import_profiles"].declaration),
    "klaviyo check": lambda: Group(
        check.line("✓", "green", "settings", "read; Klaviyo is at https://a.klaviyo.com"),
        check.line(
            "✗",
            "red",
            f"account {SHOP}",
            f"account {SHOP!r} has no API key: set KLAVIYO_ACCOUNTS__A_SHOP_WITH_A_LONG_NAME__API_KEY.",
        ),
        check.line(
            "✗",
            "red",
            "eviction",
            "maxmemory-policy is allkeys-lru: Redis may throw queued tasks away when its "
            "memory is full. Set it to noeviction (CONFIG SET maxmemory-policy noeviction).",
        ),
    ),
    "klaviyo failures": lambda: failures.table(FAILURES),
    "klaviyo import profiles customers.csv --dry-run": lambda: Group(
        import_view.estimate_table(ESTIMATE), "", import_view.rejects_table(ESTIMATE)
    ),
    "klaviyo import customers.csv": lambda: plan_view.plan_view(PREVIEW, "shopify_customers.csv"),
    "klaviyo import profiles customers.csv": lambda: import_view.report_table(REPORT),
    "klaviyo imports": lambda: imports._table([RUN, replace(LONG_RUN, source="catalogue.jsonl")], AT),
    "klaviyo imports, several accounts": lambda: imports._table([RUN, replace(LONG_RUN, account=SHOP)], AT),
    "klaviyo imports RUN": lambda: imports._shown(RUN, [JOB], list(RUN.reasons), AT),
    "klaviyo jobs": lambda: jobs_view.table(JOBS, AT),
    "klaviyo jobs, several accounts": lambda: jobs_view.table([JOBS[0], replace(JOB, account=SHOP)], AT),
    "klaviyo jobs ID": lambda: jobs_view.details(replace(JOB, run=""), ERRORS, AT),
    "klaviyo accounts": lambda: accounts.table(ACCOUNTS, AT),
    "klaviyo limits": lambda: limits.table(list(limits.rows(LOOKS))),
    "klaviyo limits, several accounts": lambda: limits.table(list(limits.rows(SEVERAL))),
    "klaviyo top": lambda: top.view(list(limits.rows(SEVERAL, slots=SLOTS)), PAUSES, SLOTS, 1_003, 40),
    "klaviyo push NAME": lambda: push._table(PUSH),
    "klaviyo reimport": lambda: reimport._hindered_table(
        [RUN, LONG_RUN], {RUN.id: "it was cancelled", LONG_RUN.id: f"it has not ended; --run {LONG_RUN.id}"}
    ),
    "klaviyo revision": lambda: revision._table(DIFFERENCES),
    "klaviyo schedules": lambda: Group(schedules._table(ROWS), "", schedules._reasons()),
    "klaviyo sync": lambda: status_table(STATUSES, NOW),
    "klaviyo sync, several accounts": lambda: status_table([*STATUSES, replace(STATUSES[0], account=SHOP)], NOW),
    "klaviyo sync all": lambda: parts_table(PARTS, NOW),
    "klaviyo sync all --plan": lambda: plan_table(PLANS),
    "klaviyo waiting": lambda: waiting._table(WAITING[:1]),
    "klaviyo waiting, several accounts": lambda: waiting._table(WAITING),
}


def shown(screen, width):
    """Return a screen as text, without trailing blanks."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(SCREENS[screen]() if isinstance(screen, str) else screen)
    return re.sub(r" +$", "", console.file.getvalue(), flags=re.MULTILINE)
