#!/usr/bin/env bash
# Singer's tap for Klaviyo gives a throttled request three seconds, whatever Klaviyo says, and then gives the sync up.
#
# With:      tap-klaviyo 1.1.5, singer-python 6.7.0; in Klaviyo's place a server that throttles the second page
# Guessed:   the tap waits as long as Retry-After says, or else tries on until the limit of the minute has passed.
# Behaviour: it asks three times within three seconds, does not look at Retry-After, and ends with the third 429. A
#            stream without a bookmark, such as that of the suppressed profiles, begins at its first page the next time.
# Seen:      the second page gets 429 with Retry-After: 30
#            first run: page 1, page 2, page 2, page 2; KlaviyoRateLimitError in less than 5 s: True
#            second run: page 1, page 2, page 2, page 2; KlaviyoRateLimitError in less than 5 s: True
# Matters:   it asks for these profiles with predictive analytics, of which an account gets 150 pages a minute. Beside
#            another reader the stream may never end, and each run spends the account's requests on the same pages.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib tap-klaviyo==1.1.5 setuptools==80.9.0
export PYTHONPATH="$dir/lib"
echo '{"api_key": "key", "start_date": "2026-10-01T00:00:00Z"}' > config.json
python3 - <<'EOF' 2>log || { echo changed; exit 1; }
import json, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import tap_klaviyo

PROFILE = {"type": "profile", "id": "PROFILE", "attributes": {"email": "someone@example.com"}, "relationships": {}}
asked = []


class Klaviyo(BaseHTTPRequestHandler):
    def do_GET(self):
        second = "cursor" in parse_qs(urlsplit(self.path).query)
        asked.append("page 2" if second else "page 1")
        answer = {"data": [PROFILE], "links": {"next": f"{tap_klaviyo.ENDPOINTS['global_exclusions']}?cursor=2"}}
        body = json.dumps({"errors": [{"code": "throttled"}]} if second else answer).encode()
        self.send_response(429 if second else 200)
        if second:
            self.send_header("Retry-After", "30")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Klaviyo)
threading.Thread(target=server.serve_forever, daemon=True).start()
tap_klaviyo.ENDPOINTS["global_exclusions"] = f"http://127.0.0.1:{server.server_port}/profiles"
entry = tap_klaviyo.GLOBAL_EXCLUSIONS.to_catalog_dict()
entry["metadata"].append({"breadcrumb": [], "metadata": {"selected": True}})
with open("catalog.json", "w") as file:
    json.dump({"streams": [entry]}, file)
sys.argv = ["tap-klaviyo", "--config", "config.json", "--catalog", "catalog.json"]
messages, sys.stdout = sys.stdout, open("messages", "w")
print("the second page gets 429 with Retry-After: 30", file=messages)
seen = []
for run in ("first", "second"):
    asked.clear()
    start = time.monotonic()
    try:
        tap_klaviyo.main()
        end = "no error"
    except Exception as error:
        end = type(error).__name__
    seen.append((list(asked), end, time.monotonic() - start < 5))
    print(f"{run} run: {', '.join(asked)}; {end} in less than 5 s: {seen[-1][2]}", file=messages)
sys.exit(seen != [(["page 1"] + ["page 2"] * 3, "KlaviyoRateLimitError", True)] * 2)
EOF
