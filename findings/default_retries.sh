#!/usr/bin/env bash
# redis-py tries ten times more by default; Celery's result backend and RedBeat not once.
#
# With:      redis 8.1.0, celery 5.7.0, celery-redbeat 2.4.2
# Guessed:   with redis-py 8 whoever uses its client rides out a short loss of the server.
# Behaviour: the default of ten retries is one of the arguments of `Redis(…)`. A client of a URL or of a pool takes its
#            connections' default, which is none. RedBeat makes its client from a URL, Celery's backend from a pool.
# Seen:      connections to a server that closes each of them, for one PING:
#            Redis(…) 11, Redis.from_url(…) 1, the result backend 1, RedBeat 1
# Matters:   an upgrade to redis-py 8 does not bring Celery the retries that it is known for. They have to be named:
#            `Redis.from_url(url, retry=Retry(…))`, and for RedBeat `redbeat_redis_options={"retry_period": seconds}`.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 redis==8.1.0 celery-redbeat==2.4.2
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import socket, sys, threading

import redis
from celery import Celery
from redbeat.schedulers import get_redis

listening = socket.create_server(("127.0.0.1", 0))
port = listening.getsockname()[1]
url = f"redis://127.0.0.1:{port}"
accepted = []


def close_each():
    while True:
        listening.accept()[0].close()
        accepted.append(1)


threading.Thread(target=close_each, daemon=True).start()
app = Celery(backend=url)
app.conf.redbeat_redis_url = url
clients = {
    "Redis(…)": redis.Redis(port=port),
    "Redis.from_url(…)": redis.Redis.from_url(url),
    "the result backend": app.backend.client,
    "RedBeat": get_redis(app),
}
seen = []
print("connections to a server that closes each of them, for one PING:")
for name, client in clients.items():
    accepted.clear()
    try:
        client.ping()
    except redis.ConnectionError:
        seen.append(len(accepted))
        print(f"{name} {seen[-1]}")
sys.exit(None if seen == [11, 1, 1, 1] else "changed")
EOF
