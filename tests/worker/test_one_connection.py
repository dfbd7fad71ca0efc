"""A connection to a server that answers, hangs up, and breaks: it is used again while it is good, and only then."""

import gzip
import socket
import ssl
import threading

import httpx
import pytest

from tests.ports import free_port
from worker.one_connection import OneConnection

GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
_packed = gzip.compress(b"ok")
PACKED = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(_packed) + _packed


class Server:
    """Gives each request on its connections the next of these answers; None: it hangs up instead."""

    def __init__(self, answers):
        self.answers, self.connections, self.requests = list(answers), 0, []
        self.hung_up = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/api"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while self.answers:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                while self.answers and (request := connection.recv(65_536)):
                    while b"\r\n\r\n" not in request:
                        request += connection.recv(65_536)
                    self.requests.append(request)
                    answer = self.answers.pop(0)
                    if answer is None:
                        break
                    connection.sendall(answer)
                    if answer is LAST or (self.answers and self.answers[0] == "gone"):
                        self.answers = [each for each in self.answers if each != "gone"]
                        break
            self.hung_up.set()


@pytest.fixture
def serve():
    servers = []

    def begin(*answers):
        servers.append(Server(answers))
        return servers[-1]

    yield begin
    for each in servers:
        each.socket.close()


@pytest.fixture
def connection():
    made = OneConnection(ssl.create_default_context(), 4.0)
    yield made
    made.close()


def get(connection, url):
    request = httpx.Request("GET", url, extensions={"timeout": {"connect": 5, "read": 5, "write": 5, "pool": 5}})
    response = connection.handle_request(request)
    response.read()
    return response


def test_requests_share_a_connection(serve, connection):
    server = serve(GOOD, GOOD)

    assert [get(connection, server.url).content for _ in range(2)] == [b"ok", b"ok"]

    assert server.connections == 1


def test_a_server_that_says_it_hangs_up_is_connected_to_anew(serve, connection):
    server = serve(LAST, GOOD)

    assert [get(connection, server.url).content for _ in range(2)] == [b"ok", b"ok"]

    assert server.connections == 2


def test_a_connection_that_was_closed_while_it_was_idle_is_not_used_again(serve, connection):
    server = serve(GOOD, "gone", GOOD)
    get(connection, server.url)
    assert server.hung_up.wait(60)

    assert get(connection, server.url).content == b"ok"

    assert server.connections == 2


def test_a_connection_that_was_idle_for_long_is_not_used_again(serve):
    server = serve(GOOD, GOOD)
    connection = OneConnection(ssl.create_default_context(), 0.0)

    assert [get(connection, server.url).content for _ in range(2)] == [b"ok", b"ok"]

    assert server.connections == 2
    connection.close()


def test_after_a_lost_answer_the_next_request_has_a_new_connection(serve, connection):
    server = serve(None, GOOD)

    with pytest.raises(httpx.RemoteProtocolError):
        get(connection, server.url)

    assert get(connection, server.url).content == b"ok"


def test_after_a_refused_connection_the_next_is_tried(serve, connection):
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(httpx.ConnectError):
        get(connection, nobody)
    with pytest.raises(httpx.ConnectError):
        get(connection, nobody)

    assert get(connection, serve(GOOD).url).content == b"ok"


def test_an_answer_that_does_not_come_is_a_timeout(connection):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        request = httpx.Request(
            "GET", f"http://127.0.0.1:{silent.getsockname()[1]}", extensions={"timeout": {"connect": 5, "read": 0.01}}
        )

        with pytest.raises(httpx.ReadTimeout):
            connection.handle_request(request)


def test_a_request_that_http_has_no_form_for_is_told_as_that(serve, connection):
    request = httpx.Request("GET", serve(GOOD).url, headers={"authorization": "a key\nof two lines"})

    with pytest.raises(httpx.LocalProtocolError):
        connection.handle_request(request)


def test_an_answer_in_parts_is_read_whole(serve, connection):
    parts = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"

    assert get(connection, serve(parts).url).content == b"ok"


def test_an_answer_that_is_packed_is_read_unpacked(serve, connection):
    assert get(connection, serve(PACKED).url).content == b"ok"
