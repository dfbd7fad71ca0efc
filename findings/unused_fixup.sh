#!/usr/bin/env bash
# Each process that makes a Celery app loads the worker, for the sake of a Django that is not there.
#
# With:      celery 5.7.0 (no Django installed, DJANGO_SETTINGS_MODULE not set)
# Guessed:   a process that only publishes loads what publishes; the worker's modules come with the command `worker`.
# Behaviour: an app imports its fixups when it is made, to ask each whether it has anything to do. The one for Django
#            imports celery.worker at its head, and with it boot steps and concurrency, before it looks for Django.
# Seen:      Celery("app"): celery.worker is loaded, 9 of celery's modules more
#            Celery("app", fixups=[]): celery.worker is not loaded, 0 of celery's modules more
# Matters:   40 ms at the start of each web process, function and command that publishes, measured where importing celery
#            itself takes 100 ms. Where there is no Django, say fixups=[].
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0
export PYTHONPATH="$dir/lib"
unset DJANGO_SETTINGS_MODULE
cat > made.py <<'EOF'
import sys

from celery import Celery

before = set(sys.modules)
Celery("app", broker="memory://", **({"fixups": []} if sys.argv[1] == "without" else {}))
more = [name for name in set(sys.modules) - before if name.partition(".")[0] == "celery"]
print(f"celery.worker is {'loaded' if 'celery.worker' in sys.modules else 'not loaded'}, {len(more)} of celery's modules more")
EOF
with=$(python3 made.py with)
without=$(python3 made.py without)
echo "Celery(\"app\"): $with"
echo "Celery(\"app\", fixups=[]): $without"
[ "$with" = "celery.worker is loaded, 9 of celery's modules more" ]
[ "$without" = "celery.worker is not loaded, 0 of celery's modules more" ]
