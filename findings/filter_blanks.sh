#!/usr/bin/env bash
# The filter builder of Klaviyo's SDK takes the blanks out of the values, and writes lists in Python's spelling.
#
# With:      klaviyo-api 25.0.0
# Guessed:   a value goes into the filter as JSON, in a list as well as alone.
# Behaviour: a built filter loses all its white space, that within quotes too. One value is written by json.dumps, a
#            list by Python's repr: with single quotes, unless a value has one itself, and with True for true.
# Seen:      equals "Summer Sale": equals(name,"SummerSale")
#            any of "Summer Sale" and "Fall": any(name,['SummerSale','Fall'])
#            any of "Summer" and "Fall's": any(name,['Summer',"Fall's"])
#            equals True: equals(archived,true)
#            any of True: any(archived,[True])
# Matters:   a search for "Summer Sale" finds nothing, or what is named "SummerSale", without an error; whoever creates
#            what the search does not find creates it again at each run.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    klaviyo-api==25.0.0 pydantic==2.14.4 urllib3==2.8.0
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import sys

from klaviyo_api.filter_builder import FilterBuilder

cases = {
    'equals "Summer Sale"': ("equals", "name", "Summer Sale"),
    'any of "Summer Sale" and "Fall"': ("any", "name", ["Summer Sale", "Fall"]),
    'any of "Summer" and "Fall\'s"': ("any", "name", ["Summer", "Fall's"]),
    "equals True": ("equals", "archived", True),
    "any of True": ("any", "archived", [True]),
}
seen = []
for case, (operator, field, value) in cases.items():
    builder = FilterBuilder()
    getattr(builder, operator)(field, value)
    seen.append(builder.build())
    print(f"{case}: {seen[-1]}")
expected = [
    'equals(name,"SummerSale")',
    "any(name,['SummerSale','Fall'])",
    "any(name,['Summer',\"Fall's\"])",
    "equals(archived,true)",
    "any(archived,[True])",
]
sys.exit(None if seen == expected else "changed")
EOF
