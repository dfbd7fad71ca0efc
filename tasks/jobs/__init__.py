"""Asynchronous jobs, followed to their true end.

    run_job(bulk_import_profiles).delay(profiles=[…]).get()["data"]["failed"]

A job is spawned, watched and collected by a chain of tasks. Each first reads in the ledger (`tasks.jobs.ledger`) how
far the job has come. So any of them may die and be replaced: a job is spawned once, and has one outcome.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.jobs.begin import JobCall as JobCall
    from tasks.jobs.begin import run_job as run_job
    from tasks.jobs.kinds import JOB_KINDS as JOB_KINDS
    from tasks.jobs.kinds import JobKind as JobKind

_PUBLIC = {"JobCall": "begin", "run_job": "begin", "JOB_KINDS": "kinds", "JobKind": "kinds"}


def __getattr__(name: str) -> Any:
    """Import what applications use on first use: reading the ledger alone needs none of the actions."""
    if name in _PUBLIC:
        return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
