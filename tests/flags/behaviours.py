"""What each variant does where a fleet could not show it cheaply: in seconds that are injected, in
memory that is made up, at a node that holds its answers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.cache.fetchers import Fleet, Node, knowing
from tests.flags.rig import MB, ROOM, SHARE, Rig
from tests.resilience.fakes import NodeFault
from validation import flags
from validation.cache import Lifetime
from validation.cache.sizing import Memory
from validation.resilience import Rejected

_SHORT: Final = Lifetime(5.0, 5.0, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """`look` tells what is seen; under each variant that `finds` names, it is what stands there."""

    look: Callable[[Rig], Awaitable[object]]
    finds: Mapping[str, object]


async def _who_stays(rig: Rig) -> tuple[int, int, bool]:
    """Of twenty places: those used once that stay when a few come, those used twice that stay when
    many come, and whether those that come and are never used are taken in.
    """
    rig.cache.bounds.obey({"max_entries": 20.0})

    async def after(*, uses: int, come: int) -> tuple[int, int]:
        rig.cache.l1.clear()
        old, new = rig.fresh_names(20), rig.fresh_names(come)
        await rig.keep(old)
        for _ in range(uses):
            rig.kept(old[:10])
        await rig.keep(new)
        return len(rig.kept(old[:10])), len(rig.kept(new))

    few, many, unused = (
        await after(uses=1, come=5), await after(uses=2, come=30), await after(uses=0, come=30)
    )  # fmt: skip
    return few[0], many[0], unused[1] > 10


async def _how_many_stay(rig: Rig) -> int:
    names = rig.fresh_names(10_500)
    await rig.keep(names)
    return len(rig.kept(names))


async def _until_when(rig: Rig) -> float:
    """The last of these ages at which an entry that nothing else ends is still there."""
    last = 0.0
    for seconds in (30, 90, 200, 400):
        names = rig.fresh_names(1)
        await rig.keep(names)
        rig.clock.ahead_s += seconds
        last = seconds if rig.kept(names) else last
    return last


async def _unasked(rig: Rig) -> bool:
    """Whether the room of what has expired is given back, though nobody asks for it."""
    before = rig.cache.l1.counters.expired
    await rig.keep(rig.fresh_names(3), life=_SHORT)
    rig.clock.ahead_s += 61
    await rig.cache.tick()
    return rig.cache.l1.counters.expired >= before + 3


async def _has_room(rig: Rig) -> bool:
    """Whether 16 MB are kept where the machine has 40 left for everybody."""
    rig.cache.l1.clear()
    rig.cache.bounds.fit(Memory(total=100 * MB, available=40 * MB), processes=1)
    names = rig.fresh_names(64)
    await rig.keep(names, body=b"7" * (MB // 4))
    return len(rig.kept(names)) == len(names)


async def _packed(rig: Rig) -> list[int]:
    """Of bodies so long, those that lie packed in Valkey."""
    l2, found = rig.cache.l2, []
    assert l2 is not None
    for length in (300, 700, 2_000, 9_000):
        before = l2.bytes_stored
        await rig.keep(rig.fresh_names(1), body=b"7" * length)
        l2.write_out()
        if l2.bytes_stored - before < length:
            found.append(length)
    return found


async def _how_warm(rig: Rig) -> int:
    """What a worker that starts now knows of three hot keys of the fleet."""
    fleet = Fleet(rig.tiers, _NODE)
    try:
        hot = await fleet.start()
        for _ in range(40):
            for subject in _HOT:
                await hot.fetch(subject)
        await hot.fetcher._remember()
        cold = await fleet.start(knows_chain=False)
        cold.cache.variants.set_warming(rig.cache.warming.name)
        await asyncio.wait_for(cold.fetcher.is_warm.wait(), 10)
        return cold.cache.counts.warmed
    finally:
        await fleet.aclose()


_NODE: Final[Node] = knowing()
_QUESTIONS: Final = 60
_HOT: Final = ("block:16", "address:0x" + "11" * 20)


async def _sockets(rig: Rig) -> int:
    """Connections that 270 questions open at once."""
    rig.client.set_max_in_flight(1_000)
    return await rig.most_out(270)


async def _in_flight(rig: Rig) -> tuple[int, bool]:
    """Calls that are with a node at once, of forty; and whether they are fewer once it said that
    they are too many.
    """
    rig.client.set_pool_size(64)
    before = await rig.most_out(40)
    await rig.refused_once()
    return before, await rig.most_out(40) < before


async def _asked_again(rig: Rig) -> str:
    """How often each of so many questions is asked of a node that fails."""
    asked = await rig.asked_in_vain(_QUESTIONS)
    told = {_QUESTIONS: "once", 3 * _QUESTIONS: "three times"}
    return told.get(asked, "few again" if asked < 2 * _QUESTIONS else f"{asked} times in all")


async def _sharers(rig: Rig) -> tuple[int, int]:
    return await rig.asked_at_once(4)


async def _let_through(rig: Rig) -> tuple[int, str]:
    """Of six calls to what fails, those that are made; and what the breaker makes of them."""
    rig.breakers.reset("quick")
    breaker, made = rig.breakers.get("quick"), 0
    for _ in range(6):
        try:
            permit = breaker.admit()
        except Rejected:
            continue
        made += 1
        breaker.settle(permit, error=NodeFault(), duration_s=0.1)
    return made, breaker.computed.value


async def _remembered(rig: Rig) -> tuple[int, int]:
    """Of 1 100 calls: those that count at once, and 29 seconds later."""
    rig.breakers.reset("slow")
    breaker = rig.breakers.get("slow")
    # At the end of one of the slices that time is counted in.
    begins = rig.clock.later()
    rig.clock.stop_at(begins)
    for _ in range(1_100):
        breaker.settle(breaker.admit(), duration_s=0.1)
    now = breaker.report().calls
    rig.clock.stop_at(begins + 29)
    return now, breaker.report().calls


async def _ended_after(rig: Rig) -> str:
    """What Postgres itself says that it does with the statements of an open connection."""
    rig.parts.timeouts.obey(rig.link)
    row = rig.link.execute("SHOW statement_timeout").fetchone()
    assert row is not None
    return str(row[0])


async def _lets_go(rig: Rig) -> tuple[list[str], bool]:
    """Near the limit: what is let go, and whether work is still taken."""
    memory = rig.memory
    for memory.percent in (1, 97):
        rig.clock.ahead_s += 60
        memory.dropped.clear()
        memory.guard.tend()
    return list(memory.dropped), not memory.guard.refuses


IN_VALKEY: Final = {flags.COMPRESSION_THRESHOLD.key, flags.WARMING.key, flags.SHARING.key}

BEHAVIOURS: Final[Mapping[str, Behaviour]] = {
    flags.L1_EVICTION.key: Behaviour(
        look=_who_stays,
        finds={
            "fifo": (5, 0, True), "lru": (10, 0, True), "sieve": (10, 10, True),
            "s3fifo": (5, 10, True), "tinylfu": (10, 10, False),
        },
    ),
    flags.L1_SIZE.key: Behaviour(
        look=_how_many_stay,
        finds={"1000": 1_000, "5000": 5_000, "10000": 10_000, "deployment": ROOM},
    ),
    flags.L1_TTL.key: Behaviour(look=_until_when, finds={"60": 30, "300": 200, "deployment": 90}),
    flags.L1_EXPIRY.key: Behaviour(look=_unasked, finds={"sweep": True, "lazy": False}),
    flags.L1_SIZING.key: Behaviour(look=_has_room, finds={"fixed": True, "adaptive": False}),
    flags.COMPRESSION_THRESHOLD.key: Behaviour(
        look=_packed,
        finds={
            "5120": [9_000], "1024": [2_000, 9_000], "512": [700, 2_000, 9_000],
            "codec": [300, 700, 2_000, 9_000],
        },
    ),
    flags.WARMING.key: Behaviour(look=_how_warm, finds={"off": 0, "on": 2}),
    flags.POOL_SIZE.key: Behaviour(
        look=_sockets, finds={"512": 270, "256": 256, "50": 50, "8": 8}
    ),
    flags.CONCURRENCY.key: Behaviour(
        look=_in_flight,
        finds={"none": (40, False), "fixed": (SHARE, False), "adaptive": (SHARE, True)},
    ),
    flags.RETRY.key: Behaviour(
        look=_asked_again, finds={"none": "once", "backoff": "three times", "budgeted": "few again"}
    ),
    flags.SHARING.key: Behaviour(
        look=_sharers, finds={"off": (4, 1), "process": (1, 1), "fleet": (1, 0)}
    ),
    flags.BREAKER_USE.key: Behaviour(
        look=_let_through,
        finds={"off": (6, "closed"), "metrics_only": (6, "open"), "on": (2, "open")},
    ),
    flags.BREAKER_WINDOW.key: Behaviour(
        look=_remembered, finds={"list": (599, 599), "count": (100, 100), "time": (1_100, 0)}
    ),
    flags.STATEMENT_TIMEOUT.key: Behaviour(
        look=_ended_after, finds={"7500": "7500ms", "30000": "30s"}
    ),
    flags.MEMORY_GUARD.key: Behaviour(
        look=_lets_go, finds={"off": ([], True), "on": (["all"], False)}
    ),
}  # fmt: skip
