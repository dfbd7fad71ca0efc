"""What every account has from the start: itself, segments, campaigns, flows, metrics and a tag group."""

from sandbox.store import Store
from sandbox.times import written

CAMPAIGNS = ("Spring Collection", "Members' Evening", "Restock Notice")
FLOWS = (("Welcome Series", "Added to List"), ("Abandoned Checkout", "Metric"))
SEGMENTS = ("Everyone", "Newest Customers")
METRICS = ("Opened Email", "Received Email", "Subscribed to List")


def sow(store: Store, now: float) -> None:
    """Fill a new account."""
    at = written(now)
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
    for name in CAMPAIGNS:
        campaign = store.add("campaign", _campaign(name, at))
        campaign.private["messages"] = [{"channel": "email"}]
    for name, trigger in FLOWS:
        store.add(
            "flow",
            {
                "name": name,
                "status": "live",
                "archived": False,
                "created": at,
                "updated": at,
                "trigger_type": trigger,
            },
        )
    for name in METRICS:
        metric = store.add("metric", metric_attributes(name, at, "Klaviyo", "Internal"))
        store.own("metric", f"Klaviyo/{name}", metric.id)
    store.add("tag-group", {"name": "Default", "exclusive": False, "default": True})


def metric_attributes(name: str, at: str, service: str, category: str) -> dict[str, object]:
    """The attributes of a metric that a service reports."""
    integration = {"object": "integration", "id": service.lower(), "name": service, "category": category}
    return {"name": name, "created": at, "updated": at, "integration": integration}


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


def _campaign(name: str, at: str) -> dict[str, object]:
    return {
        "name": name,
        "status": "Draft",
        "archived": False,
        "audiences": {"included": [], "excluded": []},
        "send_options": {"use_smart_sending": True},
        "tracking_options": {
            "add_tracking_params": False,
            "is_tracking_clicks": True,
            "is_tracking_opens": True,
        },
        "send_strategy": {"method": "immediate"},
        "created_at": at,
        "updated_at": at,
        "scheduled_at": None,
        "send_time": None,
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
