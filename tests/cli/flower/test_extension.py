"""What our Flower does otherwise than Flower."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest
from tornado.httputil import HTTPHeaders
from tornado.web import RequestHandler

from cli.flower import extension
from cli.flower.extension import RETRY_PAUSE_S, SILENCE_S, Broker, Events, PageHandler, Pages, Route, templates_with


class Enough(BaseException):
    """The end of a test."""


@pytest.fixture
def slept(monkeypatch):
    found = []
    monkeypatch.setattr(extension, "time", SimpleNamespace(sleep=found.append))
    return found


def listening(*ends):
    events = Events.__new__(Events)
    ends = list(ends)

    def listen():
        raise ends.pop(0)

    events.listen = listen
    return events


def test_events_are_listened_for_as_often_however_long_redis_is_away(slept):
    with pytest.raises(Enough):
        listening(*[ConnectionError("away")] * 20, Enough()).run()

    assert slept == [RETRY_PAUSE_S] * 20


def test_a_connection_on_which_no_worker_is_heard_is_replaced_at_once(slept):
    with pytest.raises(Enough):
        listening(TimeoutError(), TimeoutError(), Enough()).run()

    assert slept == []


def test_events_are_waited_for_no_longer_than_a_silence_that_tells_something(monkeypatch):
    asked = {}

    class Receiver:
        def __init__(self, connection, handlers, app):
            asked["handlers"] = list(handlers)

        def capture(self, **how):
            asked.update(how)

    class Connection:
        __enter__ = __exit__ = lambda *_: None

    events = Events.__new__(Events)
    events.capp = SimpleNamespace(connection=Connection)
    monkeypatch.setattr(extension.flower.events, "EventReceiver", Receiver)

    events.listen()

    assert asked == {"handlers": ["*"], "limit": None, "timeout": SILENCE_S, "wakeup": True}


PAGES = Pages(
    "Klaviyo", "klaviyo", [Route("/klaviyo", RequestHandler, {}, "klaviyo")], {"our.html": "ours"}, lambda: None
)


def test_flowers_navigation_bar_has_our_entry_once_after_its_own():
    bar = templates_with(PAGES).dict["navbar.html"]

    assert bar.count("reverse_url('klaviyo')") == 1
    assert bar.index("reverse_url('broker')") < bar.index("reverse_url('klaviyo')") < bar.index("theme-toggle")


def test_flowers_page_of_tasks_has_a_filter_for_what_waits_and_our_style_and_script():
    page = templates_with(PAGES).dict["tasks.html"]

    assert page.index('data-task-state="WAITING"') < page.index('data-task-state="STARTED"')
    assert page.count("/static/tasks.css") == page.count("/static/tasks.js") == 1


def test_our_templates_stand_beside_all_of_flowers():
    known = templates_with(PAGES)

    assert known.load("our.html").generate() == b"ours"
    for name in ("base.html", "workers.html", "tasks.html", "broker.html", "404.html", "error.html"):
        assert known.load(name)


def test_the_broker_page_counts_what_waits_with_what_a_worker_can_take(monkeypatch, client):
    monkeypatch.setattr(extension, "count_waiting", lambda: Counter({"klaviyo.xs": 50_000}))
    monkeypatch.setattr(extension, "get_redis", lambda: client)
    client.lpush("klaviyo.xs", "a")
    client.lpush("klaviyo.xs\x06\x163", "b")
    client.lpush("celery", "c", "d")
    broker = Broker("redis://127.0.0.1:6379/0", broker_options={}, broker_use_ssl=False)

    found = asyncio.run(broker.queues(["klaviyo.xs", "celery"]))

    assert found == [
        {"name": "klaviyo.xs", "messages": 50_002, "messages_ready": 2},
        {"name": "celery", "messages": 2, "messages_ready": 2},
    ]


def test_no_other_site_may_read_our_pages_even_where_flowers_api_is_open(monkeypatch):
    monkeypatch.setenv("FLOWER_UNAUTHENTICATED_API", "true")
    page = PageHandler.__new__(PageHandler)
    page._headers = HTTPHeaders()
    page.application = SimpleNamespace(options=SimpleNamespace(basic_auth=None, auth=None))

    page.set_default_headers()

    assert page._headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in page._headers
