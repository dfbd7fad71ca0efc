"""Traces: what is told of a call on its way, to whom it belongs, and that nothing is where they are off."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from celery.exceptions import Retry
from celery.signals import task_postrun
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from tasks.profiles import create_profile, get_profiles
from worker.app import app
from worker.errors import BadRequest, SettingsError, Unavailable
from worker.message_headers import HEADER
from worker.messages import Message, read
from worker.one_per_process import forget
from worker.successors import run_and_pass_on
from worker.telemetry import traces

PERSON = "ada@example.com"


@pytest.fixture
def exporter(settings, monkeypatch):
    found, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    tracer = provider.get_tracer("test")
    monkeypatch.setattr(traces, "get_tracer", lambda: tracer)
    # Straight into Redis, whatever an earlier test has made of this process.
    monkeypatch.setattr("worker.checked_task.is_plain", lambda task, options: True)
    yield found
    provider.shutdown()
    task_postrun.send(sender=None)  # the thread's next work follows none of these tasks


def spans(exporter):
    return {span.name: span for span in exporter.get_finished_spans()}


def message_of(fake_redis) -> tuple[Message, dict]:
    import json

    [stored] = fake_redis.hvals("klaviyo:waiting")
    raw = stored.partition(b"\n")[2]
    return read(raw), json.loads(raw)["headers"]


def delivery(headers, id="a-task"):
    """The request of a delivery with these headers, and a task that has it."""
    request = SimpleNamespace(id=id, get=headers.get, is_eager=False, callbacks=None, chain=None)
    return SimpleNamespace(name="klaviyo.create_profile", request=request, app=app)


def test_a_call_is_one_span_whose_context_travels_in_its_message(exporter, fake_redis):
    create_profile.on(lane="bulk").delay(email=PERSON, first_name="Ada")

    span, (message, headers) = spans(exporter)["publish klaviyo.create_profile"], message_of(fake_redis)
    assert headers["traceparent"].startswith(f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-")
    assert span.attributes == {
        "messaging.system": "celery",
        "messaging.operation.name": "publish",
        "messaging.message.id": message.id,
        "messaging.destination.name": "klaviyo.l",
        "klaviyo.account": "default",
        "klaviyo.lane": "bulk",
    }


def test_the_applications_own_span_is_the_parent(exporter, fake_redis):
    with traces.get_tracer().start_as_current_span("checkout") as checkout:
        create_profile.delay(email=PERSON)

    assert spans(exporter)["publish klaviyo.create_profile"].parent.span_id == checkout.context.span_id


def test_waiting_request_and_closing_belong_to_the_call_that_published_them(exporter, fake_redis, monkeypatch):
    create_profile.delay(email=PERSON)
    _, headers = message_of(fake_redis)
    task = delivery(headers)
    monkeypatch.setattr("worker.successors.ended_if_revoked", lambda task: traces._OFF)
    monkeypatch.setattr("worker.successors.unacknowledged_if_left", lambda request: traces._OFF)

    def work():
        traces.trace_wait(task.request, 1)
        with traces.tracing_request("create_profile", "default", "POST", "/api/profiles") as answered:
            answered(201)
        traces.begin_closing()()
        return {}

    run_and_pass_on(task, work)

    found = spans(exporter)
    published, processed = found["publish klaviyo.create_profile"], found["process klaviyo.create_profile"]
    assert len({span.context.trace_id for span in found.values()}) == 1
    assert processed.parent.span_id == found["wait"].parent.span_id == published.context.span_id
    assert found["POST /api/profiles"].parent.span_id == found["settle"].parent.span_id == processed.context.span_id
    assert found["wait"].start_time == int(headers[HEADER]["since"] * 1e9)
    assert found["wait"].end_time <= found["POST /api/profiles"].start_time


def test_what_follows_a_task_belongs_to_it(exporter, fake_redis):
    with traces._task(traces.get_tracer(), "klaviyo.get_profiles", delivery({}).request):
        create_profile.delay(email=PERSON)

    found = spans(exporter)
    first, second = found["process klaviyo.get_profiles"], found["publish klaviyo.create_profile"]
    assert second.parent.span_id == first.context.span_id


def test_a_step_that_is_published_later_by_another_process_keeps_the_trace_of_the_job(exporter):
    with traces.tracing("job") as job:
        kept = traces.kept_context()
    headers = dict(kept["headers"])
    with traces.tracing("whatever publishes it"):
        traces.carry_context(headers)

    assert headers["traceparent"].split("-")[2] == f"{job.context.span_id:016x}"


def test_a_request_says_what_was_answered_by_the_names_of_http(exporter, settings):
    settings.setenv("KLAVIYO_BASE_URL", "http://127.0.0.1:8080")
    forget()
    with traces.tracing_request("get_profile", "eu-store", "GET", "/api/profiles/{id}", attempt=3) as answered:
        answered(429)

    [span] = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes == {
        "http.request.method": "GET", "url.template": "/api/profiles/{id}", "server.address": "127.0.0.1",
        "server.port": 8080, "http.response.status_code": 429, "error.type": "429", "http.request.resend_count": 2,
        "klaviyo.action": "get_profile", "klaviyo.account": "eu-store",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (Retry("waits"), False),
        (Unavailable("create_profile", "default", f"no answer about {PERSON}"), True),
        (BadRequest("create_profile", "default", 400, [{"detail": PERSON}]), True),
    ],
)
def test_a_task_that_waits_again_has_not_failed_and_no_error_tells_its_text(exporter, error, failed):
    with pytest.raises(type(error)), traces.tracing("process"):
        raise error

    [span] = exporter.get_finished_spans()
    assert (span.status.status_code is StatusCode.ERROR) is failed
    assert span.attributes["error.type"] == type(error).__name__
    assert not span.events
    assert PERSON not in span.to_json()


def test_only_the_first_wait_is_known(exporter):
    request = delivery({HEADER: {"since": 1_800_000_000.0, "account": "default"}}).request
    traces.trace_wait(request, 2)
    traces.trace_wait(delivery({}).request, 1)

    assert exporter.get_finished_spans() == ()


def test_nothing_of_a_call_is_in_its_spans(exporter, fake_redis):
    create_profile.delay(email=PERSON, first_name="Ada Lovelace", phone_number="+15550001234")
    get_profiles.delay(filter=f'equals(email,"{PERSON}")')

    told = "".join(span.to_json() for span in exporter.get_finished_spans())
    assert not any(each in told for each in (PERSON, "Lovelace", "5550001234", "pk_secret"))


def test_an_application_that_has_them_off_loads_nothing_of_opentelemetry():
    # redis-py loads its metrics, where it is installed.
    program = (
        "import sys, redis; before = set(sys.modules); import worker.celery; from worker.telemetry import traces; "
        "assert traces.get_tracer() is None; "
        "assert traces.tracing_task('x', None) is traces.tracing_publish('x', 'y', {}); "
        "print([name for name in set(sys.modules) - before if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_traces_without_the_extra_are_a_sentence(settings, monkeypatch):
    settings.setenv("KLAVIYO_TRACES", "true")
    forget()
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with pytest.raises(SettingsError, match=r"pip install 'klaviyo-worker\[otel\]'"):
        traces.get_tracer()
