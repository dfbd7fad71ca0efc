#!/usr/bin/env bash
# The bookmarks of Singer's tap for Klaviyo end in Z, but are in the time of the machine's zone.
#
# With:      tap-klaviyo 1.1.5, singer-python 6.7.0; a server in Klaviyo's place that has one event
# Guessed:   a bookmark such as 2026-10-26T07:33:19Z means the same on every machine.
# Behaviour: the tap writes the second before the last event in local time, and reads start_date and bookmarks as local
#            time. That cancels out while the zone stays as it is, except in the hour that clocks repeat in autumn: what
#            was written in the first of the two is read as a time in the second.
# Seen:      the last event is of 00:30:00 UTC, 02:30:00 in Berlin; bookmark: 2026-10-25T02:29:59Z
#            the next run in Berlin asks for events from 01:29:59 UTC
#            the next run on a machine in UTC asks for events from 02:29:59 UTC
# Matters:   the events in between are never read, and nothing tells of it. Moving a tap from a laptop into a container,
#            which is in UTC, loses as many hours as the laptop is ahead, from the start_date as well.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib tap-klaviyo==1.1.5 setuptools==80.9.0
export PYTHONPATH="$dir/lib"
cat > run.py <<'EOF'
import json, re, sys, threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import tap_klaviyo

AT = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp())
METRIC = {"type": "metric", "id": "METRIC", "attributes": {"name": "Opened Email"}}
EVENT = {"type": "event", "id": "EVENT", "attributes": {"timestamp": AT, "event_properties": {}}, "relationships": {}}
asked = []


class Klaviyo(BaseHTTPRequestHandler):
    def do_GET(self):
        target = urlsplit(self.path)
        if target.path == "/events":
            asked.append(int(re.search(r"timestamp,(\d+)", parse_qs(target.query)["filter"][0])[1]))
        data = {"/metrics": [METRIC], "/events": [EVENT]}[target.path]
        body = json.dumps({"data": data, "links": {"next": None}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Klaviyo)
threading.Thread(target=server.serve_forever, daemon=True).start()
for name in ("metrics", "events"):
    tap_klaviyo.ENDPOINTS[name] = f"http://127.0.0.1:{server.server_port}/{name}"
catalog = tap_klaviyo.discover({})
catalog["streams"] = [stream for stream in catalog["streams"] if stream["stream"] == "open"]
catalog["streams"][0]["metadata"].append({"breadcrumb": [], "metadata": {"selected": True}})
with open("catalog.json", "w") as file:
    json.dump(catalog, file)
tap_klaviyo.main()  # it reads its command line; messages go to the standard output
print(f"{datetime.fromtimestamp(asked[0], UTC):%H:%M:%S}", file=open("asked", "w"))
EOF
echo '{"api_key": "key", "start_date": "2026-10-01T00:00:00Z"}' > config.json
run() { TZ=$1 python3 run.py --config config.json --catalog catalog.json "${@:2}" 2>>log; }
echo '{"streams": []}' > catalog.json
run Europe/Berlin | sed -n 's/^{"type": "STATE", "value": \(.*\)}$/\1/p' | tail -n 1 > state.json
bookmark=$(grep -o '[0-9T:-]*Z' state.json)
echo "the last event is of 00:30:00 UTC, 02:30:00 in Berlin; bookmark: $bookmark"
run Europe/Berlin --state state.json >/dev/null
berlin=$(cat asked)
echo "the next run in Berlin asks for events from $berlin UTC"
run UTC --state state.json >/dev/null
utc=$(cat asked)
echo "the next run on a machine in UTC asks for events from $utc UTC"
[ "$bookmark $berlin $utc" = "2026-10-25T02:29:59Z 01:29:59 02:29:59" ] || { echo changed; exit 1; }
