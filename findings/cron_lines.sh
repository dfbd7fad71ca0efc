#!/usr/bin/env bash
# One line of a crontab runs 61 times a year, or 3 times, or never: of six libraries, no two read crontabs alike.
#
# With:      celery 5.7.0, huey 3.5.4, apscheduler 3.11.3, pycron 3.3.0 (taskiq), croniter 7.0.0 (rq, saq), cronsim 2.8
# Guessed:   a line of a crontab runs when cron would run it, or is refused.
# Behaviour: if a line gives a day of the month and one of the week, cron runs on both kinds of days. Celery, Huey and
#            APScheduler run only on days that are both, and APScheduler's day 0 is Monday. Celery and APScheduler
#            refuse 7 for Sunday; pycron takes it and never runs, and so it does with hours around midnight and with L
#            for the last day. With steps of days, croniter runs on both kinds, cronsim on days that are both.
# Seen:      runs in 2027
#            line           celery  huey     apscheduler  pycron  croniter  cronsim
#            0 3 1 * 1      3       3        1            61      61        61
#            0 3 */3 * 1    19      19       17           19      160       19
#            0 3 * * 7      refused 52       refused      0       52        52
#            0 22-2 * * *   1825    1825     refused      0       1825      refused
#            0 3 L * *      refused refused  refused      0       12        12
# Matters:   a nightly sync that moves from cron to Celery, or from Celery to a peer, keeps its line and loses its
#            nights, without an error: what does not run does not fail. Write lines that give one of the two days, and
#            days of the week as sun or mon, or for Huey as 0 or 1.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 huey==3.5.4 apscheduler==3.11.3 pycron==3.3.0 croniter==7.0.0 cronsim==2.8
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import datetime, sys

import huey, pycron
from apscheduler.triggers.cron import CronTrigger
from celery import Celery
from celery.schedules import crontab
from croniter import croniter
from cronsim import CronSim

UTC = datetime.timezone.utc
START, END = datetime.datetime(2027, 1, 1, tzinfo=UTC), datetime.datetime(2028, 1, 1, tzinfo=UTC)
SECOND, HOURS = datetime.timedelta(seconds=1), [START + datetime.timedelta(hours=hour) for hour in range(365 * 24)]
app = Celery(timezone="UTC")


def count(following):
    """How many runs there are in the year, by what tells the run that follows a time."""
    runs, run = 0, following(START - SECOND)
    while run < END:
        runs, run = runs + 1, following(run)
    return runs


def by_celery(line):
    def following(time):
        last, delta, _ = schedule.remaining_delta(time)
        return last + delta

    schedule = crontab.from_string(line)
    schedule.app = app
    return count(following)


def by_huey(line):
    minute, hour, day, month, day_of_week = line.split()
    due = huey.crontab(minute, hour, day, month, day_of_week, strict=True)
    return sum(due(hour) for hour in HOURS)


def by_apscheduler(line):
    trigger = CronTrigger.from_crontab(line, timezone=UTC)
    return count(lambda time: trigger.get_next_fire_time(None, time + SECOND))


def by_pycron(line):
    return sum(pycron.is_now(line, hour) for hour in HOURS)


def by_croniter(line):
    runs = croniter(line, START - SECOND)
    return count(lambda time: runs.get_next(datetime.datetime))


def by_cronsim(line):
    runs = CronSim(line, START - SECOND)
    return count(lambda time: next(runs))


def read(by, line):
    try:
        return by(line)
    except Exception:  # each has its own
        return "refused"


readers = (by_celery, by_huey, by_apscheduler, by_pycron, by_croniter, by_cronsim)
expected = {
    "0 3 1 * 1": [3, 3, 1, 61, 61, 61],
    "0 3 */3 * 1": [19, 19, 17, 19, 160, 19],
    "0 3 * * 7": ["refused", 52, "refused", 0, 52, 52],
    "0 22-2 * * *": [1825, 1825, "refused", 0, 1825, "refused"],
    "0 3 L * *": ["refused", "refused", "refused", 0, 12, 12],
}
seen = {line: [read(by, line) for by in readers] for line in expected}
print(f"{'line':<14}", *(f"{by.__name__.removeprefix('by_'):<12}" for by in readers))
for line, runs in seen.items():
    print(f"{line:<14}", *(f"{each!s:<12}" for each in runs))
sys.exit(None if seen == expected else "changed")
EOF
