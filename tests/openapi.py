"""Klaviyo's OpenAPI file of the pinned revision, which is no part of the project: a variable says where it lies."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FILE = os.environ.get("KLAVIYO_OPENAPI")

REASON = "what is left out needs Klaviyo's OpenAPI file of 2026-07-15 (KLAVIYO_OPENAPI=its/path make test)"

needs_openapi = pytest.mark.skipif(not FILE, reason=REASON)


@cache
def openapi() -> dict[str, Any]:
    """What the file says."""
    found: dict[str, Any] = json.loads(Path(str(FILE)).read_text("utf-8"))
    return found
