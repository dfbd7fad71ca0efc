"""What a worker tells of its work: logs, traces, metrics and Celery's events, and what they mask."""
