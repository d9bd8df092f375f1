"""Circuit breakers and retries: when not to ask, and when to ask again.

Enters: outcomes of calls (an error, or none, and how long it took) and what operators override.
Leaves: permits or `Rejected`, changes of state, and a report of each breaker. Decides in its own
process by a monotonic clock, starts no thread, task or timer. Depends on `monitoring.instruments`
alone; on neither Django nor Celery nor Valkey.
"""

from validation.resilience.breaker import Breaker
from validation.resilience.config import THRESHOLDS, USES, BreakerConfig, Override, Threshold
from validation.resilience.errors import CallTimedOut, Rejected, ResilienceError
from validation.resilience.permits import Permit
from validation.resilience.registry import Breakers
from validation.resilience.reports import Report, Transition
from validation.resilience.retry import Backoff, Pauses, RetryBudget
from validation.resilience.states import Change, State
from validation.resilience.window import WINDOWS

__all__ = [
    "THRESHOLDS",
    "USES",
    "WINDOWS",
    "Backoff",
    "Breaker",
    "BreakerConfig",
    "Breakers",
    "CallTimedOut",
    "Change",
    "Override",
    "Pauses",
    "Permit",
    "Rejected",
    "Report",
    "ResilienceError",
    "RetryBudget",
    "State",
    "Threshold",
    "Transition",
]
