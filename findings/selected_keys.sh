#!/usr/bin/env bash
# A row that SQLAlchemy has selected by a table cannot be written by orjson; the same row, selected by a text, can.
#
# With:      sqlalchemy 2.1.9, orjson 3.13.0, SQLite of Python
# Guessed:   the keys of a row's mapping are the columns' names, which are texts.
# Behaviour: the name of a table's column is a quoted_name, a subclass of str, whether or not it needs quotes. json takes
#            it for a key; orjson takes str alone, and says that keys must be str.
# Seen:      SELECT as a text: str, json writes it, orjson writes it
#            the same by a table: quoted_name, json writes it, orjson: Dict key must be str
# Matters:   an export or a log of rows that works with a query as text, or with json, fails with the first table, and the
#            message blames a key that prints as a text. Make the keys str(key).
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    sqlalchemy==2.1.9 orjson==3.13.0
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import json, sys

import orjson
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select, text

engine = create_engine("sqlite://")
orders = Table("orders", MetaData(), Column("total", Integer))
seen = []


def outcome(name, dumps, row):
    try:
        dumps(row)
    except TypeError as error:
        return f"{name}: {error}"
    return f"{name} writes it"


with engine.begin() as connection:
    orders.create(connection)
    connection.execute(insert(orders).values(total=12))
    queries = {"SELECT as a text": text("SELECT total FROM orders"), "the same by a table": select(orders)}
    for name, query in queries.items():
        row = dict(connection.execute(query).mappings().one())
        (key,) = row
        seen.append((type(key).__name__, outcome("json", json.dumps, row), outcome("orjson", orjson.dumps, row)))
        print(f"{name}: {', '.join(seen[-1])}")
expected = [
    ("str", "json writes it", "orjson writes it"),
    ("quoted_name", "json writes it", "orjson: Dict key must be str"),
]
sys.exit(None if seen == expected else "changed")
EOF
