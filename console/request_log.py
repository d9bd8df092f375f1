"""Which requests of browsers and programs are logged: variants behind one Protocol, by name.

A line bears method, route, status and milliseconds: never an address, a query or a body.
"""

from collections.abc import Mapping
from typing import Final, Protocol

import structlog

_ONE_IN: Final = 100
_SLOW_S: Final = 1.0
_FAILED: Final = 500

log = structlog.get_logger(__name__)


class RequestLog(Protocol):
    """Told of each answer, on the loop's thread."""

    def note(self, method: str, route: str, status: int, took_s: float) -> None: ...


class AllLogged:
    """The baseline."""

    def note(self, method: str, route: str, status: int, took_s: float) -> None:
        _write(method, route, status, took_s)


class Sampled:
    """The first of each hundred."""

    def __init__(self) -> None:
        self._until_next = 0

    def note(self, method: str, route: str, status: int, took_s: float) -> None:
        if self._until_next:
            self._until_next -= 1
            return
        self._until_next = _ONE_IN - 1
        _write(method, route, status, took_s, one_in=_ONE_IN)


class Failures:
    """What failed here, and what took a second or longer. A refusal is no failure: anybody on the
    network can cause as many as they like.
    """

    def note(self, method: str, route: str, status: int, took_s: float) -> None:
        if status >= _FAILED or took_s >= _SLOW_S:
            _write(method, route, status, took_s)


# One of each: what a sampler has counted outlasts a change and back.
REQUEST_LOGS: Final[Mapping[str, RequestLog]] = {
    "all": AllLogged(),
    "sampled": Sampled(),
    "failures": Failures(),
}


def _write(method: str, route: str, status: int, took_s: float, **more: int) -> None:
    log.info(
        "http.request",
        method=method,
        route=route,
        status=status,
        ms=round(took_s * 1000, 1),
        **more,
    )
