"""Items of one variant that take longer, while `manage.py fault slow-variant` asks for it.

On a development stack alone: a guarded rollout is to be seen taking itself back. What is asked
stands in Valkey for a few seconds: who asked and died is forgotten.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import redis
import structlog

from monitoring import valkey
from validation.item_variants import VARIED, Variants
from validation.validators import Outcome

KEY: Final = "switchyard:fault:slow-variant"
LIFE_S: Final = 5
_LOOK_S: Final = 1.0
# A loop's clock goes by milliseconds: what is less is owed by the next item.
_LEAST_S: Final = 0.002
_MOST_S: Final = 5.0

log = structlog.get_logger(__name__)


class Asked(msgspec.Struct, kw_only=True, frozen=True):
    """Items that have `variant` of `flag` (of `VARIED`) take `more` percent longer."""

    flag: str
    variant: str
    more: float


class Drag:
    """On the loop's thread."""

    def __init__(
        self,
        asked: Asked,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.asked = asked
        self._place = VARIED.index(asked.flag)
        self._sleep = sleep
        self._clock = clock
        self._owed_s = 0.0

    def is_on(self, variants: Variants) -> bool:
        return variants[self._place] == self.asked.variant

    async def longer(self, outcome: Outcome) -> Outcome:
        """The same, later: on the average of items as much as was asked."""
        self._owed_s += outcome.ms / 1000 * self.asked.more / 100
        if self._owed_s < _LEAST_S:
            return outcome
        wait_s = min(self._owed_s, _MOST_S)
        self._owed_s -= wait_s
        began = self._clock()
        await self._sleep(wait_s)
        took_s = self._clock() - began
        self._owed_s -= took_s - wait_s  # a busy loop wakes late
        return msgspec.structs.replace(outcome, ms=round(outcome.ms + took_s * 1000, 3))


_current: Drag | None = None


def current() -> Drag | None:
    """Of this process; None: nothing is asked of it."""
    return _current


def begin() -> Callable[[], None]:
    """In a worker process of a development stack; what ends it."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.wait(_LOOK_S):
            heed(asked())

    threading.Thread(target=run, name="fault-drag", daemon=True).start()
    return stopping.set


def heed(wanted: Asked | None) -> None:
    global _current  # noqa: PLW0603 - a process is one worker
    if wanted != (None if _current is None else _current.asked):
        _current = None if wanted is None else Drag(wanted)
        log.warning("fault.slow_variant", asked=wanted)


def asked() -> Asked | None:
    """What is asked now; None: nothing that can be heeded."""
    try:
        body = valkey.client().get(KEY)
        found = msgspec.json.decode(body, type=Asked) if isinstance(body, str) else None
    except (redis.RedisError, msgspec.DecodeError):
        return None
    return found if found is not None and found.flag in VARIED and found.more > 0 else None
