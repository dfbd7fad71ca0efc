"""The governor's Lua scripts, joined from the files of this directory.

Redis makes a script's functions anew at every call, which takes longer than most operations do. So there is a script
for each file of operations, with no more than these need.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from worker.governor.terms import RESERVE_FRACTION

#: What the scripts share with Python.
SHARED = f"local RESERVE_FRACTION = {RESERVE_FRACTION}"

#: What operations build on. Each file may use the locals of those before it.
FOUNDATIONS = ("keys", "windows", "slots", "leases", "waiting", "pauses", "sharing", "turns", "serving", "ending")

#: By file: what is run before anything else is made, since it may be the end already.
FIRST = {"ticking": "idle"}

#: By file: what it uses besides.
BESIDES = {
    "ticking": ("riders", "sweeping"),
    "claiming": ("riders", "sweeping"),
    "riding": ("riders",),
    "failing": ("failures",),
    "returning": ("riders", "failures"),
    "revoking": ("riders",),
}

#: The files of operations, each with the last of the foundations that it uses.
OPERATIONS = {
    "ticking": "serving",
    "publishing": "serving",
    "storing": "waiting",
    "taking": "keys",
    "claiming": "serving",
    "settling": "ending",
    "failing": "waiting",
    "riding": "ending",
    "returning": "sharing",
    "revoking": "sharing",
    "pausing": "waiting",
    "promoting": "waiting",
    "looking": "windows",
    "joining": "windows",
}


def script_of(operation: str) -> str:
    """Return the script that carries out an operation."""
    return _script(_files()[operation])


@cache
def _files() -> dict[str, str]:
    """The file of each operation."""
    return {
        name: file for file in OPERATIONS for name in re.findall(r"^function ops\.(\w+)", _text(file), re.MULTILINE)
    }


@cache
def _script(file: str) -> str:
    basis, *used = FOUNDATIONS[: FOUNDATIONS.index(OPERATIONS[file]) + 1]
    first = [FIRST[file]] if file in FIRST else []
    return "\n".join(
        (SHARED, *(_text(part) for part in (basis, *first, *used, *BESIDES.get(file, ()), file, "dispatch")))
    )


def _text(file: str) -> str:
    return resources.files(__package__).joinpath(f"{file}.lua").read_text("utf-8")
