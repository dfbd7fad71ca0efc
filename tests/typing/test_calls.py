"""The type checker accepts every good call of an action and refuses every bad one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def _mypy(path: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    return done.returncode, done.stdout + done.stderr


def test_good_calls_are_accepted_and_bad_ones_refused() -> None:
    code, said = _mypy(HERE / "calls.py")

    assert code == 0, said


def test_a_call_that_is_no_longer_an_error_is_noticed(tmp_path: Path) -> None:
    calls = tmp_path / "calls.py"
    calls.write_text(
        "from tasks.profiles import create_profile\n"
        'create_profile.delay(email="ada@example.com")  # type: ignore[call-arg]\n'
    )

    code, said = _mypy(calls)

    assert code == 1
    assert 'Unused "type: ignore"' in said
