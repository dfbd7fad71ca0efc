"""Requests of the live tests to the programs that they have started."""

from __future__ import annotations

import functools
from typing import Any

import httpx


@functools.cache
def _client() -> httpx.Client:
    # It keeps no connection: the program at its other end may be another one at the next request.
    return httpx.Client(timeout=60, limits=httpx.Limits(max_keepalive_connections=0))


def get(url: str, **params: Any) -> httpx.Response:
    """GET, by one client for all: making one reads every certificate there is, which takes longer than most answers."""
    return _client().get(url, params=params or None)
