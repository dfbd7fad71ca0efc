#!/usr/bin/env bash
# A package named httpx2, once anything installs it, takes authlib's clients for httpx away from httpx, and nobody says so.
#
# With:      authlib 1.9.10, httpx 0.28.1, httpx2 2.16.2 in the second environment only; the same code in both
# Guessed:   authlib.integrations.httpx_client stands on httpx, whatever else is installed.
# Behaviour: it imports httpx2 first, and httpx only where that is missing. Clients, errors and the signing of requests
#            are then of another package. They look alike, but an error of one is no error of the other, and httpx
#            refuses what authlib signs requests with. Only who has no httpx2 is told, by a warning of deprecation.
# Seen:      without httpx2: a refused connection is an httpx.TransportError: True; httpx takes OAuth2Auth: True
#            with httpx2: a refused connection is an httpx.TransportError: False; httpx takes OAuth2Auth: False
# Matters:   an `except httpx.HTTPError` that retried while the provider was away lets the error through from then on.
#            Starlette's test client asks for httpx2: tests can run on one package and production on the other.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target one \
    authlib==1.9.10 httpx==0.28.1
python3 -m pip install -qq --disable-pip-version-check --target two httpx2==2.16.2
cat > asking.py <<'EOF'
import socket

import httpx
from authlib.integrations.httpx_client import OAuth2Auth, OAuth2Client

TOKEN = {"access_token": "token", "token_type": "Bearer"}
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
try:
    OAuth2Client("id", "secret", token=TOKEN).get(f"http://127.0.0.1:{port}/")
    raise SystemExit("answered")
except Exception as error:
    known = isinstance(error, httpx.TransportError)
try:
    taken = bool(httpx.Client(auth=OAuth2Auth(TOKEN)))
except TypeError:
    taken = False
print(f"a refused connection is an httpx.TransportError: {known}; httpx takes OAuth2Auth: {taken}")
EOF
# -S leaves out what this Python has installed.
first=$(PYTHONPATH=one python3 -S asking.py 2>warnings)
second=$(PYTHONPATH=one:two python3 -S asking.py 2>warnings)
echo "without httpx2: $first"
echo "with httpx2: $second"
like() { echo "a refused connection is an httpx.TransportError: $1; httpx takes OAuth2Auth: $1"; }
[ "$first" = "$(like True)" ] && [ "$second" = "$(like False)" ] || { echo changed; exit 1; }
