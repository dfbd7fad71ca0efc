"""An OAuth consent whose answer comes back to this machine: a small server waits for whoever opens the address."""

from __future__ import annotations

import time
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cli.terminal.printing import EXIT_FAILED, say, stdout, stop
from cli.up.processes import LOOPBACK, require_free_port
from worker.accounts.credentials import Account
from worker.accounts.oauth import CONSENT_S, authorization_url, exchange

#: The path at which the answer arrives. Klaviyo accepts it only as one of the application's redirect URIs.
PATH = "/callback"

#: Seconds that a connection may stay silent.
READ_TIMEOUT_S = 2.0

PAGE = "<!doctype html><title>klaviyo-worker</title><p>{}</p>"


class Callback(HTTPServer):
    """Waits for the answer that has the right state."""

    def __init__(self, port: int, state: str) -> None:
        super().__init__((LOOPBACK, port), Handler)
        self.state = state
        self.answer: dict[str, str] = {}


class Handler(BaseHTTPRequestHandler):
    """Takes the answer, and confirms that to the person who has consented."""

    server: Callback
    # A browser may open a connection that it does not use, and only one at a time is listened to.
    timeout = READ_TIMEOUT_S

    def do_GET(self) -> None:
        """Take the answer if it is the awaited one."""
        asked = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(asked.query).items()}
        ours = asked.path == PATH and given.get("state") == self.server.state
        said = "Thank you. You can close this page." if ours else "Nobody has asked for this."
        body = PAGE.format(said).encode()
        self.send_response(200 if ours else 404)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if ours:
            self.server.answer = given

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing, as the address holds a code."""


def authorize_here(alias: str, scopes: list[str], port: int, browser: bool, other_account: bool = False) -> Account:
    """Ask someone to consent for an account, and wait until they have.

    Raises:
        Exit: nobody consented in time, or they declined.
        SettingsError: a setting is missing, or the consent came from another Klaviyo account than before, and that
            was not meant (``other_account``).

    """
    require_free_port(port, "--port")
    back = f"http://{LOOPBACK}:{port}{PATH}"
    address, state = authorization_url(alias, scopes, back)
    with Callback(port, state) as server:
        say(f"Open this address, signed in to the Klaviyo account that {alias} stands for. "
            f"{back} must be among the redirect URIs of your application.")  # fmt: skip
        stdout(soft_wrap=True).print(address)
        if browser:
            webbrowser.open(address)
        until = time.monotonic() + CONSENT_S
        while not server.answer and (left := until - time.monotonic()) > 0:
            server.timeout = left
            server.handle_request()
    if not server.answer:
        raise stop(f"Nobody consented within {CONSENT_S // 60} minutes.", EXIT_FAILED)
    if "code" not in server.answer:
        raise stop(f"Klaviyo sent no code ({server.answer.get('error', 'and no reason')}).", EXIT_FAILED)
    return exchange(server.answer["code"], state, other_account)
