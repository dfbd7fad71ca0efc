"""Made-up figures for messages, forms and segments: plausible, and always the same."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from zlib import crc32

DAY = timedelta(days=1)

_SHARES = {
    "delivered": 0.97,
    "bounced": 0.02,
    "failed": 0.01,
    "opens": 0.52,
    "opens_unique": 0.41,
    "clicks": 0.09,
    "clicks_unique": 0.07,
    "conversions": 0.03,
    "conversion_uniques": 0.025,
    "unsubscribes": 0.004,
    "unsubscribe_uniques": 0.004,
    "spam_complaints": 0.001,
    "message_segment_count_sum": 1.2,
    "text_message_credit_usage_amount": 1.2,
}
"""Counts as shares of the recipients."""

_RATES = {
    "bounce_rate": ("bounced", "recipients"),
    "bounced_or_failed_rate": ("bounced_or_failed", "recipients"),
    "click_rate": ("clicks_unique", "delivered"),
    "click_to_open_rate": ("clicks_unique", "opens_unique"),
    "conversion_rate": ("conversion_uniques", "delivered"),
    "delivery_rate": ("delivered", "recipients"),
    "failed_rate": ("failed", "recipients"),
    "open_rate": ("opens_unique", "delivered"),
    "spam_complaint_rate": ("spam_complaints", "delivered"),
    "unsubscribe_rate": ("unsubscribe_uniques", "delivered"),
    "average_order_value": ("conversion_value", "conversions"),
    "revenue_per_recipient": ("conversion_value", "delivered"),
    "text_message_roi": ("conversion_value", "text_message_spend"),
}
_ORDER_VALUE, _SPEND = 42.5, 0.04

_FORM_SHARES = {
    "viewed_form": 1.0,
    "viewed_form_uniques": 0.8,
    "viewed_form_step": 1.3,
    "viewed_form_step_uniques": 0.9,
    "closed_form": 0.6,
    "closed_form_uniques": 0.5,
    "qualified_form": 0.9,
    "qualified_form_uniques": 0.7,
    "submits": 0.08,
    "submitted_form_step": 0.12,
    "submitted_form_step_uniques": 0.1,
}
"""Counts as shares of the views."""


def figures(message_id: str, start: datetime) -> Mapping[str, float]:
    """All statistics of a message in the interval that starts at `start`."""
    recipients = _size(message_id, start)
    found: dict[str, float] = {"recipients": float(recipients)}
    found |= {name: float(round(recipients * share)) for name, share in _SHARES.items()}
    found["bounced_or_failed"] = found["bounced"] + found["failed"]
    found["conversion_value"] = found["conversions"] * _ORDER_VALUE
    found["text_message_spend"] = round(recipients * _SPEND, 2)
    for name, (part, whole) in _RATES.items():
        found[name] = round(found[part] / found[whole], 4) if found[whole] else 0.0
    return found


def form_figures(id: str, start: datetime) -> Mapping[str, float]:
    """All statistics of a form or one of its versions in the interval that starts at `start`."""
    views = _size(id, start)
    found = {name: float(round(views * share)) for name, share in _FORM_SHARES.items()}
    found["submit_rate"] = round(found["submits"] / found["viewed_form"], 4)
    return found


def segment_figures(id: str, start: datetime) -> Mapping[str, float]:
    """All statistics of a segment in the interval that starts at `start`."""
    total = _size(id, start)
    added, removed = float(total // 10), float(total // 25)
    return {
        "total_members": float(total),
        "members_added": added,
        "members_removed": removed,
        "net_members_changed": added - removed,
    }


def span(key: str, now: datetime) -> tuple[datetime, datetime]:
    """The start and end of a time frame that Klaviyo has a name for."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    week = today - DAY * today.weekday()
    month = today.replace(day=1)
    year = month.replace(month=1)
    last_month = (month - DAY).replace(day=1)
    spans = {
        "today": (today, now),
        "yesterday": (today - DAY, today),
        "this_week": (week, now),
        "last_week": (week - 7 * DAY, week),
        "this_month": (month, now),
        "last_month": (last_month, month),
        "this_year": (year, now),
        "last_year": (year.replace(year=year.year - 1), year),
        "last_3_months": (_months_before(month, 3), month),
        "last_12_months": (_months_before(month, 12), month),
    }
    days = {f"last_{count}_days": (today - count * DAY, today) for count in (7, 30, 90, 365)}
    return (spans | days)[key]


def edges(start: datetime, end: datetime, interval: str) -> list[datetime]:
    """The start of each interval between two times."""
    found = [start]
    while (following := _after(found[-1], interval)) < end:
        found.append(following)
    return found


def _size(id: str, start: datetime) -> int:
    """A count between 100 and 999, always the same for an id and a time."""
    return 100 + crc32(f"{id} {start.isoformat()}".encode()) % 900


def _months_before(month: datetime, count: int) -> datetime:
    index = month.year * 12 + month.month - 1 - count
    return month.replace(year=index // 12, month=index % 12 + 1)


def _after(edge: datetime, interval: str) -> datetime:
    if interval == "monthly":
        return _months_before(edge.replace(day=1), -1)
    return edge + {"hourly": timedelta(hours=1), "daily": DAY, "weekly": 7 * DAY}[interval]
