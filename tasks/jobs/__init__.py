"""Asynchronous jobs, followed to their true end.

    run_job(bulk_import_profiles).delay(profiles=[…]).get()["data"]["failed"]

A job is spawned, watched and collected by a chain of tasks; how far it has come stands in the ledger (`worker.ledger`),
which each of them reads first. So any of them may die, and another takes its place: a job is spawned once, and its
outcome told once.
"""

from tasks.jobs import find as find
from tasks.jobs import read as read
from tasks.jobs import spawn as spawn
from tasks.jobs import watch as watch
from tasks.jobs import withdraw as withdraw
from tasks.jobs.begin import JobCall as JobCall
from tasks.jobs.begin import run_job as run_job
from tasks.jobs.kinds import KINDS as KINDS
from tasks.jobs.kinds import Kind as Kind
