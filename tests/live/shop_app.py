"""Another team's application and its worker: stock Celery, nothing of ours, and the address of the broker."""

from __future__ import annotations

import os

from celery import Celery

app = Celery("shop", broker=os.environ["SHOP_BROKER"], backend=os.environ["SHOP_RESULTS"])
app.conf.update(task_default_queue="shop", broker_connection_retry_on_startup=True, worker_enable_remote_control=False)


@app.task(name="shop.note")
def note(told=None):
    """A part of a chain that knows nothing of Klaviyo."""
    return f"noted {bool(told)}"


@app.task(name="shop.total")
def total(numbers):
    """The body of a chord."""
    return len(numbers)


@app.task(name="shop.replace", bind=True)
def replace(self, signature):
    """A task in whose place another one comes."""
    return self.replace(app.signature(signature))
