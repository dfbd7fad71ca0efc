"""Flower's settings in production: `celery -A worker flower --conf=deploy/flower/flowerconfig.py`.

What is set here goes before FLOWER_… in the environment, and an option of the command line before both. The password is
not here: FLOWER_BASIC_AUTH=user:password. `/metrics`, `/klaviyo/metrics` and `/healthcheck` ask for none, whatever is
set, so keep the port inside your network.
"""

address = "127.0.0.1"  # 0.0.0.0 in a container
port = 5555

# A worker that was scaled away, or deployed anew under another name, disappears from the pages and from /metrics.
purge_offline_workers = 60

# Tasks that the page Tasks remembers.
max_tasks = 50_000

# Flower's own histogram of run times has a series for each of these, each task and each worker.
task_runtime_metric_buckets = [0.1, 0.5, 2.5, 10.0, 60.0]
