"""A drill of a node that is only known by its answers: what it gathers, asks and concludes."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.drill import worlds
from validation.checkpoint import Checkpoint
from validation.devnode.lies import LIES
from validation.drill import DrillError, Item, Report, Tape, Trust, gather, run
from validation.drill.lying import LyingPosts
from validation.rpc import RpcClient

LIES_TOLD = [LIES[name] for name in ("tx-value", "forged-miner", "account-balance", "slot-value")]


def _client(lie: str | None = None) -> RpcClient:
    config = worlds.trust().config
    posts = LyingPosts(
        worlds.ChainTruth(), LIES[lie] if lie else None, max_body_bytes=config.max_body_bytes
    )
    return RpcClient(config, transport=posts)


def drilled(checkpoint: int, *, most_s: float = 60.0) -> tuple[Report, Sequence[Item], Tape]:
    async def whole() -> tuple[Report, Sequence[Item], Tape]:
        trusted = Checkpoint(checkpoint, worlds.chain().blocks[checkpoint])
        trust = Trust(config=worlds.trust().config, checkpoint=trusted)
        client = _client()
        try:
            tape = Tape(client)
            items = await gather(tape, trusted)
            report = await run(
                tape, items, trust, lies=LIES_TOLD, most_s=most_s, calls=lambda: tape.asked
            )
        finally:
            await client.aclose()
        return report, items, tape

    return asyncio.run(whole())


def test_at_a_checkpoint_every_promise_is_kept() -> None:
    report, items, tape = drilled(worlds.chain().latest)
    assert {item.kind for item in items} >= {"head", "block", "tx", "address", "slot"}
    assert all(item.is_pinned for item in items)
    assert report.broken_promises() == []
    assert [row.lie for row in report.believed(3)] == ["forged-miner"]
    assert list(report.believed(4)) == []
    assert report.calls == tape.asked < 100


def test_above_a_checkpoint_a_forged_block_is_believed_and_no_promise_is_broken() -> None:
    report, items, _ = drilled(0)
    assert {item.kind for item in items} >= {"head", "block", "tx", "address"}
    assert not any(item.is_pinned for item in items)
    assert [row.lie for row in report.believed(4)] == ["forged-miner"]
    assert report.broken_promises() == []


def test_a_drill_without_time_says_that_it_is_not_whole() -> None:
    report, _, _ = drilled(worlds.chain().latest, most_s=0.0)
    assert (report.rows, report.is_whole) == ((), False)
    assert {item.level for item in report.items} == {4}  # the truth is looked at all the same


def test_a_node_that_tells_no_head_gives_nothing_to_drill_with() -> None:
    async def whole() -> None:
        client = _client("null-result")
        try:
            await gather(Tape(client))
        finally:
            await client.aclose()

    with pytest.raises(DrillError, match="newest block"):
        asyncio.run(whole())


def test_a_tape_passes_on_no_more_than_its_bound() -> None:
    async def whole() -> tuple[int, object]:
        client = _client()
        try:
            tape = Tape(client, most_calls=2)
            for number in range(5):
                last = await tape.ask("eth_getBlockByNumber", hex(number), False)
            again = await tape.ask("eth_getBlockByNumber", "0x0", False)
        finally:
            await client.aclose()
        assert last is None
        return tape.asked, again["number"]

    assert asyncio.run(whole()) == (2, "0x0")
