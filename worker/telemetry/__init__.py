"""What a worker reports of its work: logs, traces, metrics and Celery's events, and what they mask."""
