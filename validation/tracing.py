"""A run as OpenTelemetry sees it: one trace from the request that began it to each node's answer.

The run's row carries the trace, for the broker carries nothing but wake-ups. What is told of a
chunk is told after it is settled, from what its items noted anyway: no item waits for a span, and
where nothing is traced it costs one look a chunk.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from msgspec import UNSET
from opentelemetry import trace
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Span, SpanKind, StatusCode

from monitoring import tracing
from validation.ledger import Claim
from validation.validators import Outcome, Verdict

# Items of one chunk that are told one by one: a run of a million is no trace that anybody reads.
MOST_ITEMS: Final = 100
_NS: Final = 1_000_000_000

type Tell = Callable[[Sequence[Outcome]], None]

_tracer = trace.get_tracer("switchyard.validation")


def carried() -> str:
    """The traceparent of what is being done now; "" where nobody traces it."""
    return headers().get("traceparent", "")


def headers() -> dict[str, str]:
    """What a message must carry so that who gets it goes on with the trace."""
    found: dict[str, str] = {}
    if trace.get_current_span().is_recording():
        inject(found)
    return found


@contextmanager
def command(name: str) -> Iterator[None]:
    """Around what a command does first, in a trace of its own, which is sent before it goes on."""
    end = tracing.begin("cli")
    try:
        with _tracer.start_as_current_span(name):
            yield
    finally:
        end()


def rung(traceparent: object, sent_at: float) -> None:
    """A wake-up came: how long the broker had it."""
    if not isinstance(traceparent, str):
        return
    span = _tracer.start_span(
        "wake-up",
        context=extract({"traceparent": traceparent}),
        kind=SpanKind.CONSUMER,
        start_time=round(sent_at * _NS),
        attributes={"messaging.operation.type": "process"},
    )
    span.end()


@contextmanager
def chunk(claim: Claim) -> Iterator[Tell]:
    """Around the work on one chunk. What it gives is called with the outcomes that were settled."""
    if not claim.traceparent:
        yield _untold
        return
    with _tracer.start_as_current_span(
        "chunk",
        context=extract({"traceparent": claim.traceparent}),
        kind=SpanKind.CONSUMER,
        attributes={
            "switchyard.run": claim.run,
            "switchyard.first": claim.first,
            "switchyard.items": len(claim.subjects),
            "switchyard.attempt": claim.attempts,
        },
    ) as span:
        yield lambda outcomes: _tell(span, outcomes)


def _untold(_: Sequence[Outcome]) -> None:
    pass


def _tell(span: Span, outcomes: Sequence[Outcome]) -> None:
    if not span.is_recording():
        return
    told = [outcome for outcome in outcomes if outcome.spans is not UNSET][:MOST_ITEMS]
    span.set_attribute("switchyard.told", len(told))
    # Items note the moments of a clock that says nothing of the time of day.
    offset = time.time() - time.monotonic()
    for outcome in told:
        _item(outcome, offset)


def _item(outcome: Outcome, offset: float) -> None:
    """One waterfall: the item, and under it each question and check, where it was in time."""
    if outcome.began_at is UNSET or outcome.spans is UNSET:
        return
    began_ns = round((outcome.began_at + offset) * _NS)
    item = _tracer.start_span(
        f"validate {outcome.subject.partition(':')[0]}",
        start_time=began_ns,
        attributes={
            "switchyard.subject": outcome.subject,
            "switchyard.verdict": outcome.verdict,
            "switchyard.level": outcome.level,
            "switchyard.reason": outcome.reason,
            "switchyard.source": outcome.source,
        },
    )
    if outcome.verdict is Verdict.ERROR:
        item.set_status(StatusCode.ERROR, outcome.reason)
    within = trace.set_span_in_context(item)
    for stretch in outcome.spans:
        at_ns = began_ns + round(stretch.at_ms * 1e6)
        part = _tracer.start_span(
            stretch.name,
            context=within,
            kind=SpanKind.CLIENT if stretch.name in {"attempt", "l2"} else SpanKind.INTERNAL,
            start_time=at_ns,
            attributes=_said(stretch.node, stretch.note),
        )
        part.end(at_ns + round(stretch.ms * 1e6))
    last_ms = max((stretch.at_ms + stretch.ms for stretch in outcome.spans), default=0.0)
    item.end(began_ns + round(max(outcome.ms, last_ms) * 1e6))


def _said(node: str, note: str) -> dict[str, str]:
    found = {"switchyard.node": node, "switchyard.note": note}
    return {name: value for name, value in found.items() if value}
