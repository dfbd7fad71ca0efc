#!/usr/bin/env bash
# `retry=False` makes the first task of a process wait ten times as long for a broker that is away as the default does.
#
# With:      celery 5.7.0, kombu 5.7.0, redis 8.1.0; a port of this machine that nobody listens on
# Guessed:   without retries send_task() raises at once, since the connection is refused.
# Behaviour: before it publishes, kombu connects, and that has retries of its own, until broker_connection_timeout has
#            passed. The policy for publishing takes their place, but retry=False hands none over. Once handed over, a
#            policy stays with the pooled connection: a later retry=False in the process does as it says.
# Seen:      the first send_task() of a process raises OperationalError
#            with retry=False: after 6 s
#            with the default policy: after less than 1 s
#            with retry_policy={"max_retries": 0}: at once
#            with retry=False, after another with the default policy: after less than 1 s
# Matters:   a web server that would rather give an event up than wait for it blocks for six seconds, and a test that
#            has published before does not show it. To try once, leave retry on, and set max_retries to 0.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 "kombu[redis]==5.7.0" redis==8.1.0
export PYTHONPATH="$dir/lib"
cat > sending.py <<'EOF'
import json, socket, sys, time

from celery import Celery
from kombu.exceptions import OperationalError

with socket.socket() as closed:
    closed.bind(("127.0.0.1", 0))
    app = Celery(broker=f"redis://127.0.0.1:{closed.getsockname()[1]}")
app.amqp.producer_pool  # loads what would be counted in the first
for options in map(json.loads, sys.argv[1:]):
    started = time.monotonic()
    try:
        app.send_task("name", **options)
    except OperationalError:
        took = time.monotonic() - started
print(took)
EOF
python3 - <<'EOF'
import subprocess, sys


def took(*options):
    """How long the last of these calls lasted, in a process of its own."""
    return float(subprocess.check_output([sys.executable, "sending.py", *options], text=True))


off, default, once, later = (
    took('{"retry": false}'),
    took("{}"),
    took('{"retry_policy": {"max_retries": 0}}'),
    took("{}", '{"retry": false}'),
)
print("the first send_task() of a process raises OperationalError")
print(f"with retry=False: after {off:.1f} s")
print(f"with the default policy: after {default:.1f} s")
print(f'with retry_policy={{"max_retries": 0}}: after {once:.1f} s')
print(f"with retry=False, after another with the default policy: after {later:.1f} s")
sys.exit(None if off > 4 and off > 2 * max(default, once, later) else "changed")
EOF
