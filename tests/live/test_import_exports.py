"""Files of other systems, each imported by one command, against a real worker and a real sandbox."""

from __future__ import annotations

import shutil
from pathlib import Path

from tasks.events import get_events
from tasks.profiles import get_profiles
from tests.live.system import PATIENT
from tests.live.test_import_commands import klaviyo
from tests.tasks.imports.test_exports import PROFILES

WORKER = PATIENT

FILES = Path(__file__).parents[1] / "tasks" / "imports" / "exports"


def test_files_of_other_systems_land_by_one_command_with_their_values_at_their_fields(idle, tmp_path):
    idle.sandbox.jobs(seconds=0.1, times=None)
    for name in ("mailchimp_audience", "salesforce_contacts", "shopify_orders"):
        shutil.copy(FILES / f"{name}.csv", tmp_path)

    done = {path.stem: klaviyo(idle, "import", path, "--yes") for path in sorted(tmp_path.glob("*.csv"))}

    assert {name: each.returncode for name, each in done.items()} == {
        "mailchimp_audience": 0, "salesforce_contacts": 0, "shopify_orders": 1,
    }, [each.stderr for each in done.values()]  # fmt: skip
    people = [each["attributes"] for page in get_profiles.pages() for each in page["data"]]
    by_email = {each["email"]: each for each in people}
    for told in (*PROFILES["mailchimp-audience"], *PROFILES["salesforce-contacts"]):
        there = by_email[told["email"]]
        assert there["properties"].items() >= told["properties"].items()
        # Klaviyo names countries in full.
        assert there["location"].items() >= {**told["location"], "country": there["location"]["country"]}.items()
    # The address of an order's bill changes nothing about its buyer.
    assert by_email["ada@example.com"]["phone_number"] == "+46701112233"
    assert by_email["zoe@example.com"]["phone_number"] == "+491701234567"
    [order] = [each["attributes"] for page in get_events.pages() for each in page["data"]]
    assert [each["SKU"] for each in order["event_properties"]["Items"]] == ["TEA", "CUP"]
    assert order["event_properties"]["OrderId"] == "#2001"
