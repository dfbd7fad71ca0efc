#!/usr/bin/env bash
# A scheduled task that retries is a failed run to Sentry's monitor, and one that expires is a run that goes on.
#
# With:      sentry-sdk 2.75.0 (CeleryIntegration, monitor_beat_tasks=True), celery 5.7.0, in memory
# Guessed:   a run is under way until its last attempt, and an expired one is told as missed or failed.
# Behaviour: beat opens a check-in as it sends a task. The integration closes it as an error at each retry, always under
#            the same id, and as what it is after the last attempt. No event goes with the errors: to the integration's
#            other half Retry is control flow. A worker that discards an expired task gives the signal task_revoked, to
#            which nothing listens: its check-in stays open.
# Seen:      check-ins of one run
#            that succeeds at once: in_progress, ok
#            that succeeds after two retries: in_progress, error, error, ok
#            that has expired: in_progress
#            events: 0
# Matters:   a sync that waits for Klaviyo's rate limit by retrying is told as failed, night after night, and nothing
#            in Sentry says why: somebody is called for a run that ends well. Leave such tasks out, by
#            exclude_beat_tasks, and let them send their own check-in as they end.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    sentry-sdk==2.75.0 celery==5.7.0
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import sys, time

import sentry_sdk
from celery import Celery, signals
from celery.beat import Scheduler
from celery.contrib.testing.worker import start_worker
from sentry_sdk.integrations.celery import CeleryIntegration

check_ins, events, ended = {}, [], []


class Remembering(sentry_sdk.Transport):
    """Keep what would be sent to Sentry."""

    def capture_envelope(self, envelope):
        for item in envelope.items:
            if item.type == "check_in":
                check_in = item.payload.json
                check_ins.setdefault(check_in["monitor_slug"], []).append(check_in)
            elif item.type == "event":
                events.append(item)


sentry_sdk.init(
    "http://key@127.0.0.1:1/1",
    transport=Remembering,
    integrations=[CeleryIntegration(monitor_beat_tasks=True)],
)
app = Celery("application", broker="memory://", backend="cache+memory://")
app.conf.beat_schedule = {
    "that succeeds at once": {"task": "sync", "schedule": 3600, "args": (0,)},
    "that succeeds after two retries": {"task": "sync", "schedule": 3600, "args": (2,)},
    "that has expired": {"task": "sync", "schedule": 3600, "args": (0,), "options": {"expires": -1}},
}


@app.task(bind=True, name="sync")
def sync(self, retries):
    if self.request.retries < retries:
        raise self.retry(countdown=0)


@signals.task_success.connect
@signals.task_revoked.connect
def note(**kwargs):
    ended.append(kwargs)


scheduler = Scheduler(app)
with start_worker(app, pool="solo", perform_ping_check=False):
    for number, entry in enumerate(app.conf.beat_schedule, 1):
        scheduler.apply_entry(scheduler.schedule[entry])
        end = time.monotonic() + 20
        while len(ended) < number and time.monotonic() < end:
            time.sleep(0.05)
sentry_sdk.flush()
seen = [[each["status"] for each in check_ins[entry]] for entry in app.conf.beat_schedule]
for entry, statuses in zip(app.conf.beat_schedule, seen):
    print(f"{entry}: {', '.join(statuses)}")
print(f"events: {len(events)}")
one_run = all(len({each["check_in_id"] for each in run}) == 1 for run in check_ins.values())
expected = [["in_progress", "ok"], ["in_progress", "error", "error", "ok"], ["in_progress"]]
sys.exit(None if seen == expected and one_run and not events and len(ended) == 3 else "changed")
EOF
