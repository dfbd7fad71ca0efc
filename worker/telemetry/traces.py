"""OpenTelemetry's traces: one follows a call from its publishing to its end, across processes.

They need the extra ``otel`` and ``KLAVIYO_TRACES``; without these, nothing of OpenTelemetry is imported. In an
application, our spans are children of its own and go wherever it exports these. Workers set up an exporter
(`set_up_exporter`), which OpenTelemetry's variables configure (``OTEL_EXPORTER_OTLP_ENDPOINT``,
``OTEL_TRACES_SAMPLER``…).

A poll of all jobs of a kind belongs to the trace of the job that asked for it first.

A message carries its context in W3C's header ``traceparent``, through waiting, retries and chains. No span holds the
value of a parameter, a query, a body, or the text of an error.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from worker.errors import SettingsError
from worker.message_headers import HEADER
from worker.one_per_process import one_per_process
from worker.settings import get_settings

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

#: The headers of W3C's trace context.
CONTEXT = ("traceparent", "tracestate")

#: The default of ``OTEL_SERVICE_NAME``.
SERVICE = "klaviyo-worker"

#: In place of a span, where traces are off.
_OFF: AbstractContextManager[Any] = nullcontext()

#: Called with the status of an answer.
OnAnswer = Callable[[int], None]


def _ignore(*_: Any) -> None:
    """Traces are off."""


@one_per_process
def get_tracer() -> Tracer | None:
    """Return what starts our spans; None if traces are off.

    Raises:
        SettingsError: they are on, and OpenTelemetry is not installed.

    """
    if not get_settings().traces:
        return None
    try:
        from opentelemetry import trace
    except ImportError:
        raise _missing() from None
    return trace.get_tracer("klaviyo-worker")


def _missing() -> SettingsError:
    return SettingsError(
        "KLAVIYO_TRACES is on, but OpenTelemetry is not installed: pip install 'klaviyo-worker[otel]', or turn it off"
    )


def set_up_exporter() -> None:
    """Export the spans of this process over OTLP, if traces are on and nothing else has set up a provider.

    Raises:
        SettingsError: they are on, and OpenTelemetry is not installed.

    """
    if get_tracer() is None:
        return
    from opentelemetry import trace

    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return  # that of ``opentelemetry-instrument``, or of an application
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise _missing() from None
    name = os.environ.get("OTEL_SERVICE_NAME", SERVICE)
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def carry_context(headers: MutableMapping[str, Any]) -> None:
    """Write the current context into the headers of a message that has none."""
    if get_tracer() is not None and CONTEXT[0] not in headers:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(headers)


def kept_context() -> dict[str, Any]:
    """Return the current context as an option of a signature that another process will publish later."""
    headers: dict[str, Any] = {}
    carry_context(headers)
    return {"headers": headers} if headers else {}


def tracing_publish(name: str, task_id: str, headers: MutableMapping[str, Any]) -> AbstractContextManager[Any]:
    """Trace the publishing of a call, and write the context into its headers."""
    tracer = get_tracer()
    return _OFF if tracer is None else _publish(tracer, name, task_id, headers)


@contextmanager
def _publish(tracer: Tracer, name: str, task_id: str, headers: MutableMapping[str, Any]) -> Iterator[None]:
    from opentelemetry.trace import SpanKind

    about = {**_message(task_id, "publish"), **_place(headers)}
    with _span(tracer, f"publish {name}", SpanKind.PRODUCER, about):
        carry_context(headers)
        yield


def tracing_task(name: str, request: Any) -> AbstractContextManager[Any]:
    """Trace one delivery of a task; the parent is the span in which it was published."""
    tracer = get_tracer()
    return _OFF if tracer is None else _task(tracer, name, request)


@contextmanager
def _task(tracer: Tracer, name: str, request: Any) -> Iterator[None]:
    from opentelemetry.trace import SpanKind

    about = {**_message(str(request.id), "process"), **_place({HEADER: request.get(HEADER)})}
    with _span(tracer, f"process {name}", SpanKind.CONSUMER, about, _published(request)):
        yield


def trace_wait(request: Any, attempt: int) -> None:
    """Trace how long a task has waited since it was due, now that it has its lease.

    Only before its first attempt: no message says when a task was put back.
    """
    tracer = get_tracer()
    wait = request.get(HEADER)
    if tracer is None or attempt > 1 or not isinstance(wait, Mapping) or not wait.get("since"):
        return
    began = int(wait["since"] * 1e9)
    span = tracer.start_span(
        "wait", context=_published(request), start_time=min(began, time.time_ns()), attributes=_place({HEADER: wait})
    )
    span.end()


def tracing_request(
    action: str, account: str, method: str, template: str, attempt: int | None = None
) -> AbstractContextManager[OnAnswer]:
    """Trace a request to Klaviyo. ``template`` is its path with names in place of ids."""
    tracer = get_tracer()
    return nullcontext(_ignore) if tracer is None else _request(tracer, action, account, method, template, attempt)


@contextmanager
def _request(
    tracer: Tracer, action: str, account: str, method: str, template: str, attempt: int | None
) -> Iterator[OnAnswer]:
    from opentelemetry.trace import SpanKind, StatusCode

    there = urlsplit(get_settings().base_url)
    about: dict[str, Any] = {
        "http.request.method": method,
        "url.template": template,
        "server.address": there.hostname or "",
        "server.port": there.port or (443 if there.scheme == "https" else 80),
        "klaviyo.action": action,
        "klaviyo.account": account,
    }
    if attempt and attempt > 1:
        about["http.request.resend_count"] = attempt - 1
    with _span(tracer, f"{method} {template}", SpanKind.CLIENT, about) as span:

        def answered(status: int) -> None:
            span.set_attribute("http.response.status_code", status)
            if status >= 400:
                span.set_attribute("error.type", str(status))
                span.set_status(StatusCode.ERROR)

        yield answered


def begin_closing() -> Callable[[], None]:
    """Start to trace the closing of a lease, which may end in another thread: there, call what this returns."""
    tracer = get_tracer()
    return _ignore if tracer is None else tracer.start_span("settle").end


def tracing(name: str, **about: str | int) -> AbstractContextManager[Any]:
    """Trace work that consists of many tasks."""
    tracer = get_tracer()
    if tracer is None:
        return _OFF
    from opentelemetry.trace import SpanKind

    return _span(tracer, name, SpanKind.INTERNAL, {f"klaviyo.{key}": value for key, value in about.items()})


@contextmanager
def _span(tracer: Tracer, name: str, kind: Any, about: Mapping[str, Any], parent: Any = None) -> Iterator[Span]:
    """Open a span. Of an error it keeps only the class, since the text may hold people's data."""
    from opentelemetry.trace import StatusCode

    with tracer.start_as_current_span(
        name, parent, kind, about, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            if type(error).__name__ not in _NO_FAILURES:
                span.set_status(StatusCode.ERROR)
            raise


#: What Celery and we raise of a task that has not failed: it waits again, or somebody else has it.
_NO_FAILURES = frozenset({"Retry", "Ignore", "Revoked"})


def _published(request: Any) -> Any:
    """The context in which a delivery's message was published."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {name: request.get(name) for name in CONTEXT if isinstance(request.get(name), str)}
    return TraceContextTextMapPropagator().extract(carrier)


def _message(task_id: str, operation: str) -> dict[str, Any]:
    return {
        "messaging.system": "celery",
        "messaging.operation.name": operation,
        "messaging.message.id": task_id,
    }


def _place(headers: Mapping[str, Any]) -> dict[str, Any]:
    wait = headers.get(HEADER)
    if not isinstance(wait, Mapping):
        return {}
    queue = str(wait.get("spec", "")).partition(";")[0]
    found = {
        "klaviyo.account": wait.get("account"),
        "klaviyo.lane": wait.get("lane"),
        "messaging.destination.name": queue,
    }
    return {name: value for name, value in found.items() if value}
