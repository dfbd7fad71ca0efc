"""A pull without workers: requests are recorded, and the test answers them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schedules.pull import pages as pull
from schedules.store import runs
from schedules.store.connection import reading
from schedules.sync_requests import SyncRequest

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Pulling:
    """What a run has requested, in order, and what it has reported at its end."""

    def __init__(self):
        self.now = NOON
        self.asked, self.told, self.resumed, self.requests = [], [], [], {}

    def start_run(self, stream, mode="incremental", request="R1", since=None):
        self.now += timedelta(minutes=1)
        pull.start_run("default", request, stream, mode, since)

    def request(self, id, mode="changes", since=None):
        """Make a request that `pull.resume` finds."""
        self.now += timedelta(minutes=1)
        text = since.isoformat() if since else None
        self.requests[id] = SyncRequest(id, "default", mode, text, self.now.timestamp(), {"profiles": "running"})
        pull.start_run("default", id, "profiles", "full" if mode == "full" else "incremental", since)

    def answer(self, *resources, following=None):
        """Give Klaviyo's answer to the oldest request."""
        params, about = self.asked.pop(0)
        pull.page.request.update(began=0.0)
        pull.page.answered({"data": list(resources), "links": {"next": following}}, params, "default", about)

    def refuse(self, error, about, params):
        """Give an error instead of Klaviyo's answer, one that ends the run."""
        with pytest.raises(type(error)):
            pull.page.failed(error, params, "default", about)
        pull.page.give_up(error, "default", about)

    def last(self, stream):
        with reading() as connection:
            return runs.latest(connection, "default", stream, "pull")


def filter_of(pulling, place=0):
    return str(pulling.asked[place][0].get("filter", ""))
