"""Validates single subjects, by computation, to the level of trust asked for.

Enters: a `Subject`, a level, a fetcher (the RPC client) and the deployment's chain id. Leaves: one
`Outcome` with the verdict, the level reached and every check made; `CHECKS` and `REASONS` explain
the names in it. Depends on `validation.rpc` and `validation.subjects`, not on Django or Celery.
"""

from validation.validators.asking import Ask, Fetcher, Heard
from validation.validators.catalogue import CHECKS, CheckInfo
from validation.validators.grounds import Finality, Grounds, Others
from validation.validators.outcome import (
    Agreement,
    BlockRef,
    Caught,
    Check,
    Difference,
    Outcome,
    Status,
    Verdict,
)
from validation.validators.reasons import REASONS
from validation.validators.registry import HIGHEST_LEVEL, validate

__all__ = [
    "CHECKS",
    "HIGHEST_LEVEL",
    "REASONS",
    "Agreement",
    "Ask",
    "BlockRef",
    "Caught",
    "Check",
    "CheckInfo",
    "Difference",
    "Fetcher",
    "Finality",
    "Grounds",
    "Heard",
    "Others",
    "Outcome",
    "Status",
    "Verdict",
    "validate",
]
