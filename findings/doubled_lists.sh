#!/usr/bin/env bash
# Klaviyo's SDK sends a write again after 504: one call makes two lists, and returns the second as if it were the only one.
#
# With:      klaviyo-api 25.0.0, urllib3 2.8.0; in Klaviyo's place a server that makes a list, but whose answer is lost
# Guessed:   a write is sent again after 429, which says that it was not carried out, and after nothing else.
# Behaviour: 504 and 524 are retried as 429 is, whatever the method. They say that a gateway no longer waited for the
#            answer, which tells nothing of the call. After a connection that closes early a write is not sent again.
# Seen:      create_list, answered with 504: 2 lists made, the caller is given LIST2
#            create_list, the connection closed: 1 list made, the caller is raised ProtocolError
# Matters:   a list, or an event without unique_id, is doubled without a word, on a day when Klaviyo is slow. Writes need
#            max_retries=1, and callers then have to repeat by themselves what was throttled.
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
from openapi_client.api_arg_options import USE_DICTIONARY_FOR_RESPONSE_DATA

LIST = {"data": {"type": "list", "attributes": {"name": "name"}}}
lists = []


class Klaviyo(BaseHTTPRequestHandler):
    first = 504  # what comes of the first list's answer

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        lists.append(f"LIST{len(lists) + 1}")
        if len(lists) == 1 and self.first is None:
            self.close_connection = True
            return
        body = json.dumps({"data": {"type": "list", "id": lists[-1]}}).encode()
        self.send_response(201 if len(lists) > 1 else self.first)
        self.send_header("Content-Type", "application/vnd.api+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Klaviyo)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = KlaviyoAPI(
    "key",
    test_host=f"http://127.0.0.1:{server.server_port}",
    options={USE_DICTIONARY_FOR_RESPONSE_DATA: True},
)
seen = []
for case, Klaviyo.first in (("answered with 504", 504), ("the connection closed", None)):
    lists.clear()
    try:
        told = "given " + client.Lists.create_list(LIST)["data"]["id"]
    except Exception as error:
        told = "raised " + type(error).__name__
    seen.append((len(lists), told))
    made = "1 list" if len(lists) == 1 else f"{len(lists)} lists"
    print(f"create_list, {case}: {made} made, the caller is {told}")
sys.exit(None if seen == [(2, "given LIST2"), (1, "raised ProtocolError")] else "changed")
EOF
