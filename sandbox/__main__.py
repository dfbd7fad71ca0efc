"""The command: `python -m sandbox --port 8080`."""

import argparse
import contextlib
import socket

import uvicorn

from sandbox.app import create_app
from sandbox.config import Config
from sandbox.front.connection import Protocol
from sandbox.world import World

KEEP_ALIVE_S = 75
"""How long an idle connection stays open: longer than a client uses it again. uvicorn would close it after as many
seconds as httpx keeps it, just as a request is on its way now and then."""


class Server(uvicorn.Server):
    """uvicorn's server; it announces its address, and wakes hanging requests before it stops."""

    def __init__(self, config: uvicorn.Config, world: World) -> None:
        super().__init__(config)
        self._world = world

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and print the address: the line that tells a script that it can begin."""
        await super().startup(sockets)
        for server in self.servers:
            host, port = server.sockets[0].getsockname()[:2]
            print(f"sandbox: {url(host, port)}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wake hanging requests, then stop as usual."""
        self._world.stop()
        await super().shutdown(sockets)


def url(host: str, port: int) -> str:
    """The address of a server that listens there."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def seconds(text: str) -> tuple[float, float]:
    """A range of seconds, "1-5", or a number of them, "2"."""
    low, _, high = text.partition("-")
    return float(low), float(high or low)


def milliseconds(text: str) -> tuple[float, float]:
    """A range of milliseconds, "10-60", in seconds."""
    low, high = seconds(text)
    return low / 1000, high / 1000


def arguments(line: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A local Klaviyo.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0 picks a free one")
    parser.add_argument("--latency", type=milliseconds, default="10-60", help="milliseconds each way: 20, or 10-60")
    parser.add_argument("--seed", type=int, default=0, help="seed for window phases, ids and latency")
    parser.add_argument("--job-seconds", type=seconds, default="1", help="seconds that a job takes: 2, or 1-5")
    parser.add_argument("--log-level", default="warning", choices=["debug", "info", "warning", "error"])
    return parser.parse_args(line)


def make_server(given: argparse.Namespace) -> Server:
    """The server as it was asked for."""
    app = create_app(Config(seed=given.seed, latency=given.latency, job_seconds=given.job_seconds))
    config = uvicorn.Config(
        app,
        host=given.host,
        port=given.port,
        http=Protocol,
        log_level=given.log_level,
        access_log=given.log_level == "debug",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
        server_header=False,
        date_header=True,
    )
    return Server(config, app.state.world)


def main() -> None:
    """Serve until told to stop."""
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again once it has stopped
        make_server(arguments()).run()


if __name__ == "__main__":
    main()
