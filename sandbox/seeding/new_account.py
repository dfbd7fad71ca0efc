"""What a new account has: itself, segments, metrics, a tag group, and samples of everything else."""

from sandbox.records.events import metric_attributes
from sandbox.records.store import Store
from sandbox.seeding import samples
from sandbox.times import to_iso

SEGMENTS = ("Everyone", "Newest Customers")
MAPPINGS = (
    "added_to_cart",
    "cancelled_sales",
    "ordered_product",
    "refunded_sales",
    "revenue",
    "started_checkout",
    "viewed_product",
)
METRICS = ("Opened Email", "Received Email", "Subscribed to List")

_TRACKING: dict[str, object] = {
    "auto_add_parameters": False,
    "utm_source": {"flow": {"type": "static", "value": "Klaviyo"}, "campaign": {"type": "static", "value": "Klaviyo"}},
    "utm_medium": {"flow": {"type": "static", "value": "email"}, "campaign": {"type": "static", "value": "email"}},
}


def fill(store: Store, now: float) -> None:
    """Fill a new account."""
    at = to_iso(now)
    store.add("account", _account(store), id=store.company_id)
    for name in SEGMENTS:
        segment = store.add(
            "segment",
            {
                "name": name,
                "definition": {"condition_groups": [{"conditions": [_consented()]}]},
                "created": at,
                "updated": at,
                "is_active": True,
                "is_processing": False,
                "is_starred": False,
            },
        )
        store.everyone = store.everyone or segment
    for name in METRICS:
        metric = store.add("metric", metric_attributes(name, at, "Klaviyo", "Internal"))
        store.set_owner("metric", f"Klaviyo/{name}", metric.id)
    for name in MAPPINGS:
        store.add("mapped-metric", {"updated": at}, name)
    store.add("tracking-setting", dict(_TRACKING), store.company_id)
    store.add("tag-group", {"name": "Default", "exclusive": False, "default": True})
    template = samples.add_template(store, now)
    samples.add_campaigns(store, template, now)
    samples.add_flows(store, template, now)
    samples.add_form(store, now)
    samples.add_topics(store)
    samples.add_review(store, now)


def _account(store: Store) -> dict[str, object]:
    return {
        "test_account": True,
        "contact_information": {
            "default_sender_name": f"Sandbox {store.alias}",
            "default_sender_email": f"hello@{store.alias}.example",
            "website_url": f"https://{store.alias}.example",
            "organization_name": f"Sandbox {store.alias}",
            "street_address": {
                "address1": "1 Quay Street",
                "address2": None,
                "city": "Bristol",
                "region": None,
                "country": "GB",
                "zip": "BS1 4AA",
            },
        },
        "industry": "Software / SaaS",
        "timezone": "Europe/London",
        "preferred_currency": "GBP",
        "public_api_key": store.company_id,
        "locale": "en-GB",
    }


def _consented() -> dict[str, object]:
    return {
        "type": "profile-marketing-consent",
        "consent": {
            "channel": "email",
            "can_receive_marketing": True,
            "consent_status": {"subscription": "any"},
        },
    }
