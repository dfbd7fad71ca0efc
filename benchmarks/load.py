"""The load of the governor's benchmark: three accounts, one operation of each tier, and a probe of a free bucket."""

from __future__ import annotations

ACCOUNTS = {"default": "pk_sandbox_default", "a": "pk_sandbox_a", "b": "pk_sandbox_b", "c": "pk_sandbox_c"}

#: The accounts that are backlogged; the fourth warms the worker up.
LOADED = ("default", "a", "b")

#: operation, path, the SDK's method, requests a minute; one for each tier from XS to XL
OPERATIONS = (
    ("get_accounts", "/api/accounts", "Accounts.get_accounts", 15),
    ("get_tags", "/api/tags", "Tags.get_tags", 60),
    ("get_metrics", "/api/metrics", "Metrics.get_metrics", 150),
    ("get_lists", "/api/lists", "Lists.get_lists", 750),
    ("get_events", "/api/events", "Events.get_events", 3500),
)

#: A bucket in tier M that nothing else draws on: at two requests a second it never waits for its own windows.
PROBE = (
    "get_bulk_import_profiles_jobs",
    "/api/profile-bulk-import-jobs",
    "Profiles.get_bulk_import_profiles_jobs",
    150,
)
