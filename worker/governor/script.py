"""The governor's Lua script, joined from the files of this directory."""

from __future__ import annotations

from importlib import resources

#: In the order in which they are joined: each may use the locals of those before it.
PARTS = (
    "keys",
    "windows",
    "leases",
    "waiting",
    "serving",
    "publishing",
    "failing",
    "taking",
    "settling",
    "revoking",
    "pausing",
    "looking",
    "dispatch",
)

SCRIPT = "\n".join(resources.files(__package__).joinpath(f"{part}.lua").read_text("utf-8") for part in PARTS)
