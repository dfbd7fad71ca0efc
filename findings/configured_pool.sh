#!/usr/bin/env bash
# `celery worker --pool prefork` starts the configured pool, whatever it is; every other pool is started as asked.
#
# With:      celery 5.7.0 (worker_pool = "solo")
# Guessed:   what the command line says goes before the configuration, as for --concurrency and --queues.
# Behaviour: prefork is also the option's default, and the worker does not tell the one from the other: both give way to
#            worker_pool.
# Seen:      configured solo, no option: solo
#            configured solo, --pool threads: thread
#            configured solo, --pool prefork: solo
# Matters:   a unit file that asks for prefork, as only that pool has hard time limits and ends children that hang, runs
#            without, and only the banner tells. Where the configuration sets a pool, set prefork there too.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0
export PYTHONPATH="$dir/lib"
echo 'worker_pool = "solo"' > configuration.py
python3 - <<'EOF'
import re, subprocess, sys

command = [sys.executable, "-m", "celery", "--broker", "memory://", "--config", "configuration", "worker"]
seen = []
for options in ([], ["--pool", "threads"], ["--pool", "prefork"]):
    worker = subprocess.Popen(command + options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    banner = next(filter(None, (re.search(r"concurrency: \d+ \((\w+)\)", line) for line in worker.stdout)))
    worker.kill()
    worker.wait()
    seen.append(banner[1])
    print(f"configured solo, {' '.join(options) or 'no option'}: {banner[1]}")
sys.exit(None if seen == ["solo", "thread", "solo"] else "changed")
EOF
