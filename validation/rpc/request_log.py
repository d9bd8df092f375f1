"""Which requests to nodes are logged: variants behind one Protocol, by name.

A line bears the methods and how many calls of each, the node's label, the number of calls and of
HTTP requests, milliseconds and the outcome: never a URL, a parameter or a body.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

import structlog

if TYPE_CHECKING:
    from validation.rpc.queues import Batch

_log = structlog.get_logger(__name__)

_ONE_IN = 100
_SLOW_S: Final = 1.0
_OK: Final = "ok"


class RequestLog(Protocol):
    """Told of each batch that is back from a node. Making the line is left to those who write it:
    what is not logged costs a look.
    """

    def note(
        self, node: str, batch: "Batch", requests: int, took_s: float, outcome: str
    ) -> None: ...


class NoLog:
    """Of clients that try something out, and of commands."""

    def note(self, node: str, batch: "Batch", requests: int, took_s: float, outcome: str) -> None:
        """Nothing."""


class AllLogged:
    """The baseline."""

    def note(self, node: str, batch: "Batch", requests: int, took_s: float, outcome: str) -> None:
        _write(node, batch, requests, took_s, outcome)


class Sampled:
    """The first of each hundred."""

    def __init__(self) -> None:
        self._until_next = 0

    def note(self, node: str, batch: "Batch", requests: int, took_s: float, outcome: str) -> None:
        if self._until_next:
            self._until_next -= 1
            return
        self._until_next = _ONE_IN - 1
        _write(node, batch, requests, took_s, outcome, one_in=_ONE_IN)


class Failures:
    """What failed, and what took a second or longer."""

    def note(self, node: str, batch: "Batch", requests: int, took_s: float, outcome: str) -> None:
        if outcome != _OK or took_s >= _SLOW_S:
            _write(node, batch, requests, took_s, outcome)


REQUEST_LOGS: Final[Mapping[str, Callable[[], RequestLog]]] = {
    "none": NoLog,
    "all": AllLogged,
    "sampled": Sampled,
    "failures": Failures,
}


def _write(
    node: str, batch: "Batch", requests: int, took_s: float, outcome: str, **more: int
) -> None:
    _log.info(
        "rpc.request",
        node=node,
        methods=batch.tally(),
        calls=len(batch.fragments),
        requests=requests,
        ms=round(took_s * 1000, 1),
        outcome=outcome,
        **more,
    )
