"""The same batch asked of a second node where the first is slower than it usually is."""

import asyncio
from collections.abc import Callable, Sequence

from validation.rpc.errors import RpcError
from validation.rpc.flights import Flight
from validation.rpc.wire import Answer

type Landed = tuple[Flight, Sequence[Answer]]


async def race(first: Flight, *, delay_s: float, second_of: Callable[[], Flight | None]) -> Landed:
    """The answers that came first, and who brought them; the other is cancelled. Raises what the
    last of them met where both failed.
    """
    loop = asyncio.get_running_loop()
    flights: dict[asyncio.Task[list[Answer]], Flight] = {}

    def begin(flight: Flight) -> None:
        task = loop.create_task(flight.carry())
        task.add_done_callback(flight.end)
        flights[task] = flight

    begin(first)
    try:
        done, _ = await asyncio.wait(flights, timeout=delay_s)
        second = None if done else second_of()
        if second is not None:
            begin(second)
        return await _first_of(flights)
    finally:
        for task in flights:
            task.cancel()
        # Until the loser is gone its place is not free; cancelling takes no time but a tick.
        await asyncio.gather(*flights, return_exceptions=True)


async def _first_of(flights: dict["asyncio.Task[list[Answer]]", Flight]) -> Landed:
    error: BaseException = RpcError("nothing was sent")
    pending = set(flights)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            failure = task.exception()
            if failure is None:
                return flights[task], task.result()
            error = failure
    raise error
