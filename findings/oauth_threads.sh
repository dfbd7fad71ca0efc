#!/usr/bin/env bash
# authlib's client for httpx sends a built request without its token, and refreshes an old token once for each thread.
#
# With:      authlib 1.9.10, httpx 0.28.1
# Guessed:   whatever way httpx sends a request, the client signs it; of several threads one refreshes, and others wait.
# Behaviour: the token is added in request(), get() and stream(), not in send(), to which httpx leaves it. The client
#            for asyncio has a lock around the refresh, that for threads has none.
# Seen:      get: Bearer one; stream: Bearer one; send(build_request): None
#            5 threads with an old token: 5 refreshes, with 1 refresh token
# Matters:   code that keeps requests to send them again sends them without a token. Where a provider takes a refresh
#            token once only, all threads but one are refused.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    authlib==1.9.10 httpx==0.28.1
export PYTHONPATH="$dir/lib"
python3 -W ignore - <<'EOF'
import json, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from authlib.integrations.httpx_client import OAuth2Client

NEW = {"access_token": "two", "refresh_token": "second", "token_type": "Bearer", "expires_in": 3600}
refreshes, signed = [], []


class Provider(BaseHTTPRequestHandler):
    def answer(self, answer):
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        signed.append(self.headers["Authorization"])
        self.answer({})

    def do_POST(self):
        refreshes.append(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(1)  # as long as all threads need to come here
        self.answer(NEW)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def client(seconds):
    token = {**NEW, "access_token": "one", "refresh_token": "first", "expires_at": time.time() + seconds}
    return OAuth2Client("id", "secret", token=token, token_endpoint=url)


fresh = client(3600)
fresh.get(url)
with fresh.stream("GET", url):
    pass
fresh.send(fresh.build_request("GET", url))
print("get: {}; stream: {}; send(build_request): {}".format(*signed))
old = client(-1)
threads = [threading.Thread(target=old.get, args=(url,)) for _ in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"5 threads with an old token: {len(refreshes)} refreshes, with {len(set(refreshes))} refresh token")
expected = (["Bearer one", "Bearer one", None], 1)
sys.exit(None if (signed[:3], len(set(refreshes))) == expected and len(refreshes) > 1 else "changed")
EOF
