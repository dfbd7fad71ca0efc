#!/usr/bin/env bash
# A customers file that Excel has written in Western Europe is read by charset-normalizer as one from Prague, or from HP-UX.
#
# With:      charset-normalizer 3.5.3
# Guessed:   of the encodings of one byte, the one that letters of the file's own language come out of is the best.
# Behaviour: cp1250 comes before cp1252 where both can decode all bytes, and å, ø, ñ and ã of cp1252 are letters of cp1250,
#            too. More rows do not help; with some letters they lead to an encoding that nobody has used for decades.
# Seen:      Åsa Öberg, Malmö: 1 row: Ĺsa Öberg, Malmö (cp1250); 200 rows: ésa øberg, Malm— (hp_roman8)
#            Søren, Århus: 1 row: Sřren, Ĺrhus (cp1250); 200 rows: Sřren, Ĺrhus (cp1250)
#            Peña, Córdoba: 1 row: Peńa, Córdoba (cp1250); 200 rows: Peńa, Córdoba (cp1250)
#            João, São Paulo: 1 row: Jo緌, S緌 Paulo (big5); 200 rows: Joăo, Săo Paulo (cp1250)
# Matters:   the names of people go into profiles and e-mails wrong, and no error says so. Choose among the encodings that
#            the file's readers can have used, by whether words come out; show the choice, and let it be overruled.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    charset-normalizer==3.5.3
export PYTHONPATH="$dir/lib" PYTHONIOENCODING=utf-8
python3 - <<'EOF'
import sys

from charset_normalizer import from_bytes

FILES = {
    "first,last,city\nÅsa,Öberg,Malmö\n": [("cp1250", "Ĺsa,Öberg,Malmö"), ("hp_roman8", "ésa,øberg,Malm—")],
    "navn,by\nSøren,Århus\nKåre,Tromsø\n": [("cp1250", "Sřren,Ĺrhus"), ("cp1250", "Sřren,Ĺrhus")],
    "nombre,ciudad\nPeña,Córdoba\nMuñoz,Málaga\n": [("cp1250", "Peńa,Córdoba"), ("cp1250", "Peńa,Córdoba")],
    "nome,cidade\nJoão,São Paulo\n": [("big5", "Jo緌,S緌 Paulo"), ("cp1250", "Joăo,Săo Paulo")],
}
changed = False
for file, expected in FILES.items():
    header, _, rows = file.partition("\n")
    seen = []
    for times in (1, 200):
        content = f"{header}\n{rows * times}".encode("cp1252")
        encoding = from_bytes(content).best().encoding
        seen.append((encoding, content.decode(encoding).split("\n")[1]))
    changed = changed or seen != expected
    print(f"{rows.partition(chr(10))[0]}: 1 time: {seen[0]}, 200 times: {seen[1]}")
sys.exit("changed" if changed else None)
EOF
