#!/usr/bin/env bash
# Of several limits in one text, limits.parse() takes the first and drops the others; hit() then lets the rest through.
#
# With:      limits 5.8.0, its moving window in memory; Klaviyo's way to state a limit: a burst and a steady one
# Guessed:   the function for one limit refuses a text with two.
# Behaviour: parse() reads all of them, checks that each is well formed, and returns the first. With the steady limit
#            first it is the burst that nobody keeps. A limit it cannot read is refused, also in the second place.
# Seen:      parse("3/second; 5/minute"): 3 per 1 second
#            9 calls, 3 in each of 3 seconds: 9 pass
#            parse_many, and all of them asked: 5 pass
#            parse("3/second; 5/minuet"): ValueError
# Matters:   a setting with both limits is accepted, and a mistake in either is refused, so both seem to be kept. Yet
#            the steady one is exceeded from the first minute on, and Klaviyo answers with 429. parse_many() returns
#            both.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    limits==5.8.0
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import sys, time

import limits

BOTH = "3/second; 5/minute"


def passing(items):
    """How many of 9 calls pass, 3 in each of 3 seconds."""
    limiter = limits.strategies.MovingWindowRateLimiter(limits.storage.MemoryStorage())
    passed = 0
    for _ in range(3):
        passed += sum(all([limiter.hit(item) for item in items]) for _ in range(3))
        time.sleep(1.05)
    return passed


one = limits.parse(BOTH)
print(f'parse("{BOTH}"): {one}')
first = passing([one])
print(f"9 calls, 3 in each of 3 seconds: {first} pass")
both = passing(limits.parse_many(BOTH))
print(f"parse_many, and all of them asked: {both} pass")
try:
    misspelt = str(limits.parse("3/second; 5/minuet"))
except ValueError as error:
    misspelt = type(error).__name__
print('parse("3/second; 5/minuet"):', misspelt)
sys.exit(None if (first, both, misspelt) == (9, 5, "ValueError") else "changed")
EOF
