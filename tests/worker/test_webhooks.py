"""A webhook is accepted if Klaviyo has sent it, lately, and each of its events is handled once."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
import redis

from tests.worker.webhook_requests import NOW, SECRET, body_of, event, headers_of
from worker import webhooks
from worker.errors import SettingsError, WebhookInProgress, WebhookRefused
from worker.webhooks import HANDLING_S, REMEMBERED_S, new_events, verify_webhook

BODY = body_of(event("e-1"), event("e-2"))


def verify(headers, body=BODY, secret=SECRET, now=NOW, **options):
    return verify_webhook(headers, body, secret, clock=lambda: now, **options)


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_a_genuine_request_holds_its_events():
    delivery = verify(headers_of(BODY))

    assert (delivery.webhook_id, delivery.account_id) == ("01KP4928", "WBhXHN")
    assert [(each.id, each.topic) for each in delivery.events] == [
        ("e-1", "event:klaviyo.opened_email"),
        ("e-2", "event:klaviyo.opened_email"),
    ]
    assert delivery.events[0].payload["data"]["id"] == "e-1"


def test_the_case_of_headers_and_of_the_signature_is_no_matter():
    headers = {name.lower(): value.upper() if "Sig" in name else value for name, value in headers_of(BODY).items()}

    assert verify(headers)


@pytest.mark.parametrize("secret", [SECRET, [SECRET, "another-secret-16"], ("another-secret-16", SECRET)])
def test_while_a_secret_is_replaced_both_are_good(secret):
    assert verify(headers_of(BODY), secret=secret)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (headers_of(BODY, secret="another-secret-16"), BODY),
        (headers_of(BODY), BODY + b" "),
        (headers_of(BODY) | {"Klaviyo-Timestamp": formatdate(NOW + 1, usegmt=True)}, BODY),
        (headers_of(BODY) | {"Klaviyo-Signature": "é" * 64}, BODY),
        ({name: value for name, value in headers_of(BODY).items() if name != "Klaviyo-Signature"}, BODY),
        ({}, BODY),
    ],
    ids=["another secret", "another body", "another time", "no hex", "no signature", "no headers"],
)
def test_a_request_that_klaviyo_has_not_signed_is_refused(headers, body):
    with pytest.raises(WebhookRefused, match="its signature is missing or was not made with this secret"):
        verify(headers, body)


@pytest.mark.parametrize("secret", ["", [], [SECRET, ""]])
def test_an_empty_secret_is_an_error_since_anybody_could_sign_with_it(secret):
    with pytest.raises(SettingsError, match="the secret of the webhook is empty"):
        verify(headers_of(BODY, secret=""), secret=secret)


@pytest.mark.parametrize("now", [NOW - 301, NOW + 301])
def test_a_request_of_another_time_is_refused(now):
    with pytest.raises(WebhookRefused, match="not sent within 300 s of now"):
        verify(headers_of(BODY), now=now)


def test_the_tolerance_can_be_set():
    assert verify(headers_of(BODY), now=NOW + 599, tolerance_s=600)
    with pytest.raises(WebhookRefused, match="not sent within 10 s"):
        verify(headers_of(BODY), now=NOW + 12, tolerance_s=10)


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (formatdate(NOW + 5 * 3_600, usegmt=True), at(NOW)),
        (at(NOW), at(NOW)),
        (formatdate(NOW, usegmt=True), at(NOW - 3_600)),
        ("soon", at(NOW)),
    ],
    ids=["the header is five hours ahead", "both in ISO 8601", "a body that is sent again", "an unknown format"],
)
def test_one_of_the_two_signed_times_has_to_be_recent(header, body):
    sent = body_of(event(), sent=body)

    assert verify(headers_of(sent, header), sent)


def test_another_webhook_in_the_headers_is_refused():
    with pytest.raises(WebhookRefused, match="the webhook in its headers is not that in its body"):
        verify(headers_of(BODY, webhook="01ANOTHER"))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"meta": {}, "data": []}', b'{"meta": {"klaviyo_webhook_id": "w"}, "data": [{}]}',
     body_of(event() | {"external_id": 7}), body_of(event() | {"payload": 1})],
)  # fmt: skip
def test_what_is_signed_and_no_webhook_is_refused(body):
    with pytest.raises(WebhookRefused, match="its body is not that of a webhook"):
        verify(headers_of(body), body)


def test_a_refusal_tells_nothing_of_the_body_or_the_secret():
    with pytest.raises(WebhookRefused) as refused:
        verify(headers_of(BODY, secret="another-secret-16"))

    assert not [each for each in (SECRET, "another-secret-16", "e-1") if each in str(refused.value)]


def handle(delivery):
    with new_events(delivery) as events:
        return [each.id for each in events]


def deliver(*ids, webhook="01KP4928"):
    body = body_of(*map(event, ids), webhook=webhook)
    return verify(headers_of(body, webhook=webhook), body)


@pytest.fixture
def remembered(settings, fake_redis):
    return fake_redis


def are_kept(redis, seconds):
    """Whether everything is kept for so many seconds from a moment ago."""
    left = [redis.ttl(key) for key in redis.scan_iter()]
    return seconds - 30 < min(left) and max(left) <= seconds


def test_each_event_is_handled_once_however_often_it_is_delivered(remembered):
    assert handle(deliver("e-1", "e-2", "e-1")) == ["e-1", "e-2"]
    assert handle(deliver("e-2", "e-3")) == ["e-3"]
    assert handle(deliver("e-1", "e-2", "e-3")) == []
    assert are_kept(remembered, REMEMBERED_S)


def test_another_webhook_has_the_same_event_for_itself(remembered):
    assert handle(deliver("e-1")) == ["e-1"]
    assert handle(deliver("e-1", webhook="01ANOTHER")) == ["e-1"]


def test_events_whose_handling_failed_come_again(remembered):
    with pytest.raises(ZeroDivisionError), new_events(deliver("e-1")):
        _ = 1 / 0

    assert handle(deliver("e-1")) == ["e-1"]


def test_events_that_are_being_handled_are_left_for_later(remembered):
    with new_events(deliver("e-1")):
        with pytest.raises(WebhookInProgress):
            handle(deliver("e-1", "e-2"))
        assert are_kept(remembered, HANDLING_S)

    assert handle(deliver("e-1", "e-2")) == ["e-2"]


def test_while_redis_is_away_nothing_is_handled(settings):
    with pytest.raises(redis.ConnectionError):
        handle(deliver("e-1"))


def test_what_was_handled_stays_so_if_redis_goes_away_meanwhile(remembered, monkeypatch, caplog):
    # Whatever Celery has made of its loggers in this process by now.
    monkeypatch.setattr(webhooks.logger, "handlers", [caplog.handler])
    monkeypatch.setattr(webhooks.logger, "disabled", False)
    with new_events(deliver("e-1")) as events:
        monkeypatch.setattr("worker.webhooks.get_publisher", lambda: redis.Redis(port=1, retry=None))

    assert [each.id for each in events] == ["e-1"]
    assert "were handled, but Redis could not record that" in caplog.text


def test_an_application_imports_it_without_celery_and_an_http_client():
    told = "import sys, worker.webhooks; print([m for m in ('celery', 'httpx', 'worker.app') if m in sys.modules])"

    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "[]\n"
