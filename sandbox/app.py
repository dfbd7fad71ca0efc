"""The ASGI application: the side door, the OAuth endpoints, and the dispatcher of Klaviyo's operations."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from sandbox.config import Config
from sandbox.door import routes as sidedoor
from sandbox.front import oauth
from sandbox.front.dispatcher import Dispatcher
from sandbox.world import World


def create_app(config: Config | None = None) -> Starlette:
    """A new sandbox, with its state in `app.state.world`."""
    world = World(config or Config())

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        advancing = asyncio.create_task(world.advance_jobs())
        yield
        advancing.cancel()
        world.stop()

    app = Starlette(
        routes=[
            Mount("/_sandbox", routes=sidedoor.routes(world)),
            Route("/oauth/authorize", oauth.Authorize(world), methods=["GET"]),
            Route("/oauth/token", oauth.token(world), methods=["POST"]),
            Route("/oauth/revoke", oauth.revoke(world), methods=["POST"]),
            Mount("/", app=Dispatcher(world)),
        ],
        lifespan=lifespan,
    )
    app.state.world = world
    return app
