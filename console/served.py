"""Counts what the web process serves by what its flags were: each request of a browser or program.

What answers whoever watches (probes, metrics, the live stream) is raw ASGI and never gets here.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from monitoring.arm_counts import ArmCounts, Decided

type Ended = Callable[[str, int, float], None]
"""Told of an answer: route, status, seconds."""

_STATIC: Final = "static"
_FAILED: Final = 500


class Served:
    """Of one process, on its loop's thread; `hold` is for any."""

    def __init__(self) -> None:
        self.counts = ArmCounts("web")
        self._decided: Decided = ()

    def hold(self, variants: Mapping[str, str], revision: int) -> None:
        """What holds for requests from now on."""
        self.counts.decide(variants, revision)
        decided = tuple(variants.items())
        if decided != self._decided:
            self._decided = decided

    def begin(self) -> Ended:
        """Of a request that begins now: it counts for what holds now."""
        return partial(self._end, self._decided)

    def _end(self, held: Decided, route: str, status: int, took_s: float) -> None:
        if route == _STATIC:
            return
        if (decided := self._decided) is not held:
            # A flag that changed meanwhile has served it with neither variant.
            held = tuple(pair for pair in held if pair in decided)
        self.counts.count(held, (took_s,), failed=int(status >= _FAILED))


def nobody() -> Ended:
    """Counts nothing."""
    return lambda _route, _status, _took_s: None
