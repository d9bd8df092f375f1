"""What the web process has decided by its flags: when they change, never on a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from openfeature import api
from openfeature.evaluation_context import EvaluationContext

from console.compression import COMPRESSIONS, Compression
from console.flags.catalogue import (
    API_QUOTAS,
    DB_POOL_FORMULA,
    EXPORTS_STREAMING,
    WEB_COMPRESSION,
    WEB_COMPRESSION_THRESHOLD,
)
from console.flags.process import CONSOLE
from console.postgres.steering import steer
from console.request_log import REQUEST_LOGS, RequestLog
from monitoring.instruments import FLAG_EVALUATIONS
from validation.flags import REQUEST_LOG, STATEMENT_TIMEOUT, FlagKey
from validation.slots import Standing, rank

ASKED: Final[tuple[FlagKey[str] | FlagKey[int], ...]] = (
    *(WEB_COMPRESSION, WEB_COMPRESSION_THRESHOLD, EXPORTS_STREAMING, REQUEST_LOG, API_QUOTAS),
    *(DB_POOL_FORMULA, STATEMENT_TIMEOUT),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDecisions:
    """Values by key, and the variants that they name; what was not decided is as the code says."""

    of: Mapping[str, str | int]
    compression: Compression
    request_log: RequestLog

    @classmethod
    def by(cls, of: Mapping[str, str | int]) -> "WebDecisions":
        return cls(
            of=of,
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
    of = {flag.key: _ask(flag, standing) for flag in ASKED}
    if of == _current.of:
        return _current
    before = _current.of
    _current = WebDecisions.by(of)
    if any(before.get(flag.key) != of[flag.key] for flag in _OF_POSTGRES):
        steer(_current.value(DB_POOL_FORMULA), _current.value(STATEMENT_TIMEOUT))
    return _current


def forget() -> None:
    """As if nothing had been decided yet."""
    global _current  # noqa: PLW0603 - as above
    _current = WebDecisions.by({})


def _ask(flag: FlagKey[Any], standing: Standing | None) -> str | int:
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
    FLAG_EVALUATIONS.labels(flag.key, details.variant or "default").inc()
    value: str | int = details.value
    return value
