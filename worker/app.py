"""The Celery application: transport, queues, serialisers. It knows no task, and connects to nothing at import.

What speaks to Redis, and what only a worker needs, is named here and loaded when it is first used.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar

from celery import Celery
from celery.loaders.app import AppLoader
from kombu import Queue

from worker.one_per_process import one_per_redis
from worker.process import forks
from worker.process.wrong_settings import one_sentence
from worker.redis.address import RedisAddress
from worker.redis.elsewhere import elsewhere
from worker.settings import get_settings
from worker.telemetry.events import Events
from worker.tiers import DEFAULT_QUEUE, QUEUES


class Loader(AppLoader):
    """Celery's loader, which takes our result backend wherever a URL of Redis asks for one.

    Celery would take it from the URL too (``worker.results:Backend+redis://…``), but masks no password in such a URL.
    """

    override_backends: ClassVar[dict[str, str]] = {  # type: ignore[misc]
        "redis": "worker.results:Backend",
        "rediss": "worker.results:Backend",
    }


class Application(Celery):
    """Celery's application. Its tasks can be declared without being made; it follows `worker.redis.elsewhere`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._modules = ["worker.transport"]  # for the settings
        self._wanted: list[Callable[[], object]] = []
        self._thread = threading.local()
        self._complete = False

    @property
    def backend(self) -> Any:
        """The results of the current Redis."""
        return get_peer().backend if elsewhere() else super().backend

    @property
    def pool(self) -> Any:
        """The connections to the current Redis."""
        return get_peer().pool if elsewhere() else super().pool

    def _acquire_producer(self, timeout: float | None = None) -> Any:
        peer: Any = get_peer() if elsewhere() else super()
        return peer._acquire_producer(timeout)

    def _connection(self, url: str, **options: Any) -> Any:
        peer: Any = get_peer() if elsewhere() else super()
        return peer._connection(peer.conf.broker_url if elsewhere() else url, **options)

    @property
    def tasks(self) -> Any:
        """All tasks by name. Celery's property holds a lock while they are made, and looks only once."""
        if not self._complete:
            self.finalize(auto=True)
        return self._tasks  # type: ignore[attr-defined]

    @cached_property
    def AsyncResult(self) -> Any:
        """The class of a call's result."""
        from worker.async_result import Result

        return self.subclass_with_self(Result, "AsyncResult", reverse="AsyncResult")

    def loads(self, *modules: str) -> None:
        """Load modules, which register tasks, when somebody next asks the application for a task."""
        self._modules.extend(modules)
        self._complete = False

    def register_task(self, task: Any, **options: Any) -> Any:
        """Add a task. Its module may be the one that another thread loads while it makes all: nobody waits here."""
        self._tasks[task.name] = task  # type: ignore[attr-defined]
        task.bind(self)
        return task

    def when_wanted(self, make: Callable[[], object]) -> None:
        """Make tasks when somebody first asks the application for one, or now if somebody has."""
        if self.finalized:  # type: ignore[attr-defined]
            make()
        else:
            self._wanted.append(make)

    def finalize(self, auto: bool = False) -> None:
        """Make all tasks: what Celery does before it looks one up."""
        if self._modules and not getattr(self._thread, "loads", False):
            # Not under Celery's lock: whoever loads one of them already may come to wait for that.
            self._thread.loads = True
            try:
                for module in list(self._modules):
                    import_module(module)
                self._modules.clear()
            finally:
                self._thread.loads = False
        with self._finalize_mutex:  # type: ignore[attr-defined]
            super().finalize(auto)
            wanted, self._wanted = self._wanted, []
            for make in wanted:
                make()
            self._complete = not self._modules


def connecting(address: RedisAddress) -> dict[str, Any]:
    """Celery's settings about Redis: what the address says, as each library that connects to it is told.

    No password stands where Celery does not mask it when it shows its settings.
    """
    from worker.redis import connection
    from worker.redis.connection import ANSWER_TIMEOUT_S, WAITING, brief
    from worker.transport import OPTIONS

    results = {
        "redis_socket_timeout": address.timing.get("socket_timeout", ANSWER_TIMEOUT_S),
        "redis_socket_connect_timeout": address.timing.get("socket_connect_timeout", ANSWER_TIMEOUT_S),
        "redis_backend_health_check_interval": address.timing.get("health_check_interval"),
        "redis_backend_use_ssl": address.ssl,
    }
    return {
        "broker_url": address.broker_url,
        "broker_transport_options": {**OPTIONS, **address.timing, **address.dialect, **brief(address)},
        "result_backend": address.result_url,
        **{name: value for name, value in results.items() if value},
        "redbeat_redis_url": address.url,
        "redbeat_redis_options": {**WAITING, **address.keywords, **connection.connecting(address)},
    }


def configuration() -> dict[str, Any]:
    """Celery's settings, made when the application is first used."""
    from worker.governor import KEY_PREFIX

    settings = get_settings()
    return {
        **connecting(settings.redis),
        # A try, and one more on a new connection: what a server that has restarted needs, and no more.
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "result_expires": settings.result_expires,
        "result_extended": False,
        "imports": ("tasks.registry",),
        "task_default_queue": DEFAULT_QUEUE,
        "task_queues": [Queue(name, routing_key=name) for name in (DEFAULT_QUEUE, *QUEUES)],
        "task_create_missing_queues": True,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_deduplicate_successful_tasks": True,
        "worker_consumer": "worker.process.consumer:Consumer",
        "worker_pool": "worker.process.threads:TaskPool",
        "worker_concurrency": settings.concurrency,
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": True,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
        "timezone": "UTC",
        # A beat that was killed is replaced when its lock has run out and the next one has looked.
        "beat_scheduler": "schedules.beat:Scheduler",
        "beat_max_loop_interval": 4,
        "beat_enable_remote_control": True,
        "redbeat_key_prefix": f"{KEY_PREFIX}redbeat:",
        "redbeat_lock_key": f"{KEY_PREFIX}redbeat:lock",
        "redbeat_lock_timeout": 13,
    }


@one_per_redis
def get_peer() -> Any:
    """The connections and results of another Redis than this process's: an application without tasks."""
    peer: Any = Celery("klaviyo", loader=Loader, amqp="worker.transport:AMQP", fixups=[], set_as_current=False)
    peer.add_defaults(configuration())
    return peer


with one_sentence():
    get_settings()  # here: Celery would read them amid whatever needs them first

app = Application(
    "klaviyo",
    loader=Loader,
    amqp="worker.transport:OwnAMQP",
    control="worker.process.control:Control",
    log="worker.telemetry.logs:Logging",
    events=Events,
    fixups=(),  # Celery's is Django's: a worker of ours needs no Django where an application that calls us has one
    set_as_current=False,
)
app.add_defaults(configuration)
app.steps["consumer"].add("worker.process.bootstep:GovernorStep")
app.steps["worker"].add("worker.process.signals:Signals")
forks.watch(lambda: [app, *get_peer.made()])


def registered(name: str) -> Any:
    """The task of this name, in a process too that has imported no more than the actions that it calls."""
    if name not in app.tasks:
        app.loader.import_default_modules()
    return app.tasks[name]
