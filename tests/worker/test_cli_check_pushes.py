"""`klaviyo check` tells whether the source of each push can be read."""

import sqlite3

import pytest
from typed import forget

from worker.cli.check_pushes import looked_at

pytestmark = pytest.mark.usefixtures("settings")


def test_a_source_that_cannot_be_read_is_told_and_one_that_can_is_too(settings, tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE products AS SELECT 'one' AS sku")
    for name, source, database in (
        ("GOOD", "sql:SELECT sku AS external_id FROM products", f"sqlite:///{tmp_path}/shop.db"),
        ("GONE", "sql:SELECT 1 AS external_id", f"sqlite:///{tmp_path}/gone.db"),
        ("DROPS", "sql:DROP TABLE products", f"sqlite:///{tmp_path}/shop.db"),
        ("FILE", str(tmp_path / "gone.csv"), None),
    ):
        settings.setenv(f"KLAVIYO_PUSHES__{name}__KIND", "catalog_items")
        settings.setenv(f"KLAVIYO_PUSHES__{name}__SOURCE", source)
        if database:
            settings.setenv(f"KLAVIYO_PUSHES__{name}__DATABASE_URL", database)
    forget()

    told = dict(looked_at())

    assert told["good"] is None
    assert "there is no SQLite file" in told["gone"]
    assert "the query does not ask for rows" in told["drops"]
    assert "cannot be read: No such file or directory" in told["file"]
