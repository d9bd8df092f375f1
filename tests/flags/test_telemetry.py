"""An evaluation is told on the span around it, as OpenTelemetry names it."""

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

from console.flags import compiling, telemetry
from console.flags.provider import FlagProvider
from console.flags.states import FlagState

DOMAIN = "test-telemetry"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> Tracer:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider.get_tracer("test")


@pytest.fixture(autouse=True)
def provider() -> FlagProvider:
    flag = FlagState(
        key="shop", variants={"a": "A", "b": "B"}, baseline="a", target="b", rest="a", stage=100,
        revision=7,
    )  # fmt: skip
    found = FlagProvider()
    found.set_document(compiling.flag_set([flag], revision=7), 7)
    api.set_provider_and_wait(found, DOMAIN)
    return found


def told(spans: InMemorySpanExporter) -> list[dict[str, object]]:
    (span,) = spans.get_finished_spans()
    assert {event.name for event in span.events} == {"feature_flag.evaluation"}
    return [dict(event.attributes or {}) for event in span.events]


def test_each_evaluation_is_an_event_of_the_span(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    client = api.get_client(DOMAIN)
    with tracer.start_as_current_span("request"):
        client.get_string_value("shop", "?", EvaluationContext("ada@example.org"))
        client.get_string_value("nobody", "?")
    first, second = told(spans)
    assert first == {
        "feature_flag.key": "shop",
        "feature_flag.provider.name": "switchyard",
        "feature_flag.result.reason": "static",
        "feature_flag.result.variant": "b",
        "feature_flag.set.id": "switchyard",
        "feature_flag.version": "7",
    }
    assert second["error.type"] == "flag_not_found"
    assert "nobody" in str(second["feature_flag.error.message"])


def test_what_is_evaluated_past_the_client_is_told_alike(
    tracer: Tracer, spans: InMemorySpanExporter, provider: FlagProvider
) -> None:
    with tracer.start_as_current_span("request"):
        telemetry.tell("shop", provider.evaluate("shop"))
        api.get_client(DOMAIN).get_string_value("shop", "?")
    first, second = told(spans)
    assert first == second


def test_without_a_span_nothing_is_told(spans: InMemorySpanExporter) -> None:
    assert api.get_client(DOMAIN).get_string_value("shop", "?") == "B"
    assert spans.get_finished_spans() == ()
