"""The addresses of the Klaviyo pages, as people type them."""

import asyncio

import httpx
import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, url

from cli.dashboard.handlers import pages


def ask(path):
    """Ask a server that has these pages alone, and follow no redirect."""

    async def once():
        application = Application(
            [url(each.pattern, each.handler, each.arguments, each.name) for each in pages().routes]
        )
        listening, port = bind_unused_port()
        server = HTTPServer(application)
        server.add_socket(listening)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            answer = await client.get(path)
        server.stop()
        return answer

    return asyncio.run(once())


@pytest.mark.parametrize(
    ("typed", "page"),
    [
        ("/klaviyo/", "/klaviyo"),
        ("/klaviyo/limits/?search=eu%3A", "/klaviyo/limits?search=eu%3A"),
        ("/klaviyo/jobs/a%2Fb/", "/klaviyo/jobs/a%2Fb"),
        ("/klaviyo/waiting/default:create_event//", "/klaviyo/waiting/default:create_event"),
    ],
)
def test_an_address_that_ends_in_a_slash_leads_to_its_page(typed, page):
    answer = ask(typed)

    assert (answer.status_code, answer.headers.get("location")) == (301, page)


def test_a_folder_of_files_that_pages_use_is_not_listed():
    assert ask("/klaviyo/static/").status_code in (403, 404)
