"""A service instrumented with the unmodified OpenTelemetry SDK: evaluates a flag for its users, answers, exports.

Usage: otel_exporter.py BASE_URL COMPRESSION TOKEN
Half of the evaluations are events of the request's span, half are log records of the same trace. Prints what it sent.
"""

import json
import sys
import time

from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span

USERS = 200
TREATED = 50

base, compression, token = sys.argv[1], Compression(sys.argv[2]), sys.argv[3]
resource = Resource.create({"service.name": "shop", "deployment.environment.name": "staging"})
headers = {"authorization": f"Bearer {token}"}
tracers = TracerProvider(resource=resource)
tracers.add_span_processor(
    BatchSpanProcessor(OTLPSpanExporter(f"{base}/v1/traces", headers=headers, compression=compression))
)
loggers = LoggerProvider(resource=resource)
loggers.add_log_record_processor(
    BatchLogRecordProcessor(OTLPLogExporter(f"{base}/v1/logs", headers=headers, compression=compression))
)
tracer = tracers.get_tracer("shop")
logger = loggers.get_logger("shop")


def evaluated(user, variant, reason):
    return {
        "feature_flag.key": "checkout",
        "feature_flag.result.variant": variant,
        "feature_flag.result.reason": reason,
        "feature_flag.context.id": user,
        "feature_flag.provider.name": "test",
    }


failed = {"on": 0, "off": 0}
for number in range(USERS):
    user = f"user-{number}"
    variant = "on" if number < TREATED else "off"
    with tracer.start_as_current_span("GET /checkout", kind=SpanKind.SERVER) as span:
        if number % 2:
            span.add_event("feature_flag.evaluation", evaluated(user, variant, "split"))
        else:
            context = get_current_span().get_span_context()
            logger.emit(
                LogRecord(
                    timestamp=time.time_ns(),
                    trace_id=context.trace_id,
                    span_id=context.span_id,
                    trace_flags=context.trace_flags,
                    event_name="feature_flag.evaluation",
                    attributes=evaluated(user, variant, "split"),
                )
            )
        with tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT):
            pass
        if number % 5 == 0:
            span.set_status(Status(StatusCode.ERROR))
            failed[variant] += 1
        if number % 10 == 0:
            logger.emit(
                LogRecord(timestamp=time.time_ns(), event_name="purchase", attributes={"user.id": user})
            )

loggers.force_flush()
tracers.force_flush()
loggers.shutdown()
tracers.shutdown()
print(json.dumps({"on": TREATED, "off": USERS - TREATED, "failed": failed}))
