"""The Celery application: transport, queues, serialisers. It knows no task, and connects to nothing at import."""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu import Queue

from worker import forks
from worker.bootstep import GovernorStep
from worker.governor import PREFIX
from worker.settings import get_settings
from worker.tiers import DEFAULT_QUEUE, QUEUES
from worker.transport import OPTIONS


def configuration() -> dict[str, Any]:
    """Celery's settings, made when the application is first used."""
    settings = get_settings()
    return {
        "broker_url": settings.broker_url,
        "broker_transport_options": OPTIONS,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "result_backend": settings.result_url,
        "result_expires": settings.result_expires,
        # A result that cannot be stored because Redis restarts is stored when it is back.
        "result_backend_always_retry": True,
        "result_extended": False,
        "task_default_queue": DEFAULT_QUEUE,
        "task_queues": [Queue(name, routing_key=name) for name in (DEFAULT_QUEUE, *QUEUES)],
        "task_create_missing_queues": True,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_deduplicate_successful_tasks": True,
        "worker_consumer": "worker.consumer:Consumer",
        "worker_pool": "threads",
        "worker_concurrency": settings.concurrency,
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": True,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
        "worker_soft_shutdown_timeout": settings.shutdown_seconds,
        "worker_enable_soft_shutdown_on_idle": True,
        "timezone": "UTC",
        # A beat that was killed is replaced when its lock has run out and the next one has looked.
        "beat_scheduler": "schedules.beat:Scheduler",
        "beat_max_loop_interval": 4,
        "beat_enable_remote_control": True,
        "redbeat_redis_url": settings.redis_url,
        "redbeat_redis_options": {"socket_connect_timeout": 5, "socket_timeout": 30, "health_check_interval": 30},
        "redbeat_key_prefix": f"{PREFIX}redbeat:",
        "redbeat_lock_key": f"{PREFIX}redbeat:lock",
        "redbeat_lock_timeout": 13,
    }


app = Celery("klaviyo", amqp="worker.transport:AMQP", set_as_current=False)
app.add_defaults(configuration)
app.steps["consumer"].add(GovernorStep)
forks.watch(app)
