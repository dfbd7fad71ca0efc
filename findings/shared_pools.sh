#!/usr/bin/env bash
# Celery applications of one process share their pools of connections, and the last one sets the size of all.
#
# With:      celery 5.7.0, kombu 5.7.0, redis 8.1.0
# Guessed:   an application's pool is its own, and broker_pool_limit is its size.
# Behaviour: kombu keeps one pool for each broker URL and its transport options in a process. broker_pool_limit sets one
#            limit for all of them, those of other brokers too. An application that closes its pool closes the other's.
# Seen:      the first has a limit of 50
#            the second shares its pool; a third, of another broker, has a limit of 2: now the first has 2
#            the first closes its pool: the second raises RuntimeError('Acquire on closed pool')
# Matters:   an application that has a second Celery beside its own for another code base's tasks, or a test that tidies
#            up, ends the other one's publishing for good, or narrows it to its own limit.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 "kombu[redis]==5.7.0" redis==8.1.0
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import sys

from celery import Celery


def application(name, database, limit):
    app = Celery(name, broker=f"redis://127.0.0.1:1/{database}", set_as_current=False)  # nothing connects to it
    app.conf.broker_pool_limit = limit
    return app


first, second, third = application("first", 0, 50), application("second", 0, 50), application("third", 1, 2)
before = first.pool.limit
print("the first has a limit of", before)
shared = second.pool is first.pool
third.pool.limit  # Celery makes a pool when it is asked for it
after = first.pool.limit
print("the second", "shares its pool" if shared else "has its own", end="; ")
print(f"a third, of another broker, has a limit of 2: now the first has {after}")
first.pool.force_close_all()
try:
    second.send_task("task")
    raised = None
except Exception as error:
    raised = repr(error)
print("the first closes its pool: the second raises", raised)
expected = (50, True, 2, "RuntimeError('Acquire on closed pool')")
sys.exit(None if (before, shared, after, raised) == expected else "changed: applications are apart")
EOF
