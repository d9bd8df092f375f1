"""The faults: delay, failing calls, requests that are never answered, a limit on requests."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from validation.devnode import errors
from validation.devnode.controls import Controls
from validation.devnode.errors import RpcFault
from validation.devnode.wire import Asked, Call, Refused

LONGEST_HOLD_S = 120.0

_INJECTED = RpcFault(errors.INTERNAL_ERROR, "internal error: injected by the devnode's error rate")

type Sleep = Callable[[float], Awaitable[object]]


class Faults:
    """Decides by the settings of the moment; random, clock and sleep are given from outside."""

    def __init__(
        self, controls: Controls, *, random: Random, clock: Callable[[], float], sleep: Sleep
    ) -> None:
        self._controls = controls
        self._random = random
        self._clock = clock
        self._sleep = sleep
        self._rate = 0.0
        self._tokens = 0.0
        self._counted_at = clock()

    def retry_after_s(self) -> int | None:
        """Seconds to stay away where this request is one too many, else None."""
        rate = self._controls.settings.rate_limit
        if not rate:
            return None
        now = self._clock()
        # A new limit starts with a full bucket.
        grown = self._tokens + (now - self._counted_at) * rate if rate == self._rate else math.inf
        self._rate = rate
        self._counted_at = now
        self._tokens = min(max(1.0, rate), grown)
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        self._controls.counters.rate_limited += 1
        return max(1, math.ceil((1 - self._tokens) / rate))

    def never_answers(self) -> bool:
        rate = self._controls.settings.timeout_rate
        if rate and self._random.random() < rate:
            self._controls.counters.timeouts_injected += 1
            return True
        return False

    async def delay(self) -> None:
        settings = self._controls.settings
        wait_ms = settings.latency_ms + settings.jitter_ms * self._random.random()
        if wait_ms:
            await self._sleep(wait_ms / 1000)

    def spoilt(self, asked: Asked) -> Asked:
        """The same calls, some of which will fail."""
        rate = self._controls.settings.error_rate
        if not rate:
            return asked
        calls: Sequence[Call | Refused] = [
            Refused(call.id, _INJECTED) if self._random.random() < rate else call
            for call in asked.calls
        ]
        failing = sum(1 for call in calls if isinstance(call, Refused) and call.fault is _INJECTED)
        self._controls.counters.errors_injected += failing
        return Asked(calls, asked.batch)


async def hold(gone: Callable[[], Awaitable[object]]) -> None:
    """Waits until the client has gone, or long enough that any client has."""
    try:
        async with asyncio.timeout(LONGEST_HOLD_S):
            await gone()
    except TimeoutError:
        return
