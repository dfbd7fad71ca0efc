"""The application with entries for a test: they are due every second, or long ago, and write down that they ran."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from celery.schedules import schedule

from schedules.entry_runs import begin_run, end_run
from worker.celery import app
from worker.redis.connection import get_redis
from worker.steps import Step


class Every(schedule):
    """A timetable in seconds."""

    def after(self, moment: datetime) -> datetime:
        return moment + self.run_every


class Noted(Step):
    """Begins like every scheduled run, says so, and ends unless it is told to go on."""

    name = "test.noted"

    def run(self, goes_on: bool = False) -> None:
        if begin_run(self.task_id, self.holder, 600):
            get_redis().rpush("begun", self.task_id)
            if not goes_on:
                end_run(self.task_id, True, "")
        get_redis().rpush("handled", self.task_id)


app.register_task(Noted())
app.conf.update(
    redbeat_lock_timeout=float(os.environ.get("TEST_LOCK_S", "2")),
    beat_max_loop_interval=0.5,
    beat_schedule={
        name: {
            "task": "test.noted",
            "schedule": Every(timedelta(seconds=float(seconds))),
            "kwargs": {"goes_on": name == "long"},
        }
        for name, seconds in (each.split("=") for each in os.environ["TEST_ENTRIES"].split(","))
    },
)
