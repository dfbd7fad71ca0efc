"""The command over a real socket: it says where it listens, cuts, hangs, and ends at once when told to."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from sandbox.__main__ import arguments, make_server, milliseconds, seconds, url

HEADERS = {"Authorization": "Klaviyo-API-Key pk_sandbox_default", "revision": "2026-07-15"}
COUNTS = "/_sandbox/requests/counts"


@pytest.fixture(scope="module")
def process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--latency", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield running, running.stdout.readline().removeprefix("sandbox: ").strip()
        running.kill()


def stop_at_next_request(running: subprocess.Popen[str], address: str, arrived: int) -> None:
    """Terminate a sandbox once one more request has come in."""
    with httpx.Client(base_url=address, timeout=60) as client:
        while client.get(COUNTS).json()["requests"] == arrived:
            time.sleep(0.01)
    running.terminate()


def test_it_answers_cuts_and_hangs_and_ends_while_a_request_hangs(
    process: tuple[subprocess.Popen[str], str],
) -> None:
    running, address = process
    with httpx.Client(base_url=address, headers=HEADERS, timeout=60) as client:
        assert client.get("/api/lists").status_code == 200
        client.post("/_sandbox/faults", json={"fault": "reset"})
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            client.get("/api/lists")
        assert client.get("/api/lists").status_code == 200
        client.post("/_sandbox/faults", json={"fault": "hang", "times": None})
        with pytest.raises(httpx.ReadTimeout):
            client.get("/api/lists", timeout=0.3)
        arrived = client.get(COUNTS).json()["requests"]
        stopper = threading.Thread(target=stop_at_next_request, args=(running, address, arrived))
        stopper.start()
        # It is cut off by the end of the server, long before its own patience is over.
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            client.get("/api/lists")
        stopper.join(60)
        assert running.wait(timeout=60) in (0, -signal.SIGTERM)


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "http://127.0.0.1:8080"), ("::1", "http://[::1]:8080")])
def test_the_address_that_is_told_can_be_opened(host: str, address: str) -> None:
    assert url(host, 8080) == address


def test_a_time_on_the_command_line_is_a_number_or_a_range() -> None:
    assert (seconds("2"), seconds("1-5"), milliseconds("10-60")) == ((2, 2), (1, 5), (0.01, 0.06))


def test_an_idle_connection_is_open_for_longer_than_clients_use_it_again() -> None:
    assert make_server(arguments(["--port", "0"])).config.timeout_keep_alive > httpx.Limits().keepalive_expiry + 60


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_however_its_command_is_ended_no_server_stays_behind(stop: signal.Signals) -> None:
    command = [sys.executable, "-c", "from cli import main; main()", "sandbox", "--port", "0", "--latency", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        address = running.stdout.readline().removeprefix("sandbox: ").strip()
        running.send_signal(stop)
        assert running.wait(timeout=60) in (0, -stop)
        # Its end of the pipe is closed: nobody else has it.
        assert running.stdout.read() == ""
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/_sandbox/health", timeout=60)
