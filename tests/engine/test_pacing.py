"""Work that never waits for anybody still gives the loop its turns."""

import asyncio
from functools import partial
from itertools import count

import pytest

from tests.cache.fetchers import TX, knowing
from tests.validators import world
from validation import engine as engines
from validation.engine import Engine
from validation.pacing import Pace
from validation.rpc import Call
from validation.validators import Grounds


class Turns:
    """Counts the loop's."""

    def __init__(self) -> None:
        self.seen = 0
        self._next = asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self.seen += 1
        self._next = asyncio.get_running_loop().call_soon(self._turn)

    def stop(self) -> None:
        self._next.cancel()


async def test_a_chunk_that_memory_answers_takes_many_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second by this clock is an item; by the machine's own, hardware would decide."""
    node, ticks = knowing(), count()
    monkeypatch.setattr(engines, "Pace", partial(Pace, 10.0, clock=lambda: float(next(ticks))))
    grounds = Grounds(chain_id=world.CHAIN_ID)
    engine = Engine(client=node, fetcher=node, grounds=grounds)  # type: ignore[arg-type]
    turns = Turns()
    outcomes = await engine.validate_many([f"tx:{TX['hash']}"] * 300, level=1)
    turns.stop()
    assert {outcome.verdict for outcome in outcomes} == {"valid"}
    assert turns.seen >= 300 / 10


async def test_who_is_cancelled_takes_nobody_else_with_him() -> None:
    now = [0.0]
    pace = Pace(1.0, clock=lambda: now[0])
    await pace.step()  # within the turn nobody waits
    now[0] = 2.0
    steps = [asyncio.create_task(pace.step()) for _ in range(3)]
    await asyncio.sleep(0)
    steps[0].cancel()
    await asyncio.gather(*steps, return_exceptions=True)
    assert [step.cancelled() for step in steps] == [True, False, False]
    await pace.step()


async def test_who_was_kept_waiting_for_an_answer_reads_it_in_a_turn_with_time_left() -> None:
    """A second by this clock is what is done with an answer; all of them come at once."""
    now, node, came = [0.0], knowing(), asyncio.Event()
    node.gate = came
    pace, turns = Pace(5.0, clock=lambda: now[0]), Turns()
    call = Call("eth_getBalance", ("0x" + "11" * 20, "latest"), str)

    async def item() -> None:
        await pace.of(node).fetch([call])
        now[0] += 1.0

    items = [asyncio.create_task(item()) for _ in range(100)]
    while node.questions < 100:  # noqa: ASYNC110 - nothing tells it
        await asyncio.sleep(0)
    before = turns.seen
    came.set()
    await asyncio.gather(*items)
    turns.stop()
    assert turns.seen - before >= 100 / (5 + 16)
