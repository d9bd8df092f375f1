"""Tells OpenTelemetry of each evaluation: an event with `feature_flag.*` on the span around it.

An event, because one span may ask for many flags and has each attribute once. The key of whom it
was asked for stays out: it may name a person.
"""

from typing import Any, Final

from openfeature.flag_evaluation import FlagEvaluationDetails, FlagResolutionDetails, Reason
from openfeature.hook import Hook, HookContext, HookHints
from opentelemetry import trace

EVENT: Final = "feature_flag.evaluation"
PROVIDER: Final = "switchyard"


class SpanHook(Hook):
    """Costs one look where nothing is traced."""

    def finally_after(
        self, hook_context: HookContext, details: FlagEvaluationDetails[Any], hints: HookHints
    ) -> None:
        del hints
        tell(hook_context.flag_key, details)


def tell(key: str, details: FlagEvaluationDetails[Any] | FlagResolutionDetails[Any]) -> None:
    """For what is evaluated past OpenFeature's client, which calls its hooks itself."""
    span = trace.get_current_span()
    if span.is_recording():
        span.add_event(EVENT, attributes(key, details))


def attributes(
    key: str, details: FlagEvaluationDetails[Any] | FlagResolutionDetails[Any]
) -> dict[str, str]:
    """As OpenTelemetry's semantic conventions name them."""
    told = details.flag_metadata or {}
    found = {
        "feature_flag.key": key,
        "feature_flag.provider.name": PROVIDER,
        "feature_flag.result.reason": str(details.reason or Reason.UNKNOWN).lower(),
        "feature_flag.result.variant": details.variant or "",
        "feature_flag.set.id": str(told.get("flagSetId", "")),
        "feature_flag.version": str(told.get("revision", "")),
    }
    if details.error_code:
        found["error.type"] = str(details.error_code.value).lower()
        found["feature_flag.error.message"] = details.error_message or ""
    return {name: value for name, value in found.items() if value}
