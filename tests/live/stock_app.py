"""A plain Celery worker, on kombu's own transport: what ours is compared with."""

import os
import time
from pathlib import Path

from celery import Celery

app = Celery("stock", broker=os.environ["STOCK_URL"], backend=os.environ["STOCK_URL"], set_as_current=False)
app.conf.update(worker_pool="threads", worker_concurrency=2, task_acks_late=True, worker_send_task_events=True)


@app.task(name="stock.wait")
def wait(over: str) -> None:
    """Be under way until there is this file."""
    while not Path(over).exists():
        time.sleep(0.02)
