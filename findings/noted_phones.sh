#!/usr/bin/env bash
# What stands behind a phone number becomes part of it: phonenumbers dials the word "neu", and the ".0" of a float.
#
# With:      phonenumbers 9.0.43; numbers of the block that Berlin keeps free for fiction, and the region DE
# Guessed:   a cell that holds more than a number is refused, or the number in it is found; is_valid_number() tells.
# Behaviour: parse() takes three letters or more for the keys of a telephone, and leaves out dots, slashes and brackets.
#            Where a country's numbers have more than one length, the longer one is valid too.
# Seen:      030 23125012        +493023125012      valid
#            030 23125012 neu    +493023125012638   valid
#            030 23125012 (Fax)  +493023125012329   valid
#            030 23125012/13     +49302312501213    valid
#            493023125012.0      +4930231250120     valid
#            (212) 555-0123 old  +12125550123653    not valid
# Matters:   an import of a shop's customers writes to somebody else, and the check that should stop it says valid. The
#            last but one is how pandas writes a column of numbers that has a gap. Letters, slashes and dots have to be
#            refused before parse(). A test with American numbers shows nothing: they have one length.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    phonenumbers==9.0.43
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import sys

import phonenumbers

CELLS = [
    ("030 23125012", "DE"),
    ("030 23125012 neu", "DE"),
    ("030 23125012 (Fax)", "DE"),
    ("030 23125012/13", "DE"),
    ("493023125012.0", "DE"),
    ("(212) 555-0123 old", "US"),
]
seen = []
for cell, region in CELLS:
    try:
        number = phonenumbers.parse(cell, region)
    except phonenumbers.NumberParseException:
        seen.append(("", "not a phone number"))
    else:
        written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        seen.append((written, "valid" if phonenumbers.is_valid_number(number) else "not valid"))
    print(f"{cell:<19} {seen[-1][0]:<18} {seen[-1][1]}")
expected = [
    ("+493023125012", "valid"),
    ("+493023125012638", "valid"),
    ("+493023125012329", "valid"),
    ("+49302312501213", "valid"),
    ("+4930231250120", "valid"),
    ("+12125550123653", "not valid"),
]
sys.exit(None if seen == expected else "changed")
EOF
