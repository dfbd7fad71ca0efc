"""A plain Celery worker, on kombu's own transport: what ours is compared with."""

import os
import time

from celery import Celery

app = Celery("stock", broker=os.environ["STOCK_URL"], backend=os.environ["STOCK_URL"], set_as_current=False)
app.conf.update(worker_pool="threads", worker_concurrency=2, task_acks_late=True, worker_send_task_events=True)


@app.task(name="stock.wait")
def wait(seconds: float) -> None:
    """Be under way for so long."""
    time.sleep(seconds)
