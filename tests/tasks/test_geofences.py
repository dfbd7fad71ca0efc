"""A place is a person's data: it travels in a header, not in an address that proxies log."""

from __future__ import annotations

import httpx

from tasks.client import get_client_geofences
from worker.accounts.credentials import Account
from worker.http_client import make_client, send
from worker.settings import Settings

NEAR = "and(equals(lat,40.7128),equals(lng,-74.0060))"


def test_the_filter_of_the_geofences_is_a_header():
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"data": []})

    declaration = get_client_geofences.declaration
    request = declaration.request(declaration.bind({"filter": NEAR, "page_size": 5}))
    client = make_client(Settings(_env_file=None), httpx.MockTransport(answer))

    send(client, Account("default", None, "ABC123"), "get_client_geofences", request)

    assert seen[0].headers["X-Klaviyo-API-Filters"] == NEAR
    assert dict(seen[0].url.params) == {"page[size]": "5", "company_id": "ABC123"}


def test_without_a_filter_there_is_no_header():
    declaration = get_client_geofences.declaration

    assert declaration.request(declaration.bind({"filter": None})).headers == {}
