#!/usr/bin/env bash
# dlt merges properties whose names it writes alike: the last value stays, the others are lost, and the load succeeds.
#
# With:      dlt 1.31.0 with its DuckDB destination; a profile with 8 custom properties, named as shops name them
# Guessed:   each property becomes a column, or the load tells of two that have one name.
# Behaviour: names are put in small letters, and keep of them what English has; where nothing is left they become `x`.
#            Within a row the later value replaces the earlier one. The naming convention that keeps names as they are
#            does tell of the two, and loads neither.
# Seen:      8 properties: 4 columns, no job has failed
#              size: M
#              last_order: 2025-01-01
#              x: Leo
#              zip: 08001
#            naming convention direct: SchemaIdentifierNormalizationCollision
#            as JSON, by max_table_nesting=0: 8 properties
# Matters:   Klaviyo's properties are told apart by case, and named in the language of the shop: a Japanese shop keeps
#            one of all. Which value stays depends on the order of the keys in each row. Load the properties as one
#            column of JSON.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    "dlt[duckdb]==1.31.0" duckdb==2.0.1
export PYTHONPATH="$dir/lib" RUNTIME__DLTHUB_TELEMETRY=false RUNTIME__LOG_LEVEL=CRITICAL
python3 - <<'EOF'
import json, os, sys

import dlt

PROPERTIES = {
    "Size": "L",
    "size": "M",
    "Last Order": "2026-01-01",
    "last_order": "2025-01-01",
    "サイズ": "44",
    "色": "red",
    "星座": "Leo",
    "zip": "08001",
}


ROWS = [{"id": "1", "properties": PROPERTIES}]


def load(name, rows):
    """The columns of the one row that is loaded."""
    pipeline = dlt.pipeline(name, destination=dlt.destinations.duckdb(f"{name}.db"), pipelines_dir="pipelines")
    failed = pipeline.run(rows, table_name="profiles").has_failed_jobs
    with pipeline.sql_client() as client, client.execute_query("SELECT * FROM profiles") as cursor:
        columns = dict(zip([column[0] for column in cursor.description], cursor.fetchone()))
    return failed, columns


failed, columns = load("by_default", ROWS)
columns = {key.split("__")[1]: value for key, value in columns.items() if key.startswith("properties__")}
jobs = "a job has failed" if failed else "no job has failed"
print(f"{len(PROPERTIES)} properties: {len(columns)} columns, {jobs}")
for key, value in columns.items():
    print(f"  {key}: {value}")
os.environ["SCHEMA__NAMING"] = "direct"
try:
    load("direct", ROWS)
    told = "loaded"
except Exception as error:
    told = type(error.__cause__).__name__
print("naming convention direct:", told)
del os.environ["SCHEMA__NAMING"]
resource = dlt.resource(ROWS, name="profiles", max_table_nesting=0)
kept = json.loads(load("as_json", resource)[1]["properties"])
print(f"as JSON, by max_table_nesting=0: {len(kept)} properties")
expected = {"size": "M", "last_order": "2025-01-01", "x": "Leo", "zip": "08001"}
found = (failed, columns, told, kept)
sys.exit(None if found == (False, expected, "SchemaIdentifierNormalizationCollision", PROPERTIES) else "changed")
EOF
