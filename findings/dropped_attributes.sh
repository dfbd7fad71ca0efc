#!/usr/bin/env bash
# Klaviyo's SDK leaves out what it does not know: a misspelt attribute is neither sent nor refused.
#
# With:      klaviyo-api 25.0.0, pydantic 2.14.4; an event whose `unique_id` is misspelt as `uniqueid`
# Guessed:   a body that is given as a dict goes out as it is, or is refused for what is wrong with it.
# Behaviour: the SDK makes its own models of the dict, which drop unknown keys at every level, and sends what is left,
#            with a default of its own. A missing or mistyped attribute is refused, an unknown one never.
# Seen:      given: metric, profile, properties, uniqueid
#            sent: backfill, metric, profile, properties
#            given of the profile: email, frist_name; sent: email
#            without its properties: ValidationError
# Matters:   the event is accepted with 202, without the key that keeps a second try from counting twice; a profile is
#            written without the field. An attribute newer than the installed SDK vanishes in the same way.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    klaviyo-api==25.0.0 pydantic==2.14.4 urllib3==2.8.0
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from klaviyo_api import KlaviyoAPI
from pydantic import ValidationError

bodies = []


class Accepting(BaseHTTPRequestHandler):
    def do_POST(self):
        bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Accepting)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = KlaviyoAPI("key", test_host=f"http://127.0.0.1:{server.server_port}")
attributes = {
    "uniqueid": "order 1",
    "properties": {},
    "metric": {"data": {"type": "metric", "attributes": {"name": "Ordered"}}},
    "profile": {"data": {"type": "profile", "attributes": {"email": "someone@example.com", "frist_name": "Some"}}},
}
client.Events.create_event({"data": {"type": "event", "attributes": attributes}})
sent = bodies[0]["data"]["attributes"]
profile = sent["profile"]["data"]["attributes"]
print("given:", ", ".join(sorted(attributes)))
print("sent:", ", ".join(sorted(sent)))
print("given of the profile: email, frist_name; sent:", ", ".join(profile))
del attributes["properties"]
refused = False
try:
    client.Events.create_event({"data": {"type": "event", "attributes": attributes}})
except ValidationError as error:
    refused = True
    print("without its properties:", type(error).__name__)
expected = ["backfill", "metric", "profile", "properties"]
sys.exit(None if sorted(sent) == expected and list(profile) == ["email"] and refused else "changed")
EOF
