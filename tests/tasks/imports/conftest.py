from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.tasks.imports.import_runs import Run, imported


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return partial(imported, tmp_path)
