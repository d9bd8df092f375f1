"""Where each node's chain ends: asked of every node now and then, also of those not in service."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from random import Random

from validation.rpc.answers import Unreadable, read_quantity_64
from validation.rpc.batching import Lane
from validation.rpc.calls import Call
from validation.rpc.errors import (
    BadAnswer,
    BreakerOpen,
    ClientFault,
    NodeTimeout,
    RpcError,
    WrongChain,
)
from validation.rpc.exchange import Exchange
from validation.rpc.forms import Load
from validation.rpc.metrics import CANCELLED, METRICS
from validation.rpc.recovery import let_out
from validation.rpc.seams import Gate
from validation.rpc.wire import fragment

_log = logging.getLogger(__name__)

_TIMEOUT_S = 2.0
_COUNTED = {"eth_blockNumber": 1}
_HEAD = fragment(Call("eth_blockNumber", (), read_quantity_64))


class NodeWatch:
    """One task, once started. A question goes by itself and takes a place that nothing else wants;
    it says nothing to a breaker, and none goes where an operator holds one open.
    """

    def __init__(
        self,
        lanes: Callable[[], Sequence[Lane]],
        *,
        exchange: Exchange,
        random: Random,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._lanes = lanes
        self._exchange = exchange
        self._random = random
        self._loop = loop
        self._task: asyncio.Task[None] | None = None

    def start(self, every_s: float) -> None:
        if self._task is None:
            self._task = self._loop.create_task(self._run(every_s))

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, every_s: float) -> None:
        while True:
            await asyncio.gather(*map(self._look, self._lanes()))
            await asyncio.sleep(every_s * self._random.uniform(0.9, 1.1))

    async def _look(self, lane: Lane) -> None:
        limits, record = lane.limits, lane.record
        has_room = limits.requests < limits.max_requests and not lane.rests_s()
        if lane.is_gone or not has_room or (limits.lease is not None and not limits.lease.room()):
            return  # it is at work, or to be left alone: the next turn is soon
        started, is_sent = self._loop.time(), False

        def gate() -> None:
            nonlocal is_sent
            let_out(lane)
            is_sent = True

        try:
            number = await self._ask(lane, gate)
        except BreakerOpen:
            return
        except asyncio.CancelledError:
            if is_sent:
                METRICS.back(_COUNTED, CANCELLED, self._loop.time() - started)
            raise
        except RpcError as error:
            METRICS.back(_COUNTED, error.reason, self._loop.time() - started)
            record.watched_in_vain(error.reason, forget=isinstance(error, WrongChain))
        except Exception:  # noqa: BLE001 - the watch goes on, of this node and of all others
            _log.exception("the head of %s could not be read", lane.node.label)
            record.watched_in_vain(ClientFault.reason, forget=False)
        else:
            METRICS.back(_COUNTED, "ok", self._loop.time() - started)
            record.watched(number, self._loop.time() - started)

    async def _ask(self, lane: Lane, gate: Gate) -> int:
        asks_chain = self._exchange.must_ask_chain(lane.node)
        load = Load(1, 1 + asks_chain, 1 + asks_chain, 1)
        lane.limits.take(load)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                (answer,) = await self._exchange.send(
                    lane.node, [_HEAD], asks_chain=asks_chain, gate=gate
                )
        except TimeoutError:
            raise NodeTimeout("no answer in time", node=lane.node.label) from None
        finally:
            lane.release(load)
        if isinstance(answer, RpcError):
            raise answer
        read = read_quantity_64(answer)
        if isinstance(read, Unreadable):
            raise BadAnswer(f"eth_blockNumber: {read.detail}", node=lane.node.label)
        return int(read, 16)
