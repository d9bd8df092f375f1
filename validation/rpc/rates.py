"""How many calls a second the whole fleet may ask of a node, and when a node is left alone.

Taken from the fleet in bulk, by one task a process, before it is needed: what sends a batch only
looks at numbers in memory. Where the fleet is away each process keeps to its share of the rate.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from weakref import WeakValueDictionary

from validation.rpc.seams import Fleet, FleetAway

_log = logging.getLogger(__name__)

_RENEW_S = 0.05
_LEASE_S = 1.0
"""What was leased and not used by then is given up: it was counted when it was taken."""
_AHEAD_S = 0.2
"""A lease holds no more than the fleet's rate of so long."""
_RETRY_S = 1.0
_MAX_RESTS = 1000
SCOPES: Final = ("process", "fleet")


class RateLease:
    """The calls that this process may still ask of one node. A batch may overdraw it, since a
    fetch is never torn apart; what comes next pays it back.
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "_demand",
        "_listeners",
        "_tokens",
        "_until",
        "accrued_at",
        "label",
        "per_s",
    )

    def __init__(self, label: str, per_s: float, clock: Callable[[], float]) -> None:
        self.label = label
        self.per_s = per_s
        self._clock = clock
        self._tokens = 0.0
        self._until = 0.0
        self.accrued_at = clock() - _RENEW_S
        """Until when this process had its own share of the rate, the last time it kept to that."""
        self._demand: Callable[[], None] | None = None
        self._listeners: list[Callable[[], None]] = []

    def room(self) -> int:
        """Calls that may be asked now."""
        self._expire()
        return max(0, math.floor(self._tokens))

    def spend(self, calls: int) -> None:
        self._tokens -= calls
        if self._demand is not None:
            self._demand()

    def await_renewal(self, wake: Callable[[], None]) -> None:
        """Calls `wake` once, when there may be room again."""
        if wake not in self._listeners:
            self._listeners.append(wake)
        if self._demand is not None:
            self._demand()

    @property
    def is_awaited(self) -> bool:
        return bool(self._listeners)

    def missing(self) -> int:
        """Calls that a renewal should bring: up to a fifth of a second's, and all that is owed."""
        self._expire()
        return max(0, math.ceil(max(1.0, self.per_s * _AHEAD_S) - self._tokens))

    def renew(self, calls: float) -> None:
        self._expire()
        self._tokens += calls
        self._until = self._clock() + _LEASE_S
        if self._tokens >= 1:
            listeners, self._listeners = self._listeners, []
            for wake in listeners:
                wake()

    def on_demand(self, demand: Callable[[], None]) -> None:
        self._demand = demand

    def _expire(self) -> None:
        if self._tokens > 0 and self._clock() >= self._until:
            self._tokens = 0.0


type Taker = Callable[[RateLease, int], Awaitable[float]]
"""Brings calls for a lease that misses so many: its scope's way to count."""


class RateBudgets:
    """The leases of one process, in one event loop; `fleet` None: it shares with nobody.

    Holds the rests that nodes asked for, too: a Retry-After told to one client of the process
    holds for all of them.
    """

    def __init__(
        self,
        fleet: Fleet | None = None,
        *,
        processes: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._processes = processes
        self._fleet = fleet
        self._away_until = 0.0
        self._scope = "fleet"
        self._takers: Mapping[str, Taker] = {"process": self._own_rate, "fleet": self._of_fleet}
        self._alone_since = 0.0
        # Held by the clients that use them: runs may name nodes of their own, ever new ones.
        self._leases: WeakValueDictionary[tuple[str, float], RateLease] = WeakValueDictionary()
        self._rests: dict[str, float] = {}
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def lease(self, label: str, per_s: float) -> RateLease:
        """The one lease of this node and rate in this process. To be called in the loop."""
        lease = self._leases.get((label, per_s))
        if lease is None:
            lease = RateLease(label, per_s, self._clock)
            self._leases[label, per_s] = lease
            lease.on_demand(self._wanted.set)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._renew_for_ever())
        return lease

    def share_with(self, processes: int) -> None:
        """How many processes share each rate where the fleet cannot say. Any thread may call it."""
        self._processes = max(1, processes)

    @property
    def scope(self) -> str:
        return self._scope

    def set_scope(self, name: str) -> None:
        """Whose the rate of a node is from now on: "fleet", what all processes ask together;
        "process", each one's own, whatever the others ask. What was leased stays leased, and who
        waits goes on waiting. Any thread may call it.
        """
        if name not in SCOPES:
            raise ValueError(f"scope: must be one of {', '.join(SCOPES)}, not {name!r}")
        if name != self._scope:
            self._alone_since = self._clock()
            self._scope = name

    @property
    def is_shared(self) -> bool:
        """False while this process keeps to its own share, its fleet being away or not there, or
        counts for itself.
        """
        return self._scope == "fleet" and self._fleet is not None and self._has_fleet()

    def _has_fleet(self) -> bool:
        return self._clock() >= self._away_until

    def rest(self, label: str, seconds: float) -> None:
        """The node asked not to be asked for so long."""
        now = self._clock()
        if len(self._rests) >= _MAX_RESTS:
            self._rests = {name: until for name, until in self._rests.items() if until > now}
        self._rests[label] = max(self._rests.get(label, 0.0), now + seconds)

    def resting(self, label: str) -> float:
        """Seconds until the node may be asked again; 0 where it may."""
        until = self._rests.get(label)
        return 0.0 if until is None else max(0.0, until - self._clock())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _renew_for_ever(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            for lease in tuple(self._leases.values()):
                try:
                    await self._renew(lease)
                except Exception:  # noqa: BLE001 - if it ended, this node was never asked again
                    _log.exception("the rate of %s could not be renewed", lease.label)
                    lease.renew(self._own_share(lease))
            if any(lease.is_awaited for lease in self._leases.values()):
                self._wanted.set()
            await asyncio.sleep(_RENEW_S)

    async def _renew(self, lease: RateLease) -> None:
        missing = lease.missing()
        if missing:
            lease.renew(await self._takers[self._scope](lease, missing))

    async def _own_rate(self, lease: RateLease, missing: int) -> float:
        """All of the rate, counted here."""
        del missing
        return self._accrued(lease) * lease.per_s

    async def _of_fleet(self, lease: RateLease, missing: int) -> float:
        """What is left of the rate that all processes share; this one's part of it where nobody
        can say.
        """
        fleet = self._fleet
        if fleet is not None and self._has_fleet():
            try:
                return await fleet.take(lease.label, lease.per_s, missing)
            except FleetAway as exc:
                _log.warning(
                    "the fleet cannot say how often %s may be asked (%s): keeping to 1/%d of it",
                    lease.label, exc, self._processes,
                )  # fmt: skip
                self._away_until = self._clock() + _RETRY_S
        return self._own_share(lease)

    def _own_share(self, lease: RateLease) -> float:
        return self._accrued(lease) * lease.per_s / self._processes

    def _accrued(self, lease: RateLease) -> float:
        """Seconds of the rate that nobody was given yet, as long as it is counted here."""
        now = self._clock()
        since = max(lease.accrued_at, now - _LEASE_S, self._alone_since)
        lease.accrued_at = now
        return now - since
