#!/usr/bin/env bash
# What pyarrow reads a time of a warehouse's Parquet file as depends on pandas, and 9999-12-31 becomes a day of 1816.
#
# With:      pyarrow 26.0.1, orjson 3.13.0; pandas 3.0.4 in the second environment only
# Guessed:   to_pylist gives datetime, whatever else is installed, and a time that datetime can hold arrives as it is.
# Behaviour: INT96, which Spark writes times as by default, is read as nanoseconds, in which a year after 2262 overflows.
#            Nanoseconds become pandas' Timestamp where pandas is installed. Where it is not, those that datetime cannot
#            hold raise, and their error tells to install pandas. orjson takes a datetime, and refuses a Timestamp.
# Seen:      2026-01-01 and 9999-12-31, written as Spark writes them, and a time of 123456789 ns:
#            without pandas: 2026-01-01 datetime, 9999-12-31 ValueError, 123456789 ns ValueError
#            with pandas: 2026-01-01 Timestamp (orjson refuses), 1816-03-29 Timestamp, 123456789 ns Timestamp
#            with coerce_int96_timestamp_unit="us", with pandas: 2026-01-01 datetime, 9999-12-31 datetime
# Matters:   31 December 9999 is what warehouses write for "until further notice". With pandas it is read as long past,
#            without an error; without pandas the same file fails. A laptop may have pandas where the image has not.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target one pyarrow==26.0.1 orjson==3.13.0
python3 -m pip install -qq --disable-pip-version-check --target two pandas==3.0.4
cat > reading.py <<'EOF'
import sys
from datetime import datetime

import orjson
import pyarrow
from pyarrow import parquet

DAYS = [datetime(2026, 1, 1), datetime(9999, 12, 31)]


def read(kind, value, **options):
    table = pyarrow.table({"time": pyarrow.array([value], pyarrow.timestamp(kind))})
    parquet.write_table(table, "times.parquet", use_deprecated_int96_timestamps=kind == "us")
    try:
        return parquet.read_table("times.parquet", **options).to_pylist()[0]["time"]
    except ValueError:
        return None


def told(name, value):
    if value is None:
        return f"{name} ValueError"
    return f"{name if name.endswith('ns') else value.date()} {type(value).__name__}"


options = {"coerce_int96_timestamp_unit": "us"} if sys.argv[1:] else {}
found = [told(str(day.date()), read("us", day, **options)) for day in DAYS]
if not options:
    found.append(told("123456789 ns", read("ns", 123_456_789)))
    first = read("us", DAYS[0])
    try:
        orjson.dumps(first)
    except TypeError:
        found[0] += " (orjson refuses)"
print(", ".join(found))
EOF
# -S leaves out what this Python has installed.
without=$(PYTHONPATH=one python3 -S reading.py)
with=$(PYTHONPATH=one:two python3 -S reading.py)
coerced=$(PYTHONPATH=one:two python3 -S reading.py coerced)
echo "2026-01-01 and 9999-12-31, written as Spark writes them, and a time of 123456789 ns:"
echo "without pandas: $without"
echo "with pandas: $with"
echo "with coerce_int96_timestamp_unit=\"us\", with pandas: $coerced"
[ "$without" = "2026-01-01 datetime, 9999-12-31 ValueError, 123456789 ns ValueError" ] &&
    [ "$with" = "2026-01-01 Timestamp (orjson refuses), 1816-03-29 Timestamp, 123456789 ns Timestamp" ] &&
    [ "$coerced" = "2026-01-01 datetime, 9999-12-31 datetime" ] || { echo changed; exit 1; }
