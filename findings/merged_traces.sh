#!/usr/bin/env bash
# A task that cannot be sent leaves its span open, and OpenTelemetry puts what its thread does later into that trace.
#
# With:      opentelemetry-instrumentation-celery 0.66b2, opentelemetry-sdk 1.45.2, celery 5.7.0, redis 8.1.0
# Guessed:   a failed apply_async() leaves a span with the error, and the context as it was.
# Behaviour: the instrumentation opens a span at the signal before_task_publish, makes it the current one, and closes it
#            at after_task_publish. Celery does not send the second signal when the broker is away. The span is never
#            closed or exported. It stays current, and is kept at the task's object, one more for each failure.
# Seen:      before: 3 sent, 3 traces
#            broker away: 3 not sent, 0 spans exported, 3 spans kept
#            afterwards: 3 sent, 1 trace, whose root is not exported
# Matters:   a loop that sends a nightly sync, a beat or a consumer without a span of its own works on for months after
#            one short fault, and all its tasks, with all that their workers do, are one trace. Its root is missing, so
#            that a sampler of whole traces takes all or nothing, and the failure itself is in no trace. Send within a
#            span of your own: when that ends, the context is set back.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install -qq --disable-pip-version-check --target lib \
    opentelemetry-instrumentation-celery==0.66b2 opentelemetry-sdk==1.45.2 \
    celery==5.7.0 "kombu[redis]==5.7.0" redis==8.1.0
export PYTHONPATH="$dir/lib"
python3 - <<'EOF'
import sys

from celery import Celery
from kombu.exceptions import OperationalError
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
CeleryInstrumentor().instrument()
app, away = Celery("there", broker="memory://"), Celery("away", broker="redis://127.0.0.1:1")


@app.task(name="sync")
def sync():
    pass


@away.task(name="lost")
def lost():
    pass


def send(task):
    """The spans of sending three times, and how often it has failed."""
    failed = 0
    for _ in range(3):
        try:
            task.apply_async(retry=False)
        except OperationalError:
            failed += 1
    spans = exporter.get_finished_spans()
    exporter.clear()
    return spans, failed


def traces(spans):
    return len({span.context.trace_id for span in spans})


before, _ = send(sync)
print(f"before: {len(before)} sent, {traces(before)} traces")
during, failed = send(lost)
kept = len(getattr(lost, "__otel_task_span", {}))
print(f"broker away: {failed} not sent, {len(during)} spans exported, {kept} spans kept")
after, _ = send(sync)
parents = {span.parent.span_id for span in after if span.parent}
orphans = len(parents) == 1 and not parents & {span.context.span_id for span in before + after}
root = "whose root is not exported" if orphans else "whose roots are exported"
print(f"afterwards: {len(after)} sent, {traces(after)} trace, {root}")
found = (traces(before), failed, len(during), kept, len(after), traces(after), orphans)
sys.exit(None if found == (3, 3, 0, 3, 3, 1, True) else "changed")
EOF
