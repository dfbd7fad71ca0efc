"""The type checker accepts every good call of an action and refuses every bad one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


#: A bad call that has become a good one.
NO_ERROR = """
from tasks.profiles import create_profile
create_profile.delay(email="ada@example.com")  # type: ignore[call-arg]
"""


def test_good_calls_are_accepted_and_bad_ones_refused_and_one_that_is_no_longer_bad_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "no_error.py").write_text(NO_ERROR)
    paths = str(HERE / "calls.py"), str(tmp_path / "no_error.py")
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary"]

    done = subprocess.run([*command, *paths], cwd=ROOT, capture_output=True, text=True, timeout=240)

    [said] = (done.stdout + done.stderr).splitlines()
    assert "no_error.py:3: " in said
    assert 'Unused "type: ignore"' in said
