"""What has to be there beside the settings: room under the store, and a source for each push that can be read."""

import sqlite3

import pytest

from schedules import checks
from schedules.store.outage import Outage
from worker.one_per_process import forget
from worker.settings import get_settings

pytestmark = pytest.mark.usefixtures("settings")


def test_a_source_that_cannot_be_read_is_told_and_one_that_can_is_too(settings, tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE products AS SELECT 'one' AS sku")
    for name, source, database in (
        (
            "GOOD",
            "sql:SELECT sku AS external_id, sku AS title, sku AS description, sku AS url FROM products",
            f"sqlite:///{tmp_path}/shop.db",
        ),
        (
            "LACKS",
            "sql:SELECT sku AS title, sku AS description, sku AS url FROM products",
            f"sqlite:///{tmp_path}/shop.db",
        ),
        ("GONE", "sql:SELECT 1 AS external_id", f"sqlite:///{tmp_path}/gone.db"),
        ("DROPS", "sql:DROP TABLE products", f"sqlite:///{tmp_path}/shop.db"),
        ("FILE", str(tmp_path / "gone.csv"), None),
    ):
        settings.setenv(f"KLAVIYO_PUSHES__{name}__KIND", "catalog_items")
        settings.setenv(f"KLAVIYO_PUSHES__{name}__SOURCE", source)
        if database:
            settings.setenv(f"KLAVIYO_PUSHES__{name}__DATABASE_URL", database)
    forget()

    told = {each.what.removeprefix("push "): each.text for each in checks.check_pushes(get_settings())}

    assert told["good"] == "its source can be read"
    assert "the query has no column for external_id" in told["lacks"]
    assert "which does not exist" in told["gone"]
    assert "the query does not return rows" in told["drops"]
    assert "cannot be read: No such file or directory" in told["file"]


def test_a_store_that_takes_nothing_and_a_disk_that_soon_will_not_are_told(settings, tmp_path, monkeypatch):
    settings.setenv("KLAVIYO_STORE_URL", f"sqlite:///{tmp_path}/store.db")
    forget()
    monkeypatch.setattr(checks, "current_outage", lambda: Outage("database or disk is full", 0.0))
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 5_000_000})())

    [first], [second] = checks.check_outage(), checks.check_room(get_settings())

    assert first.level == "bad"
    assert "cannot be written: database or disk is full." in first.text
    assert second.text.startswith("only 5 MB are free")
