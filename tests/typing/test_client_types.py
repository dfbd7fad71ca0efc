"""The module that `klaviyo client` writes type-checks by itself, and tells good calls from bad ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import tasks.registry  # noqa: F401  registers every action
from cli.client.module import module
from worker.action import ACTIONS

#: A bad call carries the error that it must be: an ignore without need would be an error itself.
CALLS = dedent("""
    from datetime import UTC, datetime
    from typing import Any, assert_type

    from celery import Celery, chain, group
    from celery.canvas import Signature
    from celery.result import AsyncResult

    import klaviyo_actions as klaviyo
    from klaviyo_actions import ImportedProfile

    app = Celery("shop")
    row: ImportedProfile = {"email": "ada@example.com", "location": {"city": "London"}}

    assert_type(klaviyo.create_profile.delay(email="ada@example.com"), AsyncResult[dict[str, Any]])
    assert_type(klaviyo.create_profile.si(email=None), Signature[dict[str, Any]])
    klaviyo.create_profile.on("eu-store", lane="bulk", countdown=60, app=app).delay(properties={"tier": "gold"})
    klaviyo.create_profile.on(together=True).delay(email="ada@example.com")
    klaviyo.bulk_import_profiles.delay(profiles=[row])
    klaviyo.create_event.delay(metric="Bought", profile={"email": "a@example.com"}, time=datetime.now(UTC), value=9.5)
    klaviyo.get_profile.delay(id="01ABC", include=["lists"])
    klaviyo.upload_image_from_file.delay(file=b"...")
    assert_type(klaviyo.get_profiles.on("eu-store").collect(sort="created"), AsyncResult[dict[str, Any]])
    assert_type(klaviyo.run_job(klaviyo.bulk_import_profiles).delay(profiles=[row]), AsyncResult[dict[str, Any]])
    chain(klaviyo.run_job(klaviyo.bulk_import_profiles.on(lane="bulk")).si(profiles=[row]), klaviyo.get_lists.si())
    chain(klaviyo.create_list.si(name="Members"), group(klaviyo.get_lists.si(), klaviyo.get_tags.s()))

    try:
        klaviyo.create_profile.delay(email="ada@example.com").get()
    except klaviyo.Conflict as error:
        assert_type(error.existing_id, str | None)

    klaviyo.create_profile.delay(emial="ada@example.com")  # type: ignore[call-arg]
    klaviyo.create_profile.on("eu-store").si(emial="ada@example.com")  # type: ignore[call-arg]
    klaviyo.create_profile.delay(email=7)  # type: ignore[arg-type]
    klaviyo.create_profile.s(email=7)  # type: ignore[arg-type]
    klaviyo.create_profile.delay("ada@example.com")  # type: ignore[call-arg]
    klaviyo.create_profile.delay(location={"town": "London"})  # type: ignore[arg-type]
    klaviyo.bulk_import_profiles.delay(profiles=[{"emial": "a@example.com"}])  # type: ignore[typeddict-unknown-key]
    klaviyo.create_list.delay()  # type: ignore[call-arg]
    klaviyo.get_profile.delay(id="01ABC", include=["friends"])  # type: ignore[list-item]
    klaviyo.get_profiles.delay(sort="age")  # type: ignore[arg-type]
    klaviyo.get_profiles.collect(sort="age")  # type: ignore[arg-type]
    klaviyo.run_job(klaviyo.bulk_import_profiles).delay(profiles=[7])  # type: ignore[list-item]
    klaviyo.run_job(klaviyo.bulk_import_profiles).si(rows=[row])  # type: ignore[call-arg]
    klaviyo.create_profile.on(lane="slow")  # type: ignore[arg-type]
    klaviyo.create_profile.on(together="yes")  # type: ignore[arg-type]
    klaviyo.create_profile.on(app="shop")  # type: ignore[arg-type]
    klaviyo.create_profile(email="ada@example.com")  # type: ignore[operator]
""")


def test_the_module_and_calls_of_it_are_checked_with_celerys_types_alone(tmp_path: Path) -> None:
    (tmp_path / "klaviyo_actions.py").write_text(module([each.declaration for each in ACTIONS.values()]))
    (tmp_path / "calls.py").write_text(CALLS)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "klaviyo_actions.py", "calls.py"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)

    assert done.returncode == 0, done.stdout
