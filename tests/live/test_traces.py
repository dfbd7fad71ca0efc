"""One trace from a call to its end, across processes: a worker sends its spans over OTLP to a server in the test."""

from __future__ import annotations

import pytest
from celery import chain
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tasks.jobs import run_job
from tasks.profiles import bulk_import_profiles, create_profile, get_profiles
from tests.live.collector import collecting
from tests.live.system import KEY, Worker, until
from worker.telemetry import traces

PERSON = "ada.lovelace@example.com"


@pytest.fixture
def collector():
    with collecting() as found:
        yield found


@pytest.fixture
def application(monkeypatch):
    """What an application has that traces: a tracer, and its own spans, in memory."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("shop")
    monkeypatch.setattr(traces, "get_tracer", lambda: tracer)
    yield tracer, exporter
    provider.shutdown()


def test_a_call_a_chain_and_a_job_are_each_one_trace_across_processes(system, application, collector):
    tracer, exporter = application
    url, spans, bodies = collector
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    environment |= system.environment(TRACES="true")
    system.workers.append(Worker("traced@test", environment, system.folder / "traced.log", system.redis))
    system.workers[0].ready()

    def in_trace(number):
        return [span for span in spans if span.trace_id == number.to_bytes(16, "big")]

    def traced(name, publish):
        with tracer.start_as_current_span(name) as span:
            result = publish()
        system.ended([result.id])
        return span.get_span_context().trace_id

    call = traced("call", lambda: create_profile.delay(email=PERSON))
    followed = traced("chain", lambda: chain(get_profiles.si(filter=f'equals(email,"{PERSON}")'), get_profiles.si())())
    job = traced("job", lambda: run_job(bulk_import_profiles).delay(profiles=[{"email": PERSON}]))

    def names(number):
        return {span.name for span in in_trace(number)}

    parts = {"wait", "process klaviyo.create_profile", "POST /api/profiles", "settle"}
    until(lambda: parts <= names(call), 10, lambda: f"the call's spans, of {names(call)}")
    # Each of the two, and the second was published by the first.
    until(
        lambda: sum(span.name == "GET /api/profiles" for span in in_trace(followed)) == 2,
        10,
        lambda: f"the chain's spans, of {names(followed)}",
    )
    steps = {f"process klaviyo.{step}" for step in ("job", "job_spawn", "job_watch", "job_collect")}
    until(lambda: steps <= names(job), 10, lambda: f"the job's spans, of {names(job)}")

    [published] = [each for each in exporter.get_finished_spans() if each.name == "publish klaviyo.create_profile"]
    [processed] = [each for each in in_trace(call) if each.name == "process klaviyo.create_profile"]
    assert processed.parent_span_id == published.context.span_id.to_bytes(8, "big")
    everything = b"".join(bodies) + "".join(each.to_json() for each in exporter.get_finished_spans()).encode()
    assert not any(secret in everything for secret in (b"lovelace", PERSON.encode(), KEY.encode()))
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)  # nobody's own was replaced
