"""What of a client is exchangeable while it works: limits, pools, retries, hedges, sharing, log.

Any thread may set; what is with a node stays with it. Read properties tell what was set last.
"""

import asyncio
from collections.abc import Callable
from threading import get_ident

from validation.rpc.config import RpcConfig, check_name, check_quantile
from validation.rpc.deadlines import Deadlines
from validation.rpc.dedup import Sharing
from validation.rpc.dispatch import Dispatcher
from validation.rpc.limiters import make_limiter
from validation.rpc.request_log import REQUEST_LOGS
from validation.rpc.seams import Posts


class Running:
    """What belongs to the event loop, made at the first fetch."""

    __slots__ = ("deadlines", "dispatcher", "loop", "thread")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, dispatcher: Dispatcher, deadlines: Deadlines
    ) -> None:
        self.loop = loop
        self.thread = get_ident()
        self.dispatcher = dispatcher
        self.deadlines = deadlines


class Steered:
    """The part of the client that operators and flags act on. What was set before the first fetch
    is applied with it.
    """

    def __init__(
        self, config: RpcConfig, *, clock: Callable[[], float], transport: Posts, sharing: Sharing
    ) -> None:
        self._transport = transport
        self._sharing = sharing
        self._max_in_flight = config.max_in_flight
        self._limiter = config.limiter
        self._hedge_quantile = config.hedge_quantile
        self._keep_alive = config.keep_alive
        self._pool_size = config.max_connections
        self._retry = config.retry
        self._request_log = config.request_log
        self._clock = clock
        self._engine: Running | None = None

    # What holds.

    @property
    def limiter(self) -> str:
        return self._limiter

    @property
    def hedging(self) -> float | None:
        """The quantile after which a second node is asked; None: none is."""
        return self._hedge_quantile

    @property
    def keep_alive(self) -> bool:
        return self._keep_alive

    @property
    def pool_size(self) -> int:
        return self._pool_size

    @property
    def retry(self) -> str:
        return self._retry

    @property
    def request_log(self) -> str:
        return self._request_log

    @property
    def sharing(self) -> bool:
        return self._sharing.is_on

    # What is to hold from now on.

    def set_max_in_flight(self, calls: int) -> None:
        """Sets this process's share of each node from now on. Any thread may call it."""
        if calls < 1:
            raise ValueError(f"max_in_flight: must be above 0, not {calls}")
        self._max_in_flight = calls
        self._in_loop(self._resize)

    def set_limiter(self, name: str) -> None:
        """Exchanges what decides on the calls with a node, from now on. Any thread may call it."""
        make_limiter(name, self._max_in_flight, self._clock)  # refuses an unknown name here
        self._limiter = name
        self._in_loop(self._exchange_limiters)

    def set_hedging(self, quantile: float | None) -> None:
        """Hedges after this quantile from now on, or not at all. Any thread may call it."""
        check_quantile(quantile)
        self._hedge_quantile = quantile
        self._in_loop(self._apply_hedging)

    def set_keep_alive(self, on: bool) -> None:
        """False: each request has a connection of its own from now on. Any thread may call it."""
        self._keep_alive = on
        self._in_loop(self._apply_pools)

    def set_pool_size(self, connections: int) -> None:
        """So many connections with a node at once. Of more that are in use each is closed when its
        answer is there. Any thread may call it.
        """
        if connections < 1:
            raise ValueError(f"pool_size: must be above 0, not {connections}")
        self._pool_size = connections
        self._in_loop(self._apply_pools)

    def set_retry(self, name: str) -> None:
        """What becomes of calls that fail from now on: a name in `retry_policies.RETRIES`. A pause
        that has begun ends with the call asked again. Any thread may call it.
        """
        check_name("retry", name)
        self._retry = name
        self._in_loop(self._apply_retry)

    def set_sharing(self, on: bool) -> None:
        """False: who asks what another asks at the same time asks it by himself, from now on. Any
        thread may call it; who shares an answer already gets it.
        """
        self._sharing.is_on = on

    def set_request_log(self, name: str) -> None:
        """Which requests are logged from now on: a name in `request_log.REQUEST_LOGS`. Any thread
        may call it.
        """
        check_name("request_log", name)
        self._request_log = name
        self._in_loop(self._apply_request_log)

    # In the loop.

    def _in_loop(self, change: Callable[[Running], None]) -> None:
        engine = self._engine
        if engine is None or engine.loop.is_closed():
            return
        if get_ident() == engine.thread:  # done when it returns, for who is in the loop himself
            change(engine)
        else:
            engine.loop.call_soon_threadsafe(change, engine)

    def _apply_all(self, engine: Running) -> None:
        """What was set before there was a loop."""
        self._exchange_limiters(engine)
        self._apply_hedging(engine)
        self._apply_pools(engine)
        self._apply_retry(engine)
        self._apply_request_log(engine)

    def _resize(self, engine: Running) -> None:
        for lane in engine.dispatcher.ways.known:
            lane.limits.limiter.resize(self._max_in_flight)
            lane.flush_soon()

    def _exchange_limiters(self, engine: Running) -> None:
        for lane in engine.dispatcher.ways.known:
            lane.limits.limiter = make_limiter(self._limiter, self._max_in_flight, self._clock)
            lane.flush_soon()

    def _apply_hedging(self, engine: Running) -> None:
        engine.dispatcher.hedge_quantile = self._hedge_quantile
        for lane in engine.dispatcher.lanes:
            lane.record.set_hedge_delay(self._hedge_quantile)

    def _apply_pools(self, engine: Running) -> None:
        self._transport.keep(self._pool_size if self._keep_alive else 0)
        for lane in engine.dispatcher.ways.known:
            lane.limits.max_requests = self._pool_size
            lane.flush_soon()

    def _apply_retry(self, engine: Running) -> None:
        engine.dispatcher.set_retry(self._retry)

    def _apply_request_log(self, engine: Running) -> None:
        engine.dispatcher.request_log = REQUEST_LOGS[self._request_log]()
