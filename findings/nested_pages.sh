#!/usr/bin/env bash
# jsonapi-client reads no thousand pages, but ends with RecursionError; at an empty page it ends as if all were read.
#
# With:      jsonapi-client 0.9.10, requests 2.34.2; a server that pages as Klaviyo does, with a profile on each page
# Guessed:   iterate() follows links.next until there is none.
# Behaviour: each page reads the next one from within its own generator, so that page n hangs in n generators, up to
#            Python's limit of recursion; all pages are kept. A page without records ends the iteration, whatever its
#            links.next says.
# Seen:      100 pages: 100 profiles
#            1100 pages: 970 profiles, then RecursionError
#            100 pages, the third of them empty: 2 profiles
# Matters:   an export of profiles works in tests and in each small account. With 20 on a page it fails in every account
#            of 20,000, each time after the same thousand requests. JSON:API allows an empty page before the last, as a
#            filter makes it that is applied after paging: there, the rest is lost without a word. Fetch the pages in a
#            loop of your own, by links.next.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    jsonapi-client==0.9.10 requests==2.34.2
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import http.server, json, sys, threading, urllib.parse

from jsonapi_client import Session


class Klaviyo(http.server.BaseHTTPRequestHandler):
    """Answer /PAGES/EMPTY/profiles?page[cursor]=NUMBER: a profile on each page but the empty one."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        _, pages, empty, _ = path.split("/")
        page = int(dict(urllib.parse.parse_qsl(query)).get("page[cursor]", 1))
        url = f"http://127.0.0.1:{self.server.server_port}{path}"
        profile = {"type": "profile", "id": str(page), "attributes": {"email": "ada@example.com"}}
        more = page < int(pages)
        document = {
            "data": [] if page == int(empty) else [profile],
            "links": {"self": url, "next": f"{url}?page%5Bcursor%5D={page + 1}" if more else None},
        }
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.api+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Klaviyo)
threading.Thread(target=server.serve_forever, daemon=True).start()


def read(pages, empty=0):
    """How many profiles are read, and what ends it."""
    profiles = 0
    try:
        with Session(f"http://127.0.0.1:{server.server_port}/{pages}/{empty}") as session:
            for _ in session.iterate("profiles"):
                profiles += 1
    except RecursionError as error:
        return profiles, type(error).__name__
    return profiles, None


few, many, gap = read(100), read(1100), read(100, empty=3)
print(f"100 pages: {few[0]} profiles")
print(f"1100 pages: {many[0]} profiles, then {many[1]}")
print(f"100 pages, the third of them empty: {gap[0]} profiles")
found = (few, many[0] < 1000, many[1], gap)
sys.exit(None if found == ((100, None), True, "RecursionError", (2, None)) else "changed")
EOF
