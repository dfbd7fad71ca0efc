"""The names of our message headers stand in one place."""

from __future__ import annotations

import re
from pathlib import Path

from worker import message_headers

ROOT = Path(__file__).parents[2]
NAMES = [value for name, value in vars(message_headers).items() if name.isupper() and value != message_headers.HEADER]

#: A module that an application of another code base has without ours.
ALONE = "cli/client/head.py"


def test_no_other_module_spells_a_header():
    spelled = re.compile(rf"""(?<!`)["'](?:{"|".join(NAMES)})["'](?!: "eu)|\.(?:{"|".join(NAMES)})\b""")
    files = {
        file.relative_to(ROOT).as_posix(): file.read_text("utf-8")
        for room in ("worker", "tasks", "schedules", "cli")
        for file in (ROOT / room).rglob("*.py")
    }

    assert {name for name, text in files.items() if spelled.search(text)} == {"worker/message_headers.py", ALONE}
