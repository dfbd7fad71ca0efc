"""What runs on a schedule: the entries, beat, and the syncs and pushes that they start."""

from schedules import deferred
from schedules.entries import beat_schedule
from worker.app import app
from worker.settings import get_settings

deferred.announce()
app.add_defaults(lambda: {"beat_schedule": beat_schedule(get_settings())})
