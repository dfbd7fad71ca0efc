#!/usr/bin/env bash
# Celery's fixture celery_worker takes warnings away from all tests that come after it, and from their child processes.
#
# With:      celery 5.7.0 with its pytest plugin, pytest 9.2.0
# Guessed:   when the worker of the fixture stops, all that it has set up is as before.
# Behaviour: the worker is started at the level "error", and sets the root logger and CELERY_LOG_LEVEL to it. Both stay
#            as they are for the rest of the run, and children take the variable over.
# Seen:      before: the root logger is at WARNING, CELERY_LOG_LEVEL is not set, a warning is captured
#            after: the root logger is at ERROR, CELERY_LOG_LEVEL is 40, a warning is not captured
# Matters:   a test that expects a warning fails or passes by the order of the tests, and one that expects none passes
#            always. A fixture around celery_worker has to put both back.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 pytest==9.2.0
export PYTHONPATH="$dir/lib"
cat > test_levels.py <<'EOF'
import json, logging, os
from pathlib import Path

import pytest

pytest_plugins = ["celery.contrib.pytest"]


@pytest.fixture(scope="session")
def celery_worker_parameters():
    return {"perform_ping_check": False}


def tell(name, caplog):
    logging.getLogger("any").warning("look")
    level = logging.getLevelName(logging.getLogger().level)
    seen = [level, os.environ.get("CELERY_LOG_LEVEL"), "look" in caplog.text]
    Path(name).write_text(json.dumps(seen))


def test_before(caplog):
    tell("before", caplog)


def test_with_a_worker(celery_app, celery_worker):
    pass


def test_after(caplog):
    tell("after", caplog)
EOF
python3 -m pytest -q -p no:cacheprovider test_levels.py > log || { cat log; exit 1; }
python3 - <<'EOF'
import json, sys
from pathlib import Path

seen = [json.loads(Path(name).read_text()) for name in ("before", "after")]
for name, (level, variable, captured) in zip(("before", "after"), seen):
    said = f"is {variable}" if variable else "is not set"
    print(
        f"{name}: the root logger is at {level}, CELERY_LOG_LEVEL {said}, a warning is",
        "captured" if captured else "not captured",
    )
sys.exit(None if seen == [["WARNING", None, True], ["ERROR", "40", False]] else "changed")
EOF
