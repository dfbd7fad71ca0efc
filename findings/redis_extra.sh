#!/usr/bin/env bash
# Celery and redis-py together have a Redis result backend, but no Redis broker: that needs a third package.
#
# With:      celery 5.7.0, kombu 5.7.0, redis 8.1.0, and nothing else that is installed
# Guessed:   redis-py is all that celery[redis] and kombu[redis] bring, as their name says.
# Behaviour: kombu's Redis transport imports packaging, which only the extra kombu[redis] names, as exactly 26.3. The
#            result backend does not need it. Neither RedBeat nor Flower brings it.
# Seen:      celery, redis, celery-redbeat, flower: results ConnectionError, broker ModuleNotFoundError('packaging')
#            and packaging: results ConnectionError, broker OperationalError (nothing listens)
# Matters:   it works wherever a test runner or a linter has brought packaging, and fails in the image without them.
#            Whoever names the extra has packaging at one version exactly, and no other package may ask for another.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 kombu==5.7.0 redis==8.1.0 celery-redbeat==2.4.2 flower==2.2.0
export PYTHONPATH="$dir/lib"
cat > use.py <<'EOF'
import sys

from celery import Celery

url = "redis://127.0.0.1:1"  # nothing listens there
results, broker = Celery(backend=url).backend.client, Celery(broker=url)
errors = {}
for part, use in {"results": results.ping, "broker": lambda: broker.send_task("task", retry=False)}.items():
    try:
        use()
    except Exception as error:
        errors[part] = type(error).__name__ + (f"({error.name!r})" if isinstance(error, ImportError) else "")
print(sys.argv[1] + ":", ", ".join(f"{part} {error}" for part, error in errors.items()))
EOF
# -S leaves out what else this Python has installed.
python3 -S use.py "celery, redis, celery-redbeat, flower" | tee seen
python3 -m pip install -qq --disable-pip-version-check --target lib packaging==26.3
python3 -S use.py "and packaging" | tee -a seen
diff seen - <<'EOF'
celery, redis, celery-redbeat, flower: results ConnectionError, broker ModuleNotFoundError('packaging')
and packaging: results ConnectionError, broker OperationalError
EOF
