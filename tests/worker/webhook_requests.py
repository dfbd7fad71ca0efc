"""Requests as Klaviyo sends them for a webhook."""

from __future__ import annotations

import hashlib
import hmac
import json
from email.utils import formatdate
from typing import Any

SECRET = "0123456789abcdef"
NOW = 1_790_000_000.0


def event(id: str = "73WCCK7JKtE", topic: str = "event:klaviyo.opened_email") -> dict[str, Any]:
    payload = {"data": {"type": "event", "id": id, "attributes": {"timestamp": 1_789_999_990}}}
    return {"external_id": id, "topic": topic, "payload": payload}


def body_of(
    *events: dict[str, Any], sent: str = "2026-09-21T14:13:20.101159+00:00", webhook: str = "01KP4928"
) -> bytes:
    meta = {"timestamp": sent, "klaviyo_webhook_id": webhook, "klaviyo_account_id": "WBhXHN", "version": "2024-06-28"}
    return json.dumps({"meta": meta, "data": list(events)}).encode()


def headers_of(
    body: bytes, stamp: str | None = None, secret: str = SECRET, webhook: str = "01KP4928"
) -> dict[str, str]:
    stamp = stamp or formatdate(NOW, usegmt=True)
    signature = hmac.new(secret.encode(), body + stamp.encode(), hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "Klaviyo-Signature": signature,
        "Klaviyo-Timestamp": stamp,
        "Klaviyo-Webhook-Id": webhook,
    }
