"""What the web process has decided by its flags: when they change, never on a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.no_op_provider import PASSED_IN_DEFAULT

from console.compression import COMPRESSIONS, Compression
from console.flags.catalogue import (
    API_QUOTAS,
    DB_POOL_FORMULA,
    EXPORTS_STREAMING,
    REPLICA_ROUTING,
    WEB_COMPRESSION,
    WEB_COMPRESSION_THRESHOLD,
)
from console.flags.process import CONSOLE
from console.postgres.steering import steer
from console.request_log import REQUEST_LOGS, RequestLog
from monitoring.instruments import FLAG_EVALUATIONS
from validation.deciding import DEFAULT
from validation.flags import REQUEST_LOG, STATEMENT_TIMEOUT, FlagKey
from validation.slots import Standing, rank

log = structlog.get_logger(__name__)

ASKED: Final[tuple[FlagKey[str] | FlagKey[int], ...]] = (
    *(WEB_COMPRESSION, WEB_COMPRESSION_THRESHOLD, EXPORTS_STREAMING, REQUEST_LOG, API_QUOTAS),
    *(DB_POOL_FORMULA, STATEMENT_TIMEOUT, REPLICA_ROUTING),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDecisions:
    """Values by key, and the variants that they name; what was not decided is as the code says."""

    of: Mapping[str, str | int]
    compression: Compression
    request_log: RequestLog
    # Of each flag, as it is called; `DEFAULT` where the code's default holds.
    variants: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def by(
        cls, of: Mapping[str, str | int], variants: Mapping[str, str] | None = None
    ) -> "WebDecisions":
        return cls(
            of=of,
            variants=variants or {},
            compression=Compression(
                offered=_variant(COMPRESSIONS, WEB_COMPRESSION, of),
                threshold=int(of.get(WEB_COMPRESSION_THRESHOLD.key, _THRESHOLD)),
            ),
            request_log=_variant(REQUEST_LOGS, REQUEST_LOG, of),
        )

    def value[T: (str, int)](self, flag: FlagKey[T]) -> T:
        return type(flag.default)(self.of.get(flag.key, flag.default))


def _variant[T](table: Mapping[str, T], flag: FlagKey[str], of: Mapping[str, str | int]) -> T:
    """That of another release, which this one has not, is as the code says."""
    return table.get(str(of.get(flag.key)), table[flag.default])


_OF_POSTGRES: Final = (DB_POOL_FORMULA, STATEMENT_TIMEOUT)
_THRESHOLD: Final = WEB_COMPRESSION_THRESHOLD.default
_current = WebDecisions.by({})


def decisions() -> WebDecisions:
    """Those that hold now. Of one request, take them once."""
    return _current


def compression() -> Compression:
    return _current.compression


def request_log() -> RequestLog:
    return _current.request_log


def decide(standing: Standing | None) -> WebDecisions:
    """Asks every flag of this process, and makes it hold."""
    global _current  # noqa: PLW0603 - one process, one set; exchanged whole
    asked = {flag.key: _ask(flag, standing) for flag in ASKED}
    of = {key: value for key, (value, _) in asked.items()}
    variants = {key: variant for key, (_, variant) in asked.items()}
    if (of, variants) == (_current.of, _current.variants):
        return _current
    before = _current.of
    _current = WebDecisions.by(of, variants)
    if any(before.get(flag.key) != of[flag.key] for flag in _OF_POSTGRES):
        steer(_current.value(DB_POOL_FORMULA), _current.value(STATEMENT_TIMEOUT))
    if before.get(REPLICA_ROUTING.key) != of[REPLICA_ROUTING.key]:
        log.info("database.reads_routed", routing=of[REPLICA_ROUTING.key])
    return _current


def forget() -> None:
    """As if nothing had been decided yet."""
    global _current  # noqa: PLW0603 - as above
    _current = WebDecisions.by({})


def _ask(flag: FlagKey[Any], standing: Standing | None) -> tuple[str | int, str]:
    """Its value, and the variant that it is."""
    attributes: dict[str, Any] = {"fleet": "web"}
    if standing is not None:
        attributes["rank"] = rank(flag.key, standing.number, standing.living)
        attributes["processes"] = len(standing.living)
    context = EvaluationContext(None, attributes)
    client = api.get_client(CONSOLE)
    if isinstance(flag.default, int):
        details: Any = client.get_integer_details(flag.key, flag.default, context)
    else:
        details = client.get_string_details(flag.key, flag.default, context)
    variant = details.variant
    if not variant or variant == PASSED_IN_DEFAULT:
        variant = DEFAULT
    FLAG_EVALUATIONS.labels(flag.key, variant).inc()
    value: str | int = details.value
    return value, variant
