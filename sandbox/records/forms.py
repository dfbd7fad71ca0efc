"""Forms and their versions, created from a definition."""

from collections.abc import Mapping
from typing import Any

from sandbox.records.store import Resource, Store
from sandbox.times import to_iso

TYPES = {"banner": "banner", "embed": "embed", "flyout": "flyout", "full_screen": "full_page", "popup": "popup"}
"""The types of form: what a definition calls them, and what a version does."""


def create(store: Store, sent: Mapping[str, Any], now: float) -> Resource:
    """Create a form, with a version for each in its definition."""
    at = to_iso(now)
    times = {"created_at": at, "updated_at": at}
    shown = {name: sent[name] for name in ("name", "status", "ab_test")}
    form = store.add("form", shown | times)
    versions = []
    for number, version in enumerate(sent["definition"]["versions"], 1):
        name = version.get("name") or f"Variation {number}"
        attributes = {
            "form_type": TYPES[version.get("type", "popup")],
            "variation_name": name,
            "ab_test": {"variation_name": name} if sent["ab_test"] else None,
            "status": version.get("status", "draft"),
        }
        resource = store.add("form-version", attributes | times)
        store.link(form, "form-versions", resource, now)
        versions.append({**version, "id": int(resource.id)})
    form.private["definition"] = {"versions": versions}
    return form


def remove(store: Store, form: Resource) -> None:
    """Delete a form and its versions."""
    for version in list(store.related(form, "form-versions")):
        store.remove(version)
    store.remove(form)
