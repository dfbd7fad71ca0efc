#!/usr/bin/env bash
# While Klaviyo refuses with 429, its SDK sends a read four times as often as a write, and as its arguments say.
#
# With:      klaviyo-api 25.0.0, urllib3 2.8.0
# Guessed:   max_retries is how often a call is sent, whatever its method, and 1 turns the retries off.
# Behaviour: urllib3 below the SDK repeats what it may repeat, GET and DELETE, three times more whenever an answer of
#            429 or 503 names Retry-After. It waits that long each time, and only then shows the SDK the answer.
# Seen:      each answer is 429 with Retry-After: 1
#            max_retries=1: GET 4 requests in 4 s, DELETE 4 in 3 s, POST 1 in 0 s
#            max_retries=3: GET 12 in 11 s, POST 3 in 3 s (the times vary)
# Matters:   with the minute's limit used up, and Retry-After at 60, one read holds its thread for eleven minutes, where
#            a write takes two. No argument of KlaviyoAPI changes that; its connection pool has to be given retries=0.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    klaviyo-api==25.0.0 pydantic==2.14.4 urllib3==2.8.0
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from klaviyo_api import KlaviyoAPI
from openapi_client.exceptions import ApiException

requests = []


class Throttling(BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        requests.append(self.command)
        self.send_response(429)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Throttling)
threading.Thread(target=server.serve_forever, daemon=True).start()
webhook = {"data": {"type": "webhook", "attributes": {"name": "name", "endpoint_url": "url", "secret_key": "key"}}}
webhook["data"]["relationships"] = {"webhook-topics": {"data": []}}
calls = {
    "GET": lambda client: client.Webhooks.get_webhooks(),
    "DELETE": lambda client: client.Webhooks.delete_webhook("id"),
    "POST": lambda client: client.Webhooks.create_webhook(webhook),
}
seen = []
for limit, methods in ((1, calls), (3, ("GET", "POST"))):
    for method in methods:
        requests.clear()
        start = time.monotonic()
        try:
            calls[method](KlaviyoAPI("key", max_retries=limit, test_host=f"http://127.0.0.1:{server.server_port}"))
        except ApiException as error:
            seen.append((error.status, len(requests)))
            print(f"max_retries={limit}: {method} {len(requests)} requests in {time.monotonic() - start:.0f} s")
sys.exit(None if seen == [(429, 4), (429, 4), (429, 1), (429, 12), (429, 3)] else "changed")
EOF
