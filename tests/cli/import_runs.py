"""Runs of imports as they are written down, and reports of their ends."""

from __future__ import annotations

from tasks.imports import Report
from tasks.jobs.import_runs import Run, Runs


def begun(fake_redis, id="R", kind="profiles", source="customers.csv", path=None, at=1_000.0):
    """A run that has just begun."""
    options = {"mapping": [], "fixed": {}, "params": {}, "channels": [], "time_zone": None}
    asked = {"path": path and str(path), "format": None, "delimiter": None, "lane": "bulk"}
    moment = {"moment": "2026-11-24T08:00:00+00:00"}
    return Runs(fake_redis, clock=lambda: at).begin(
        id, kind, "default", source, {**asked, "options": {**options, **moment}}
    )


def seen(**how):
    """A run as it stands."""
    counts = "rows bytes checked unchanged parts settled landed rejected unknown withdrawn read size"
    numbers = dict.fromkeys(counts.split(), 0)
    texts = {"id": "R", "state": "running", "kind": "profiles", "account": "default", "source": "customers.csv"}
    ends = {"asked": {}, "started": 0.0, "ended": None, "seen": 0.0, "reason": "", "rejects": "", "reasons": ()}
    return Run(**{**texts, **ends, **numbers, **how})


def report(**how):
    numbers = dict.fromkeys(("checked", "unchanged", "rejected", "unknown", "withdrawn"), 0)
    done = {"rows": 3, "landed": 3, "jobs": 1, "requests": 1, "bytes": 100, "seconds": 2.0}
    ends = {"run": "R", "state": "complete", "kind": "profiles", "account": "default", "rejects": None, "reasons": ()}
    return Report(**{**numbers, **done, **ends, **how})
